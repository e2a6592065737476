"""The published cases of the UI-TARS parsers, checked against our structure.

Their expected values are those parsers' own; `as_ours` translates them. Where we mean to differ,
the case is listed with our result and the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actions.dialects import ParseError, parse
from actions.space import (
    Action,
    Button,
    Click,
    Direction,
    Drag,
    Finished,
    Hotkey,
    OpenComputer,
    Scroll,
    Type,
    Wait,
    on_points,
)
from vision.geometry import Point

DATA = Path(__file__).parent.parent / "data" / "uitars_parser_cases.json"
CASES: dict[str, dict[str, Any]] = {case["id"]: case for case in json.loads(DATA.read_text())}

ERROR = "ParseError"

OUR_ACTIONS: dict[str, tuple[object, str]] = {
    "c10": (ERROR, "a click without coordinates is an error, not a click nowhere"),
    "c11": (ERROR, "a click without coordinates is an error, not a click nowhere"),
    "c13": ((Click(Point(100, 200)),), "upstream loses y of a double-quoted box"),
    "c16": (ERROR, "an empty action is an error, not an action of type ''"),
    "c21": ((Type("doubao.com", submit=True),), "a trailing newline presses Enter"),
    "c23": (ERROR, "a reply without an action is an error, not an action of type ''"),
    "c24": (
        (Click(Point(100, 100)), Type("doubao.com")),
        "upstream loses the action in front of a second label",
    ),
    "c30": (ERROR, "a click has no end; upstream keeps an argument that nothing can perform"),
    "c48": ((Click(Point(200, 300)),), "upstream divides by another model's image size"),
}
OUR_THOUGHTS: dict[str, tuple[str, str]] = {
    "c03": (
        "This is a reflection\nThis is a summary",
        "one field: reflection and summary in order",
    ),
    "c05": (
        "I need to perform this action\nClick and type text",
        "parts are joined without upstream's made-up tag",
    ),
    "c20": (
        CASES["c20"]["expected"]["parsed"][0]["reflection"]
        + "\n"
        + CASES["c20"]["expected"]["parsed"][0]["thought"],
        "one field: reflection and summary in order",
    ),
    "c07": (
        CASES["c07"]["input"].partition("<think>\n")[2].partition("\n</think>")[0]
        + "\n"
        + CASES["c07"]["expected"][0]["thought"],
        "upstream throws the <think> block away",
    ),
    "c29": (
        "I need to perform this action\nClick and type text",
        "parts are joined by a newline, not by a comma",
    ),
    "c33": (
        CASES["c33"]["input"].partition("<thinkt>")[2].partition("</thinkt>")[0],
        "upstream moves the <point> of the thought to its front",
    ),
}
NOT_TEXT = ("c42", "c43", "c44", "c45", "c46")
"""OpenAI function-call JSON: part of a provider's API, not a text dialect."""
BARE_POINTS = ("c38", "c39", "c40", "c41")
"""A bare coordinate: we read it as the value of a click."""
REPLIES = sorted(CASES.keys() - {*NOT_TEXT, *BARE_POINTS})


def dialect_of(text: str) -> str:
    """Which of our dialects a case is written in."""
    if "<function" in text:
        return "uitars-xml"
    return "uitars-omni" if "<computer_env>" in text or "<answer>" in text else "uitars"


def expected_list(case: dict[str, Any]) -> list[dict[str, Any]]:
    """Upstream's actions, whichever of its three shapes the case uses."""
    expected = case["expected"]
    if isinstance(expected, dict) and "function" in expected:
        x, y = re.findall(r"\d+", expected["args"]["point"])
        raw = {"point": {"raw": {"x": int(x), "y": int(y)}}}
        return [{"type": expected["function"], "inputs": raw}]
    if isinstance(expected, dict):
        expected = expected.get("parsed", expected.get("actions"))
    assert isinstance(expected, list)
    return expected


