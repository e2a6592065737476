"""One test for each bug of the published UI-TARS parsers that ours must not have.

The numbers are those of the findings: P1..P13 for the Python package, T1..T9 for the TypeScript
parsers, X1..X4 for their XML forms, S1..S4 for the operators' handling of what was parsed.
"""

from __future__ import annotations

import ast
import inspect
from types import ModuleType

import pytest

import actions.dialects
from actions.dialects import (
    ParseError,
    RenderError,
    base,
    code_reader,
    code_writer,
    errors,
    forms,
    labels,
    omni,
    opencua,
    parse,
    phrases,
    points,
    render,
    scanner,
    seed,
    uitars,
)
from actions.space import (
    Button,
    CallUser,
    Click,
    Direction,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    MouseDown,
    MouseUp,
    Move,
    OpenApp,
    PressBack,
    PressHome,
    Scroll,
    Step,
    Type,
    Wait,
    on_points,
)
from vision.geometry import Box, CoordinateMap, Point, Size

MODULES = (
    *(actions.dialects, base, code_reader, code_writer, errors, forms, labels, omni, opencua),
    *(phrases, points, scanner, seed, uitars),
)
SCREEN = CoordinateMap(Box(0, 0, 1000, 1000), Size(1000, 1000))


def content(text: str) -> str:
    """What is typed when a model writes this between the quotes of `content`."""
    (action,) = parse(f"Action: type(content='{text}')").actions
    assert isinstance(action, Type)
    return action.text


def test_p1_a_click_lands_where_it_was_written_not_at_a_thousandth() -> None:
    (click,) = parse("Action: click(point='<point>100 200</point>')").actions
    assert on_points(click, SCREEN.to_screen) == Click(Point(100, 200))


def test_p2_scrolling_is_scaled_and_goes_in_four_directions() -> None:
    for direction in Direction:
        (scroll,) = parse(f"Action: scroll(start_box='(500,500)', direction='{direction}')").actions
        assert scroll == Scroll(direction, Point(500, 500))


def test_p3_a_thought_is_only_text() -> None:
    thought = "it says '''\nimport os\nos.remove('x')\n''' here"
    step = parse(f"Thought: {thought}\nAction: wait()")
    assert step == Step(thought, (Wait(),))


