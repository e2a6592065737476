"""Notations, labels, validity rules and error messages of the UI-TARS family."""

from __future__ import annotations

import pytest

from actions.dialects import DIALECTS, DialectError, ParseError, find, parse, render
from actions.space import (
    Action,
    Button,
    CallUser,
    Click,
    Drag,
    Finished,
    Hotkey,
    LongPress,
    Move,
    Navigate,
    NavigateBack,
    OpenApp,
    OpenComputer,
    Select,
    Step,
    Swipe,
    Type,
    Wait,
)
from vision.geometry import THOUSAND, UNIT, Point

WAIT = "Action: wait()"


@pytest.mark.parametrize(
    ("box", "point"),
    [
        ("(10,20)", (10, 20)),
        ("( 10 , 20 )", (10, 20)),
        ("(10.5, 20)", (10.5, 20)),
        ("(10, 20, 30, 40)", (20, 30)),
        ("[10, 20, 30, 41]", (20, 30.5)),
        ("[10,20]", (10, 20)),
        ("10, 20, 30, 40", (20, 30)),
        ("10 20", (10, 20)),
        ("<|box_start|>(10,20)<|box_end|>", (10, 20)),
        ("<|box_start|>(10,20),(30,40)<|box_end|>", (20, 30)),
        ("<bbox>10 20 30 40</bbox>", (20, 30)),
        ("<bbox>10 20</bbox>", (10, 20)),
        ("<point>10 20</point>", (10, 20)),
        ("<point>10 20<point>", (10, 20)),
        ("<point>10,20<point>", (10, 20)),
        ("<point>10 20</point>'", (10, 20)),
        ("(0,1000)", (0, 1000)),
        ("(1e2,+2.)", (100, 2)),
    ],
)
def test_notations_of_points(box: str, point: tuple[float, float]) -> None:
    for quote in "'\"":
        for name in ("start_box", "point", "start_point", "start_position"):
            text = f"{WAIT}\nclick({name}={quote}{box}{quote})"
            assert parse(text).actions[1:] == (Click(Point(*point)),)


def test_values_without_quotes() -> None:
    assert parse("click(start_box=(1, 2))").actions == (Click(Point(1, 2)),)
    assert (
        parse("scroll(direction=down, start_box=[1, 2])").actions[0]
        == parse("scroll(start_box='(1,2)', direction='down')").actions[0]
    )
    assert parse("wait(time=2.5)").actions == (Wait(2.5),)


@pytest.mark.parametrize(
    ("call", "action"),
    [
        ("left_click(start_box='(1,2)')", Click(Point(1, 2))),
        ("left_single(start_box='(1,2)')", Click(Point(1, 2))),
        ("double_click(start_box='(1,2)')", Click(Point(1, 2), count=2)),
        ("left_double(start_box='(1,2)')", Click(Point(1, 2), count=2)),
        ("right_click(start_box='(1,2)')", Click(Point(1, 2), Button.RIGHT)),
        ("right_single(start_box='(1,2)')", Click(Point(1, 2), Button.RIGHT)),
        ("middle_click(start_box='(1,2)')", Click(Point(1, 2), Button.MIDDLE)),
        ("hover(point='(1,2)')", Move(Point(1, 2))),
        ("moveto(point='(1,2)')", Move(Point(1, 2))),
        ("mouse_move(point='(1,2)')", Move(Point(1, 2))),
        ("left_click_drag(start_box='1,2', end_box='3,4')", Drag(Point(1, 2), Point(3, 4))),
        ("drag(start_point='1,2', end_point='3,4')", Drag(Point(1, 2), Point(3, 4))),
        ("select(start_box='1,2', end_box='3,4')", Drag(Point(1, 2), Point(3, 4))),
        ("select(start_box='1,2')", Select(Point(1, 2))),
        ("scroll(start_box='1,2', end_box='3,4')", Swipe(Point(1, 2), Point(3, 4))),
        ("swipe(start_box='1,2', end_box='3,4')", Swipe(Point(1, 2), Point(3, 4))),
        ("type(text='a', start_box='(1,2)')", Type("a", point=Point(1, 2))),
        ("type(input_text='a')", Type("a")),
        ("hotkey(hotkey='ctrl c')", Hotkey(("ctrl", "c"))),
        ("hotkey(keyname='Return')", Hotkey(("enter",))),
        ("open(name='Maps')", OpenApp("Maps")),
        ("long_press(start_box='(1,2)', time='3')", LongPress(Point(1, 2), 3.0)),
        ("wait(duration='3')", Wait(3.0)),
        ("navigate(content='https://example.org')", Navigate("https://example.org")),
        ("navigate_back()", NavigateBack()),
        ("open_computer()", OpenComputer()),
        ("finished()", Finished()),
        ("finished(content='')", Finished()),
        ("call_user(content='log in, please')", CallUser("log in, please")),
    ],
)
def test_synonyms_of_actions_and_arguments(call: str, action: Action) -> None:
    assert parse(f"Action: {call}").actions == (action,)


