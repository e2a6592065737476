"""POST /v1/act: the native API."""

from __future__ import annotations

from typing import Any

import pytest

from actions.codec import from_dict
from actions.space import (
    Action,
    Click,
    Direction,
    Drag,
    Finished,
    Hotkey,
    MouseUp,
    Scroll,
    Step,
    Type,
    Wait,
)
from agent.policies.base import Decision, Observation, PolicyError
from tests.server.conftest import TEXT, Door, Open, ScriptedPolicy, picture
from vision.geometry import THOUSAND, CoordinateMap, Point, Size


def deciding(*actions: Action, extent: Size = THOUSAND) -> ScriptedPolicy:
    def rule(observation: Observation) -> Decision:
        frame = observation.frame
        space = CoordinateMap(frame.box, Size(frame.width, frame.height), extent)
        return Decision("said", space, Step("thought", actions))

    return ScriptedPolicy(rule)


def test_the_answer_has_exactly_the_documented_form(door: Door) -> None:
    answer = door.act(screenshot=picture(400, 300))
    assert answer.status_code == 200
    assert answer.json() == {
        "text": TEXT,
        "thought": "the button is in the middle",
        "actions": [{"type": "click", "point": [200, 150], "button": "left", "count": 1}],
        "confidence": 0.75,
        "usage": {"prompt_tokens": 300, "cached_tokens": 200, "completion_tokens": 20},
        "timing": {"encode_ms": 1.5, "prefill_ms": 2.5, "decode_ms": 3.5, "total_ms": 7.5},
    }


@pytest.mark.parametrize("size", [(28, 28), (1366, 768), (3840, 2160)])
def test_points_are_pixels_of_the_screenshot_that_was_sent(
    open_door: Open, size: tuple[int, int]
) -> None:
    corners = (Click(Point(0, 0)), Drag(Point(0, 1000), Point(1000, 1000)))
    door = open_door(deciding(*corners))
    click, drag = door.act(screenshot=picture(*size)).json()["actions"]
    right, bottom = size[0] - 1, size[1] - 1
    assert click["point"] == [0, 0]
    assert (drag["start"], drag["end"]) == ([0, bottom], [right, bottom])


def test_every_other_coordinate_mode_lands_on_the_same_pixels(open_door: Open) -> None:
    door = open_door(deciding(Click(Point(0.25, 0.5)), extent=Size(1, 1)))
    assert door.act(screenshot=picture(400, 300)).json()["actions"][0]["point"] == [100, 150]


def test_actions_of_all_shapes_can_be_read_back(open_door: Open) -> None:
    sent = (
        Type("Grüße 你好\n", submit=True),
        Hotkey(("ctrl", "c")),
        Scroll(Direction.DOWN),
        MouseUp(),
        Wait(1.5),
        Finished("42"),
    )
    answer = open_door(deciding(*sent)).act().json()
    assert tuple(from_dict(action) for action in answer["actions"]) == sent


def test_the_policy_sees_what_was_sent(open_door: Open) -> None:
    policy = ScriptedPolicy()
    history = [{"text": "Thought: a\nAction: wait()"}, {"text": "second"}]
    open_door(policy).act(instruction="press OK", history=history, max_tokens=7)
    (seen,) = policy.seen
    assert (seen.instruction, seen.max_tokens) == ("press OK", 7)
    assert [turn.text for turn in seen.history] == [turn["text"] for turn in history]
    assert (seen.frame.width, seen.frame.height) == (100, 80)
    assert seen.frame.pixels[40, 50].tolist() == [0, 128, 128]
    assert seen.frame.time > 0


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_pictures_come_in_three_formats(door: Door, form: str) -> None:
    assert door.act(screenshot=picture(100, 80, form)).status_code == 200


def test_nulls_and_unknown_keys_are_ignored(door: Door) -> None:
    answer = door.act(history=None, max_tokens=None, thinking={"type": "disabled"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"instruction": ""}, "instruction"),
        ({"instruction": "  \n"}, "instruction"),
        ({"instruction": "x" * 100_000}, "instruction"),
        ({"instruction": None}, "instruction"),
        ({"instruction": 5}, "instruction"),
        ({"screenshot": None}, "screenshot"),
        ({"history": [{"text": "x" * 400_000}, {"text": "x" * 400_000}]}, "history"),
        ({"history": [{"words": "x"}]}, "history.0.text"),
        ({"history": "x"}, "history"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
    ],
)
def test_faults_of_the_body_are_named(door: Door, body: dict[str, Any], param: str) -> None:
    answer = door.act(**body)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["param"] == param
    assert error["message"]


def test_all_faults_are_reported_at_once(door: Door) -> None:
    error = door.http.post("/v1/act", json={"max_tokens": -1}).json()["error"]
    assert all(name in error["message"] for name in ("instruction", "screenshot", "max_tokens"))


def test_a_thousand_faults_make_a_short_message(door: Door) -> None:
    error = door.act(history=[{}] * 1000).json()["error"]
    assert error["param"] == "history.0.text"
    assert error["message"].endswith("and 980 more")


def test_broken_json_is_told_where(door: Door) -> None:
    kind = {"Content-Type": "application/json"}
    error = door.http.post("/v1/act", content=b'{"a": }', headers=kind).json()["error"]
    assert error == {
        "type": "invalid_request_error",
        "message": "the body is not JSON from character 6 on",
        "param": None,
    }


def test_a_hundred_kilobyte_instruction_is_told_the_limit(door: Door) -> None:
    message = door.act(instruction="x" * 100_000).json()["error"]["message"]
    assert "20000" in message
    assert "100000" in message


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000, b"1" * 10_000]
)
def test_a_body_that_is_no_json_object_is_refused(door: Door, content: bytes) -> None:
    answer = door.http.post(
        "/v1/act", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def failing(observation: Observation) -> Decision:
    raise PolicyError("the remote server is unreachable: start it")


def malformed(observation: Observation) -> Decision:
    space = CoordinateMap(observation.frame.box, Size(10, 10))
    return Decision("blah", space, error="expected 'Action:' after the thought")


def test_a_policy_that_cannot_decide_is_a_503_with_its_reason(open_door: Open) -> None:
    answer = open_door(ScriptedPolicy(failing)).act()
    assert answer.status_code == 503
    assert answer.json()["error"] == {
        "type": "model_error",
        "message": "the remote server is unreachable: start it",
        "param": None,
    }


def test_malformed_model_text_is_a_502_that_says_why(open_door: Open) -> None:
    answer = open_door(ScriptedPolicy(malformed)).act()
    assert answer.status_code == 502
    assert answer.json()["error"]["type"] == "model_output_error"
    assert "expected 'Action:'" in answer.json()["error"]["message"]


def test_a_point_outside_the_screenshot_is_a_502(open_door: Open) -> None:
    answer = open_door(deciding(Click(Point(1001, 5)))).act()
    assert answer.status_code == 502
    assert "outside" in answer.json()["error"]["message"]


def test_the_policy_is_closed_with_the_server(open_door: Open) -> None:
    policy = ScriptedPolicy()
    door = open_door(policy)
    assert door.act().status_code == 200
    door.close()
    assert policy.closed