@pytest.mark.parametrize("module", MODULES)
def test_p4_nothing_evaluates_text(module: ModuleType) -> None:
    calls = [
        node.func.id
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    assert not {"eval", "exec", "compile", "__import__", "getattr"} & set(calls)


@pytest.mark.parametrize("value", ["(print('PWNED'),500)", "__import__('os')", "(1+1,2)"])
def test_p4_code_in_place_of_a_point_is_refused(value: str) -> None:
    with pytest.raises(ParseError, match="expected a number"):
        parse(f'Action: click(start_box="{value}")')


def test_p5_content_is_data() -> None:
    assert content(r"\\\');print(1)#") == r"\');print(1)#"
    with pytest.raises(ParseError):
        content(r"\\');print(1)#")
    assert content("two\nlines") == "two\nlines"
    assert content("back\\\\") == "back\\"
    assert content(r"Jason\n") == "Jason"
    assert parse(r"Action: type(content='Jason\n')").actions == (Type("Jason", submit=True),)


def test_p6_escapes_are_undone_once_and_enter_is_pressed_once() -> None:
    assert content(r"it\'s") == "it's"
    assert parse(r"Action: type(content='it\'s\n')").actions == (Type("it's", submit=True),)


def test_p7_finished_keeps_the_actions_before_it() -> None:
    step = parse("Action: click(start_box='(1,2)')\n\nfinished(content='done')")
    assert step.actions == (Click(Point(1, 2)), Finished("done"))


def test_p8_every_action_is_known() -> None:
    text = "\n".join(
        (
            "Action: wait()",
            "move_to(point='<point>1 2</point>')",
            "mouse_down(point='<point>1 2</point>', button='right')",
            "mouse_up()",
            "long_press(start_box='(1,2)', time='')",
            "open_app(app_name='Maps')",
            "press_home()",
            "press_back()",
            "press(key='ctrl')",
            "release(key='ctrl')",
            "call_user()",
        )
    )
    assert parse(text).actions == (
        *(Wait(), Move(Point(1, 2)), MouseDown(Point(1, 2), Button.RIGHT), MouseUp()),
        *(LongPress(Point(1, 2)), OpenApp("Maps"), PressHome(), PressBack()),
        *(KeyDown("ctrl"), KeyUp("ctrl"), CallUser()),
    )


def test_p8_arrow_names_are_known_inside_combinations() -> None:
    assert parse("Action: hotkey(key='ctrl arrowleft')").actions == (Hotkey(("ctrl", "left")),)


@pytest.mark.parametrize(
    "text",
    [
        "checkpoint=ok",
        "start_point=1, end_point=2",
        "<point>3 4</point>",
        "Action: click",
        "[EOS]",
        "print('x')",
        'say "hi"',
        "<|box_start|>(1,2)<|box_end|>",
    ],
)
def test_p9_content_is_never_rewritten(text: str) -> None:
    assert content(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Action: click(start_box='<|box_start|>(1,2)<|box_end|>')",
        "Action: click(start_box='[1,2]')",
        "Action: click(start_box='<bbox>1 2 1 2</bbox>')",
        "Action: click(start_box='<point>1.0 2.0</point>')",
        "Action:click(start_box='(1,2)')",
        "Action\uff1aclick(start_box='(1,2)')",
        "click(start_box='(1,2)')",
    ],
)
def test_p10_notations_that_were_rejected(text: str) -> None:
    assert parse(text).actions == (Click(Point(1, 2)),)


def test_p10_texts_that_were_rejected() -> None:
    assert parse('Action: type(content="a")').actions == (Type("a"),)
    assert parse("Action: wait()\nwait()").actions == (Wait(), Wait())
    assert content("a\n\nb") == "a\n\nb"
    assert parse("Action: finished(content='it's done')").actions == (Finished("it's done"),)


@pytest.mark.parametrize("value", ["(-1,2)", "(1,1001)", "(0.5,1e999)", "(nan,1)", "(inf,1)"])
def test_p11_the_range_is_checked(value: str) -> None:
    with pytest.raises(ParseError):
        parse(f"Action: click(start_box='{value}')")


def test_p12_words_for_truth_do_not_become_numbers_and_errors_are_raised() -> None:
    with pytest.raises(ParseError, match="expected a number"):
        parse("Action: click(start_box='(false,true)')")
    with pytest.raises(ParseError, match="expected click without the argument submit"):
        parse("Action: click(start_box='(1,2)', submit='false')")


def test_p13_the_public_names_stay() -> None:
    assert {"parse", "render", "ParseError", "RenderError"} <= set(actions.dialects.__all__)


def test_t1_an_escaped_quote_does_not_end_the_text() -> None:
    assert content(r"It\'s me, ok") == "It's me, ok"
    assert content(r"it\'s 你好, a=b\n") == "it's 你好, a=b"


def test_t2_double_quoted_values_are_not_split_at_commas() -> None:
    assert parse('Action: click(start_box="(100,200)")').actions == (Click(Point(100, 200)),)


def test_t3_a_blank_line_in_content_is_content() -> None:
    assert parse("Action: type(content='a\n\nb')").actions == (Type("a\n\nb"),)


def test_t4_actions_on_single_lines_stay_apart() -> None:
    text = "Action: click(start_box='(1,2)')\nclick(start_box='(3,4)')"
    assert parse(text).actions == (Click(Point(1, 2)), Click(Point(3, 4)))


def test_t5_a_word_for_a_number_is_an_error() -> None:
    with pytest.raises(ParseError, match=r"expected a number at character 26, found \"abc,2"):
        parse("Action: click(start_box='(abc,2)')")


