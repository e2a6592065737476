"""Every action in every dialect: what can be said reads back equal, the rest is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actions.codec import CLASSES, NAMES
from actions.dialects import DIALECTS, ParseError, RenderError, find, parse, render
from actions.space import (
    ENDING,
    Action,
    Button,
    CallUser,
    Click,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    LongPress,
    Navigate,
    NavigateBack,
    OpenApp,
    OpenComputer,
    PressBack,
    PressHome,
    Scroll,
    Select,
    Step,
    Swipe,
    Type,
    Wait,
    on_points,
    points,
)
from tests.actions.action_strategies import ACTIONS, BY_CLASS
from vision.geometry import Point

NO_CODE = (
    *(LongPress, Swipe, Select, Navigate, NavigateBack),
    *(OpenApp, OpenComputer, PressHome, PressBack),
)
UI_TARS_CLICKS = {(Button.LEFT, 1), (Button.LEFT, 2), (Button.RIGHT, 1), (Button.MIDDLE, 1)}


def sayable(action: Action, dialect: str) -> bool:
    """Whether the dialect has words for an action with points in its range."""
    match action:
        case Type(text, submit, point):
            typed = bool(text) if not submit else True
            return (
                typed
                and (submit or not text.endswith("\n"))
                and not (dialect.startswith("opencua") and point)
            )
        case _ if dialect.startswith("opencua"):
            return not isinstance(action, NO_CODE)
        case Click(_, button, count):
            return (button, count) in UI_TARS_CLICKS
        case Drag(_, _, button):
            return button == Button.LEFT
        case Scroll(_, _, clicks):
            return clicks == 5
    return True


def in_dialect(action: Action, dialect: str) -> Action:
    """The same action with its points (0..1000) scaled to the dialect's range."""
    extent = find(dialect).extent
    if extent is None:
        return on_points(action, lambda p: Point(p.x * 4, p.y * 3))
    return on_points(action, lambda p: Point(p.x / 1000 * extent.width, p.y / 1000 * extent.height))


thoughts = st.text(st.characters(exclude_characters="<`:\uff1a", exclude_categories=["Cs"])).map(
    str.strip
)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", CLASSES)
@settings(max_examples=25)
@given(data=st.data())
def test_one_action(dialect: str, name: str, data: st.DataObject) -> None:
    action = in_dialect(data.draw(BY_CLASS[CLASSES[name]]), dialect)
    step = Step(data.draw(thoughts), (action,))
    if sayable(action, dialect):
        assert parse(render(step, dialect), dialect) == step
    else:
        with pytest.raises(RenderError):
            render(step, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data())