@pytest.mark.parametrize(
    ("text", "thought"),
    [
        (f"Thought: a b\n{WAIT}", "a b"),
        (f"Thought: a\n\nb\n\n{WAIT}", "a\n\nb"),
        (f"Thought\uff1aa\n{WAIT.replace(':', chr(0xFF1A))}", "a"),
        (f"Thought: a. {WAIT}", "a."),
        (f"a\n{WAIT}", "a"),
        ("Thought: a\nwait()", "a"),
        (WAIT, ""),
        ("wait()", ""),
        (f"Reflection: a\nAction_Summary: b\n{WAIT}", "a\nb"),
        (f"Action_Summary: b\n{WAIT}", "b"),
        (f"<Thought>a</Thought>\nAction_Summary: b\n{WAIT}\n</Output>", "a\nb"),
        (f"<think>\na\n</think>\nThought: b\n{WAIT}", "a\nb"),
        (f"Thought: the label Action: is here\n{WAIT}", "the label Action: is here"),
        (f"Thought: click(start_box='(1,2)')\n{WAIT}", "click(start_box='(1,2)')"),
        (f"Thought: or Action: click() maybe\n{WAIT}", "or Action: click() maybe"),
    ],
)
def test_labels(text: str, thought: str) -> None:
    assert parse(text) == Step(thought, (Wait(),))


@pytest.mark.parametrize("gap", ["\n", "\n\n", "\n\n\n", "\n  ", ";\n", "\n\nAction: ", "\r\n"])
def test_several_actions(gap: str) -> None:
    text = f"Action: click(start_box='(1,2)'){gap}type(content='a'){gap}wait()"
    assert parse(text).actions == (Click(Point(1, 2)), Type("a"), Wait())


def test_a_text_that_looks_like_the_next_action_stays_text_when_it_is_escaped() -> None:
    text = r"Action: type(content='\')\nclick(start_box=\'(1,1)\')')"
    assert parse(text).actions == (Type("')\nclick(start_box='(1,1)')"),)


def test_an_unescaped_quote_never_swallows_the_next_line() -> None:
    with pytest.raises(ParseError, match=r"such as click.* found '\.'"):
        parse("Action: type(content='a').")
    with pytest.raises(ParseError, match=r"found \"\.\\nclick"):
        parse("Action: type(content='a').\nclick(start_box='(1,2)')")