@pytest.mark.parametrize(
    "text",
    [
        "Action: wait()\n```",
        "```\nThought: a\nAction: wait()\n```",
        "```python\nwait()\n```",
        "Action: ```wait()```",
        "Thought: a\n```\nAction: wait()\n```\n",
    ],
)
def test_t6_code_fences_are_not_actions(text: str) -> None:
    step = parse(text)
    assert step.actions == (Wait(),)
    assert "`" not in step.thought


def test_t7_failure_is_an_error_not_an_empty_action() -> None:
    for text in ("", "Thought: nothing", "Action:", "Action: jump()", "Action: click("):
        with pytest.raises(ParseError):
            parse(text)


def test_t8_escapes_are_undone() -> None:
    assert content(r"a\nb") == "a\nb"
    assert content(r"C:\\temp\dir \"q\"") == 'C:\\temp\\dir "q"'


def test_t9_an_end_without_a_start_is_refused() -> None:
    with pytest.raises(ParseError, match="expected click without the argument end_box"):
        parse("Action: click(end_box='[130,226]')")


CLICK = "<function=click>\n<parameter=point><point>{} {}</point></parameter>\n</function>\n"


def test_x1_two_functions_of_one_name_stay_two() -> None:
    text = f"<seed:tool_call>\n{CLICK.format(1, 2)}{CLICK.format(3, 4)}</seed:tool_call>"
    assert parse(text, "uitars-xml").actions == (Click(Point(1, 2)), Click(Point(3, 4)))


def test_x2_the_order_of_functions_is_kept() -> None:
    wait = "<function=wait></function>"
    text = f"<seed:tool_call>{CLICK.format(1, 2)}{wait}{CLICK.format(3, 4)}</seed:tool_call>"
    expected = (Click(Point(1, 2)), Wait(), Click(Point(3, 4)))
    assert parse(text, "uitars-xml").actions == expected


def test_x3_a_number_as_content_is_text() -> None:
    text = (
        "<seed:tool_call><function=type><parameter=content>123</parameter></function>"
        "</seed:tool_call>"
    )
    assert parse(text, "uitars-xml").actions == (Type("123"),)


def test_x4_no_known_function_is_skipped_and_no_unknown_one() -> None:
    for name in ("left_double", "right_single", "move_to"):
        text = f"<seed:tool_call>{CLICK.format(1, 2).replace('click', name)}</seed:tool_call>"
        assert len(parse(text, "uitars-xml").actions) == 1
    with pytest.raises(ParseError, match="expected an action of click"):
        parse("<seed:tool_call><function=jump></function></seed:tool_call>", "uitars-xml")


def test_s1_only_the_last_newline_presses_enter_and_white_space_is_kept() -> None:
    (action,) = parse(r"Action: type(content=' Hello\nWorld \n')").actions
    assert action == Type(" Hello\nWorld ", submit=True)


def test_s2_zero_is_a_coordinate() -> None:
    text = "Action: drag(start_box='(0,0)', end_box='(0,5)')\nclick(start_box='(0,0)')"
    assert parse(text).actions == (Drag(Point(0, 0), Point(0, 5)), Click(Point(0, 0)))


def test_s3_keys_may_be_joined_by_plus_signs() -> None:
    for keys in ("ctrl c", "ctrl+c", "ctrl + c", "Ctrl+C"):
        assert parse(f"Action: hotkey(key='{keys}')").actions == (Hotkey(("ctrl", "c")),)
    for keys in ("ctrl +", "ctrl++", "ctrl plus"):
        assert parse(f"Action: hotkey(key='{keys}')").actions == (Hotkey(("ctrl", "+")),)


def test_s4_what_a_dialect_cannot_say_is_refused_not_dropped() -> None:
    with pytest.raises(RenderError, match="3 clicks"):
        render(Step("", (Click(Point(1, 1), count=3),)))
    with pytest.raises(RenderError, match="no words for PressHome"):
        render(Step("", (PressHome(),)), "opencua")