def as_ours(item: dict[str, Any], case: dict[str, Any]) -> Action:
    """One upstream action as one of ours."""
    kind: str = item.get("action_type") or item["type"]
    inputs: dict[str, Any] = item["action_inputs" if "action_type" in item else "inputs"]

    def point(name: str) -> Point:
        if isinstance(inputs[name], dict):
            return Point(inputs[name]["raw"]["x"], inputs[name]["raw"]["y"])
        width, height = case.get("options", {}).get("factors", (1000, 1000))
        left, top, right, bottom = json.loads(inputs[name])
        return Point((left + right) / 2 * width, (top + bottom) / 2 * height)

    def place() -> Point:
        return point("start_box" if "start_box" in inputs else "point")

    has_place = "start_box" in inputs or "point" in inputs
    builders: dict[str, Callable[[], Action]] = {
        "click": lambda: Click(place()),
        "left_double": lambda: Click(place(), Button.LEFT, 2),
        "drag": lambda: Drag(place(), point("end_box")),
        "type": lambda: Type(
            inputs["text" if "text" in inputs else "content"], point=place() if has_place else None
        ),
        "scroll": lambda: Scroll(Direction(inputs["direction"]), place() if has_place else None),
        "hotkey": lambda: Hotkey(tuple(inputs["key"].split())),
        "wait": lambda: Wait(),
        "open_computer": lambda: OpenComputer(),
        "finished": lambda: Finished(inputs["content"]),
    }
    return builders[kind]()


def rounded(action: Action) -> Action:
    """Upstream's numbers went through a division; compare to a millionth."""
    return on_points(action, lambda p: Point(round(p.x, 6), round(p.y, 6)))


def test_there_are_48_cases_and_each_is_accounted_for() -> None:
    assert len(CASES) == 48
    assert {*OUR_ACTIONS, *OUR_THOUGHTS, *NOT_TEXT, *BARE_POINTS} <= CASES.keys()


@pytest.mark.parametrize("name", REPLIES)
def test_actions(name: str) -> None:
    case = CASES[name]
    text = case["input"]
    ours, reason = OUR_ACTIONS.get(name, (None, ""))
    theirs_is_error = isinstance(case["expected"], dict) and "errorMessage" in case["expected"]
    if ours == ERROR or theirs_is_error:
        with pytest.raises(ParseError):
            parse(text, dialect_of(text))
        return
    expected = ours or tuple(rounded(as_ours(item, case)) for item in expected_list(case))
    actions = parse(text, dialect_of(text)).actions
    assert tuple(rounded(action) for action in actions) == expected, reason


@pytest.mark.parametrize("name", sorted(OUR_ACTIONS))
def test_a_listed_difference_is_one(name: str) -> None:
    """A case that agrees with upstream must not stay in the list."""
    ours, _ = OUR_ACTIONS[name]
    try:
        theirs = tuple(as_ours(item, CASES[name]) for item in expected_list(CASES[name]))
    except (KeyError, ValueError):
        return
    assert ours != theirs


@pytest.mark.parametrize("name", REPLIES)
def test_thoughts(name: str) -> None:
    case = CASES[name]
    text = case["input"]
    try:
        thought = parse(text, dialect_of(text)).thought
    except ParseError:
        return
    if name in OUR_THOUGHTS:
        expected, reason = OUR_THOUGHTS[name]
        assert thought == expected, reason
    elif isinstance(case["expected"], dict) and "actions" in case["expected"]:
        assert thought == case["expected"].get("reasoningContent", "")
    elif "thought" in (first := expected_list(case)[0]):
        assert thought == first["thought"]


@pytest.mark.parametrize("name", BARE_POINTS)
def test_bare_points(name: str) -> None:
    case = CASES[name]
    text = f"Action: click(start_box='{case['input']}')"
    if "throws" in case["expected"]:
        with pytest.raises(ParseError):
            parse(text)
    else:
        raw = case["expected"]["raw"]
        assert parse(text).actions == (Click(Point(raw["x"], raw["y"])),)


@pytest.mark.parametrize("name", NOT_TEXT)
def test_function_call_json_is_not_a_dialect(name: str) -> None:
    with pytest.raises(ParseError):
        parse(str(CASES[name]["input"]))