@pytest.mark.parametrize(
    ("text", "offset", "expected"),
    [
        ("", 0, "a line 'Action: ...'"),
        ("Thought: hm", 11, "a line 'Action: ...'"),
        ("Action: ", 8, "an action such as click(start_box='(x,y)')"),
        ("Action: jump()", 8, "did you mean"),
        ("Action: clik(start_box='(1,2)')", 8, "(did you mean click?)"),
        ("Action: os.system('x')", 8, "an action such as"),
        ("Action: click('(1,2)')", 14, "an argument such as start_box='...', or )"),
        ("Action: click()", 14, "click with the argument start_box"),
        ("Action: click(start_box='(1,2)'", 31, "a closing ' and )"),
        ("Action: click(start_box='(1,2)", 30, "a closing ' and )"),
        ("Action: click(start_box=(1,2)", 29, "a value and )"),
        ("Action: click(start_box='')", 25, "2 numbers (a point) or 4 numbers (a box), not 0"),
        ("Action: click(start_box='=')", 25, "a number"),
        ("Action: click(start_box='(1)')", 25, "not 1"),
        ("Action: click(start_box='(1,2,3)')", 25, "not 3"),
        ("Action: click(start_box='(,2)')", 26, "a number"),
        ("Action: click(start_box='(1,,2)')", 28, "a number"),
        ("Action: click(start_box='(1,2,)', end='')", 39, "click without the argument end"),
        ("Action: click(start_box='(1,1001)')", 28, "0..1000 for x and 0..1000 for y"),
        ("Action: click(start_box='(-5,1)')", 26, "0..1000 for x"),
        ("Action: click(start_box='(1px,2)')", 26, "a number"),
        ("Action: click(point='(1,2)', point='(1,2)')", 29, "the argument point only once"),
        ("Action: click(point='(1,2)', start_box='(1,2)')", 40, "click with one start, not two"),
        ("Action: type(content='')", 22, "type with a content that is not empty"),
        ("Action: type()", 13, "type with the argument content"),
        ("Action: hotkey(key='')", 20, "at least one key name"),
        ("Action: hotkey(key='ctrl hyperx')", 20, "known keys (expected a key name"),
        ("Action: press(key='ctrl c')", 19, "one key for press, not 2"),
        ("Action: scroll(direction='sideways')", 26, "one direction: up, down, left or right"),
        ("Action: scroll()", 15, "one direction"),
        ("Action: scroll(end_box='(1,2)')", 30, "scroll with a direction, or with start_box"),
        ("Action: mouse_down(button='big')", 27, "a button: left, middle or right"),
        ("Action: wait(time='-1')", 19, "a number of seconds of at least 0"),
        ("Action: wait(time='nan')", 19, "a number of seconds"),
        ("Action: wait(time='soon')", 19, "a number of seconds"),
        ("Action: wait(x='1')", 16, "wait without the argument x"),
        ("Action: finished()\nwait()", 19, "no action behind finished or call_user"),
        ("Action: call_user()\nfinished()", 20, "no action behind finished or call_user"),
        ("Action: wait() and more", 15, "an action such as"),
        ("Action: wait()\n</think>", 15, "another action or the end of the text"),
    ],
)
def test_errors_say_what_was_expected_where_and_what_stood_there(
    text: str, offset: int, expected: str
) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text)
    error = caught.value
    assert error.offset == offset
    assert expected in error.expected
    assert str(error) == f"expected {error.expected} at character {offset}, found {error.found}"
    found = repr(text[offset : offset + 40]) if offset < len(text) else "the end of the text"
    assert error.found == found


def test_dialects_state_their_extent() -> None:
    extents = {name: dialect.extent for name, dialect in DIALECTS.items()}
    assert extents == {
        **dict.fromkeys(("uitars", "uitars-box", "uitars-point"), THOUSAND),
        **dict.fromkeys(("uitars-xml", "uitars-omni"), THOUSAND),
        **{"uitars-absolute": None, "opencua": UNIT, "opencua-absolute": None},
    }


def test_absolute_pixels_have_no_upper_bound_but_are_checked() -> None:
    text = "Action: click(start_box='(1970,1085)')"
    assert parse(text, "uitars-absolute").actions == (Click(Point(1970, 1085)),)
    for bad in ("(-1,5)", "(1e999,5)"):
        with pytest.raises(ParseError, match="pixels >= 0"):
            parse(f"Action: click(start_box='{bad}')", "uitars-absolute")


