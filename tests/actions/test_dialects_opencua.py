"""pyautogui code: what is read, what is refused, and that nothing of it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from actions.dialects import ParseError, parse
from actions.space import (
    Action,
    Button,
    CallUser,
    Click,
    Direction,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Scroll,
    Step,
    Type,
    Wait,
)
from vision.geometry import Point

P, Q = Point(0.5, 0.25), Point(1, 0)


def code(lines: str) -> tuple[Action, ...]:
    """The actions of a block of code."""
    return parse(f"## Code:\n```python\n{lines}\n```", "opencua").actions


@pytest.mark.parametrize(
    ("lines", "actions"),
    [
        ("pyautogui.click(x=0.5, y=0.25)", [Click(P)]),
        ("pyautogui.click(0.5, 0.25)", [Click(P)]),
        ("import pyautogui\npyautogui.click(0.5, 0.25)", [Click(P)]),
        ("import pyautogui, time\npyautogui.click(0.5, 0.25)", [Click(P)]),
        ("pyautogui.click(0.5, 0.25, button='right')", [Click(P, Button.RIGHT)]),
        ("pyautogui.click(0.5, 0.25, clicks=3, interval=0.1)", [Click(P, count=3)]),
        ("pyautogui.doubleClick(0.5, 0.25)", [Click(P, count=2)]),
        ("pyautogui.tripleClick(0.5, 0.25)", [Click(P, count=3)]),
        ("pyautogui.rightClick(x=0.5, y=0.25)", [Click(P, Button.RIGHT)]),
        ("pyautogui.middleClick(x=0.5, y=0.25)", [Click(P, Button.MIDDLE)]),
        ("computer.triple_click(x=0.5, y=0.25)", [Click(P, count=3)]),
        ("pyautogui.moveTo(0.5, 0.25); pyautogui.click()", [Move(P), Click(P)]),
        ("pyautogui.moveTo(0.5, 0.25)\npyautogui.dragTo(1, 0)", [Drag(P, Q)]),
        (
            "pyautogui.click(0.5, 0.25)\npyautogui.dragTo(1, 0, button='right')",
            [Click(P), Drag(P, Q, Button.RIGHT)],
        ),
        ("pyautogui.mouseDown()\npyautogui.mouseUp(1, 0)", [MouseDown(), MouseUp(Q)]),
        ("pyautogui.scroll(-3)", [Scroll(Direction.DOWN, clicks=3)]),
        ("pyautogui.scroll(+3, x=0.5, y=0.25)", [Scroll(Direction.UP, P, 3)]),
        ("pyautogui.vscroll(3)", [Scroll(Direction.UP, clicks=3)]),
        ("pyautogui.hscroll(-2)", [Scroll(Direction.LEFT, clicks=2)]),
        ("pyautogui.hscroll(2)", [Scroll(Direction.RIGHT, clicks=2)]),
        ("pyautogui.write('a\\'b')", [Type("a'b")]),
        ("pyautogui.typewrite(message='''a\nb\n''', interval=0.1)", [Type("a\nb", submit=True)]),
        ("pyautogui.press('enter')", [Hotkey(("enter",))]),
        ("pyautogui.press(['down', 'down'])", [Hotkey(("down",))] * 2),
        ("pyautogui.press('tab', presses=3)", [Hotkey(("tab",))] * 3),
        ("pyautogui.hotkey('ctrl', 'C')", [Hotkey(("ctrl", "c"))]),
        ("pyautogui.hotkey(['ctrl', 'c'], interval=0.1)", [Hotkey(("ctrl", "c"))]),
        (
            "pyautogui.keyDown('shift')\npyautogui.keyUp('shift')",
            [KeyDown("shift"), KeyUp("shift")],
        ),
        ("computer.wait()", [Wait(20.0)]),
        ("time.sleep(2)", [Wait(2.0)]),
        ("pyautogui.sleep(0.5)", [Wait(0.5)]),
        ("computer.terminate(status='success', answer='42')", [Finished("42")]),
        ("computer.terminate()", [Finished()]),
        ("computer.terminate(status='failure')", [CallUser()]),
        ("pyautogui.write('C:\\dir')", [Type("C:\\dir")]),
    ],
)
def test_what_is_read(lines: str, actions: list[Action]) -> None:
    assert code(lines) == tuple(actions)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", "a call such as"),
        ("import os", "a call such as"),
        ("import pyautogui", "a call such as"),
        ("from pyautogui import click", "a call such as"),
        ("x = 1", "a call such as"),
        ("for i in range(3):\n    pyautogui.click(0.5, 0.5)", "a call such as"),
        ("if True: pyautogui.click(0.5, 0.5)", "a call such as"),
        ("pyautogui.click", "a call such as"),
        ("click(0.5, 0.5)", "a call of one of"),
        ("os.system('x')", "a call of one of"),
        ("pyautogui.alert('x')", "a call of one of"),
        ("pyautogui.screenshot('x')", "a call of one of"),
        ("pyautogui.__class__.click(0.5, 0.5)", "a call of one of"),
        ("pyautogui.click(0.5, 0.5)()", "a call of one of"),
        ("(lambda: pyautogui)().click(0.5, 0.5)", "a call of one of"),
        ("pyautogui.click(", "valid Python ('(' was never closed in line 1)"),
        ("pyautogui.click(0.5 0.5)", "valid Python"),
        ("pyautogui.write('\0')", "valid Python"),
        ("pyautogui.click(x=0.5)", "a number for y"),
        ("pyautogui.click()", "the arguments x and y"),
        ("pyautogui.dragTo(1, 0)", "pyautogui.moveTo(x, y) before"),
        ("pyautogui.click(0.5, 1.5)", "coordinates in 0..1 for x and 0..1 for y"),
        ("pyautogui.click(-0.5, 0.5)", "coordinates in 0..1"),
        ("pyautogui.click(960, 540)", "coordinates in 0..1"),
        ("pyautogui.click(1e999, 0.5)", "a number for x"),
        ("pyautogui.click(" + "9" * 400 + ", 0.5)", "a number for x"),
        ("pyautogui.click(0.25 + 0.25, 0.5)", "a literal value for x"),
        ("pyautogui.click('0.5', 0.5)", "a number for x"),
        ("pyautogui.click(True, 0.5)", "a literal value for x"),
        ("pyautogui.click(1j, 0.5)", "a literal value for x"),
        ("pyautogui.click(-'a', 0.5)", "a literal value for x"),
        ("pyautogui.click(width / 2, 0.5)", "a literal value for x"),
        ("pyautogui.click(*p)", "a literal value for x"),
        ("pyautogui.click(**p)", "pyautogui.click with each of"),
        ("pyautogui.click(0.5, 0.5, tween=1)", "pyautogui.click with each of"),
        ("pyautogui.click(0.5, 0.5, x=0.5)", "pyautogui.click with each of"),
        ("pyautogui.click(0, 0, 1, 0, 'left', 0, 7)", "at most 6 arguments"),
        ("pyautogui.click(0.5, 0.5, clicks=4)", "1 to 3 clicks"),
        ("pyautogui.click(0.5, 0.5, clicks=1.5)", "a whole number for clicks"),
        ("pyautogui.click(0.5, 0.5, button='big')", "a button"),
        ("pyautogui.scroll(0)", "a number of clicks that is not 0"),
        ("pyautogui.scroll()", "a number for clicks"),
        ("pyautogui.write('')", "a text that is not empty"),
        ("pyautogui.write(f'{x}')", "a literal value for message"),
        ("pyautogui.write(open('x').read())", "a literal value for message"),
        ("pyautogui.write(3)", "a string for message"),
        ("pyautogui.press('nokey')", "known keys"),
        ("pyautogui.press([])", "at least one key"),
        ("pyautogui.press(['a', 3])", "a literal value for keys"),
        ("pyautogui.press('a', presses=0)", "1 to 100 presses"),
        ("pyautogui.press('a', presses=10**9)", "a literal value for presses"),
        ("pyautogui.press('a', presses=1000000000)", "1 to 100 presses"),
        ("pyautogui.hotkey()", "at least one key"),
        ("pyautogui.keyDown(['a', 'b'])", "one key"),
        ("time.sleep(-1)", "seconds of at least 0"),
        ("computer.terminate(status='maybe')", "the status 'success' or 'failure'"),
        ("computer.terminate()\ncomputer.wait()", "no call behind computer.terminate"),
    ],
)
def test_what_is_refused(lines: str, expected: str) -> None:
    with pytest.raises(ParseError) as caught:
        code(lines)
    assert expected in caught.value.expected


def test_nothing_runs(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for lines in (
        f"open({str(trace)!r}, 'w')",
        f"pyautogui.write(open({str(trace)!r}, 'w').name)",
        f"pyautogui.click(x=open({str(trace)!r}, 'w'), y=0.5)",
    ):
        with pytest.raises(ParseError):
            code(lines)
    assert not trace.exists()


def test_an_error_points_at_its_place_also_behind_wide_characters() -> None:
    text = "## Code:\n```python\npyautogui.write('é漢🙂'); pyautogui.click(7, 0)\n```"
    with pytest.raises(ParseError) as caught:
        parse(text, "opencua")
    assert caught.value.offset == text.index("pyautogui.click")


def test_the_last_block_counts_and_headings_are_removed() -> None:
    text = (
        "# Step 3:\n## Thought:\nI could\n```python\npyautogui.click(0, 0)\n```\nbut no.\n\n"
        "## Action:\nWait a bit.\n\n## Code:\n```code\ncomputer.wait()\n```\n"
    )
    step = parse(text, "opencua")
    assert step.actions == (Wait(20.0),)
    assert step.thought == "I could\n```python\npyautogui.click(0, 0)\n```\nbut no.\nWait a bit."


def test_code_without_a_fence() -> None:
    assert parse("Thought: a\npyautogui.click(0.5, 0.25)", "opencua") == Step("a", (Click(P),))
    with pytest.raises(ParseError, match="a fenced block of pyautogui code"):
        parse("I click.", "opencua")
    with pytest.raises(ParseError, match="the end of the text behind the code"):
        parse("```\ncomputer.wait()\n```\nDone.", "opencua")