def test_several_actions(dialect: str, data: st.DataObject) -> None:
    drawn = data.draw(st.lists(ACTIONS, min_size=2, max_size=5))
    moved = [in_dialect(action, dialect) for action in drawn if sayable(action, dialect)]
    step = Step(data.draw(thoughts), tuple(sorted(moved, key=lambda a: isinstance(a, ENDING))))
    if sum(isinstance(action, ENDING) for action in moved) <= 1 and moved:
        assert parse(render(step, dialect), dialect) == step
    else:
        with pytest.raises(RenderError):
            render(step, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_class_is_sayable_or_known_not_to_be(dialect: str) -> None:
    """Guards the property above against a `sayable` that says no to everything."""
    samples: list[Any] = [
        *(Click(Point(0, 1)), Drag(Point(0, 0), Point(1, 1)), Type("a"), Hotkey(("ctrl", "c"))),
        *(Wait(), Finished("done"), CallUser("help"), KeyDown("shift")),
    ]
    for action in samples:
        assert parse(render(Step("t", (action,)), dialect), dialect) == Step("t", (action,))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_point_outside_the_range_is_not_written(dialect: str) -> None:
    for bad in (-1, math.nan, math.inf, 1001 if find(dialect).extent else -0.5):
        with pytest.raises(RenderError, match="expected"):
            render(Step("", (Click(Point(0, bad)),)), dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "step",
    [
        Step("thought", ()),
        Step("", (Finished(), Wait())),
        Step("", (CallUser(), Finished())),
        Step("", (KeyDown("control"),)),
        Step("", (KeyDown("no such key"),)),
        Step("", (Hotkey(()),)),
        Step("", (Wait(-1),)),
        Step("", (Wait(math.nan),)),
        Step("", (Wait(math.inf),)),
        Step(" white space at the ends ", (Wait(),)),
    ],
)
def test_invalid_steps_are_not_written(dialect: str, step: Step) -> None:
    with pytest.raises(RenderError):
        render(step, dialect)


@pytest.mark.parametrize(
    ("dialect", "step"),
    [
        ("uitars", Step("one\nThought: two", (Wait(),))),
        ("uitars", Step("one\nAction: wait()", (Wait(),))),
        ("uitars-xml", Step("", (Type("a</parameter>b"),))),
        ("uitars-omni", Step("", (Finished("a</answer>b"),))),
        ("uitars-omni", Step("a</think>\n<answer>b", (Wait(),))),
        ("opencua", Step("one\n## Action:\ntwo", (Wait(),))),
    ],
)
def test_what_would_read_back_differently_is_refused(dialect: str, step: Step) -> None:
    with pytest.raises(RenderError):
        render(step, dialect)


def test_texts_that_look_like_markup_are_sayable_where_quotes_protect_them() -> None:
    text = "</computer_env>\nAction: click(start_box='(1,1)')\n```\n<think> \\n point= start_box='"
    for dialect in DIALECTS.keys() - {"uitars-xml"}:
        step = Step("typing", (Type(text),))
        assert parse(render(step, dialect), dialect) == step
    for dialect in ("uitars-xml", "uitars-omni"):
        step = Step("is it <computer_env> or <seed:tool_call>?", (Wait(),))
        assert parse(render(step, dialect), dialect) == step


FRAGMENTS = (
    *("Thought: ", "Action: ", "Action\uff1a", "Reflection: ", "Action_Summary: ", "</Output>"),
    *("<think>", "</think>", "<computer_env>", "</computer_env>", "<answer>", "</answer>"),
    *("<seed:tool_call>", "</seed:tool_call>", "<function=click>", "</function>"),
    *("<parameter=point>", "<parameter=content>", "</parameter>", "<point>1 2</point>", "(1,2)"),
    *("click(", "type(", "wait()", "hotkey(", "scroll(", "finished()", "drag(", "start_box="),
    *("content=", "key=", "end_box=", "direction=", "time=", "'", '"', "\\", "\\n", "\n", " "),
    *(",", ")", "(", "[", "]", "+", "-", "nan", "1e999", "\u0661", "0.5", "ctrl", "a"),
    *("```", "```python\n", "pyautogui.click(", "x=0.5, y=0.5", "pyautogui.write(", "computer."),
)
soup = st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A valid text with a piece cut out and another put in."""
    dialect = draw(st.sampled_from(sorted(DIALECTS)))
    action = draw(ACTIONS.filter(lambda a: sayable(a, dialect)))
    text = render(Step("think", (in_dialect(action, dialect),)), dialect)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 5)))
    return text[:start] + draw(soup | st.text(max_size=5)) + text[end:]


@pytest.mark.parametrize("dialect", DIALECTS)
@given(text=st.text() | soup | damaged() | st.text(st.characters(codec=None)))
def test_any_text_gives_a_step_or_a_parse_error(dialect: str, text: str) -> None:
    try:
        step = parse(text, dialect)
    except ParseError as error:
        assert 0 <= error.offset <= len(text)
        assert str(error.offset) in str(error)
        return
    extent = find(dialect).extent
    assert step.actions
    for action in step.actions:
        assert type(action) in NAMES
        for x, y in points(action):
            assert math.isfinite(x) and math.isfinite(y)
            assert 0 <= x <= (extent.width if extent else math.inf)
            assert 0 <= y <= (extent.height if extent else math.inf)


LONG = 100_000
ADVERSARIAL = {
    "thought": ("uitars", "Thought: " + "a" * LONG + "\nAction: wait()"),
    "content": ("uitars", "Action: type(content='" + "a" * LONG + "')"),
    "escapes": ("uitars", "Action: type(content='" + "\\'" * (LONG // 2) + "')"),
    "quotes": ("uitars", "Action: type(content='" + "'" * LONG + "')"),
    "closings": ("uitars", "Action: type(content='" + "')" * (LONG // 2)),
    "commas": ("uitars", "Action: type(content='" + "',a " * (LONG // 4)),
    "blanks": ("uitars", "Action: " + " " * LONG),
    "labels": ("uitars", "\nAction:```" * (LONG // 11)),
    "brackets": ("uitars", "Action: click(start_box=" + "(" * LONG),
    "digits": ("uitars", "Action: click(start_box='" + "1" * LONG + "')"),
    "numbers": ("uitars", "Action: click(start_box='" + "1 " * (LONG // 2) + "')"),
    "plus signs": ("uitars", "Action: hotkey(key='a" + "+" * LONG + "')"),
    "names": ("uitars", "Action: " + "q" * LONG + "()"),
    "arguments": ("uitars", f"Action: wait({','.join(f'a{i}=1' for i in range(LONG // 8))})"),
    "actions": ("uitars", "Action: " + "wait()\n" * (LONG // 7) + "x"),
    "lines": ("uitars", "\n " * (LONG // 2)),
    "tags": ("uitars", "</think> " * (LONG // 9) + "\nAction: wait()"),
    "fences": ("uitars", "\n```" * (LONG // 4) + "\nAction: wait()"),
    "functions": ("uitars-xml", "<seed:tool_call>" + "<function=wait></function>" * (LONG // 26)),
    "blocks": ("uitars-omni", "<computer_env>Action: wait()</computer_env>" * (LONG // 43)),
    "code": ("opencua", "```\n" + "computer.wait();" * (LONG // 16) + "x\n```"),
    "code fences": ("opencua", "```\n" * (LONG // 4)),
    "attributes": ("opencua", "```\na" + ".b" * (LONG // 2) + "()\n```"),
    "signs": ("opencua", "```\npyautogui.scroll(" + "-" * LONG + "1)\n```"),
    "nesting": ("opencua", "```\npyautogui.press(" + "[" * LONG + "\n```"),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_long_input(name: str) -> None:
    """Each takes milliseconds in linear time and minutes in quadratic time."""
    dialect, text = ADVERSARIAL[name]
    try:
        assert parse(text, dialect).actions
    except ParseError as error:
        assert len(str(error)) < 1500