def test_an_unknown_dialect_lists_the_known_ones() -> None:
    with pytest.raises(DialectError, match=r"uitars, uitars-box, .*, actually: 'klingon'"):
        find("klingon")


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("uitars", "click(start_box='(1,2)')"),
        ("uitars-box", "click(start_box='<|box_start|>(1,2)<|box_end|>')"),
        ("uitars-point", "click(point='<point>1 2</point>')"),
        ("uitars-absolute", "click(start_box='(1,2)')"),
    ],
)
def test_what_each_label_dialect_writes(dialect: str, text: str) -> None:
    step = Step("I see.", (Click(Point(1, 2)), Type("it's\n", submit=True)))
    expected = f"Thought: I see.\nAction: {text}\n\ntype(content='it\\'s\\n\\n')"
    assert render(step, dialect) == expected


def test_what_the_seed_dialect_writes_and_reads() -> None:
    step = Step("I see.", (Drag(Point(1, 2), Point(3, 4)), Type("<b>&amp;\\n", submit=True)))
    text = (
        "<think>I see.</think>\n<seed:tool_call>\n<function=drag>\n"
        "<parameter=start_point><point>1 2</point></parameter>\n"
        "<parameter=end_point><point>3 4</point></parameter>\n</function>\n"
        "<function=type>\n<parameter=content><b>&amp;\\n\n</parameter>\n</function>\n"
        "</seed:tool_call>"
    )
    assert render(step, "uitars-xml") == text
    assert parse(text, "uitars-xml") == step


def test_seed_variants() -> None:
    text = (
        '<seed:tool_call><function name="type"><parameter name="content" string="true"> a '
        "</parameter></function></seed:tool_call>\n<seed:tool_call><function=wait>\n"
        "<parameter=time>2</parameter></function></seed:tool_call>\n"
    )
    assert parse(text, "uitars-xml").actions == (Type(" a "), Wait(2.0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Action: wait()", "<seed:tool_call> with a function"),
        ("<seed:tool_call></seed:tool_call>", "at least one action"),
        ("<seed:tool_call><function=wait>", "<parameter=NAME> or </function>"),
        ("<seed:tool_call>wait()</seed:tool_call>", "<function=NAME> or </seed:tool_call>"),
        ("<seed:tool_call><function=wait></function>", "<function=NAME> or </seed:tool_call>"),
        ("<seed:tool_call><function=type><parameter=content>a", "</parameter>"),
        (
            "<seed:tool_call><function=wait></function></seed:tool_call> and",
            "<seed:tool_call> or the end of the text",
        ),
        (
            "<seed:tool_call><function=wait><parameter=time>1</parameter>"
            "<parameter=time>2</parameter></function></seed:tool_call>",
            "the parameter time only once",
        ),
    ],
)
def test_seed_errors(text: str, expected: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text, "uitars-xml")
    assert expected in caught.value.expected


def test_omni_blocks() -> None:
    text = (
        "<think>a</think>\n<computer_env>\nAction: click(point='<point>1 2</point>')\n"
        "</computer_env>\n<answer>\nIt's \\n 2.\n</answer>\n"
    )
    expected = Step("a", (Click(Point(1, 2)), Finished("It's \\n 2.")))
    assert parse(text, "uitars-omni") == expected
    assert render(expected, "uitars-omni") == text.strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Action: wait()", "<computer_env> or <answer>"),
        ("<think>a</think><code_env>ls</code_env>", "there is no code_env"),
        ("<computer_env>wait()", "</computer_env>"),
        ("<answer>a", "</answer>"),
        ("<computer_env></computer_env>", "at least one action"),
        ("<answer>a</answer><answer>b</answer>", "no action behind finished"),
        ("<answer>a</answer> b", "<computer_env> or <answer>"),
    ],
)
def test_omni_errors(text: str, expected: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text, "uitars-omni")
    assert expected in caught.value.expected
