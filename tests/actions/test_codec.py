"""The JSON form of actions: round trip of every class, and complete errors."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.codec import CLASSES, NAMES, CodecError, from_dict, to_dict
from actions.space import Action, Button, Click, Hotkey, KeyDown, MouseDown, Scroll, Type
from tests.actions.action_strategies import BY_CLASS
from vision.geometry import Point


def test_every_action_class_has_one_name() -> None:
    assert set(CLASSES.values()) == set(Action.__subclasses__())
    assert len(NAMES) == len(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
@given(data=st.data())
def test_round_trip_through_json(name: str, data: st.DataObject) -> None:
    action = data.draw(BY_CLASS[CLASSES[name]])
    assert from_dict(json.loads(json.dumps(to_dict(action)))) == action


def test_the_documented_form() -> None:
    click = Click(Point(10, 20))
    assert to_dict(click) == {"type": "click", "point": [10, 20], "button": "left", "count": 1}
    assert to_dict(KeyDown("ctrl")) == {"type": "key_down", "key": "ctrl"}
    assert to_dict(MouseDown()) == {"type": "mouse_down", "button": "left"}


def test_defaults_may_be_left_out_and_keys_are_made_canonical() -> None:
    assert from_dict({"type": "click", "point": [0, 0]}) == Click(Point(0, 0), Button.LEFT, 1)
    assert from_dict({"type": "hotkey", "keys": ["Control", "C"]}) == Hotkey(("ctrl", "c"))
    assert from_dict({"type": "type", "text": "a", "point": None}) == Type("a")


def test_a_list_of_every_fault_in_one_message() -> None:
    with pytest.raises(CodecError) as caught:
        from_dict({"type": "click", "point": [1], "button": "big", "count": 7, "colour": "red"})
    message = str(caught.value)
    assert "colour: unknown field, click has: point, button, count" in message
    assert "point: expected [x, y], actually: [1]" in message
    assert "button: expected one of left, middle, right, actually: 'big'" in message
    assert "count: expected a whole number from 1 to 3, actually: 7" in message


@pytest.mark.parametrize("data", [None, [], {}, {"type": "clack"}, {"type": ["click"]}])
def test_an_unknown_type_lists_the_known_ones(data: Any) -> None:
    with pytest.raises(CodecError, match=r"type"):
        from_dict(data)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({"type": "click"}, "point: required, but missing"),
        ({"type": "click", "point": None}, "point: expected"),
        ({"type": "click", "point": [True, 1]}, "finite number, actually: True"),
        ({"type": "click", "point": [math.nan, 1]}, "finite number, actually: nan"),
        ({"type": "click", "point": [10**400, 1]}, "finite number"),
        ({"type": "click", "point": [1, 2], "count": True}, "whole number"),
        ({"type": "wait", "seconds": -1}, "at least 0"),
        ({"type": "hotkey", "keys": []}, "at least one key name"),
        ({"type": "hotkey", "keys": "ctrl"}, "at least one key name"),
        ({"type": "key_down", "key": "ctrk"}, "did you mean ctrl"),
        ({"type": "key_down", "key": 3}, "expected a string"),
        ({"type": "type", "text": "a", "submit": "false"}, "true or false, actually: 'false'"),
        ({"type": "scroll", "direction": "sideways"}, "one of up, down, left, right"),
        ({"type": "scroll", "direction": {}}, "one of up, down, left, right"),
    ],
)
def test_invalid_fields_are_refused(data: dict[str, Any], fault: str) -> None:
    with pytest.raises(CodecError) as caught:
        from_dict(data)
    assert fault in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)


@given(
    st.sampled_from(sorted(CLASSES)),
    st.dictionaries(st.sampled_from(["point", "text", "keys", "key", "seconds"]), json_values),
)
def test_any_object_gives_an_action_or_a_codec_error(name: str, fields: dict[str, Any]) -> None:
    try:
        assert isinstance(from_dict({"type": name, **fields}), CLASSES[name])
    except CodecError as error:
        assert str(error).startswith(name)


def test_from_dict_does_not_change_its_argument() -> None:
    data = {"type": "scroll", "direction": "down", "point": [1, 2]}
    copy = json.loads(json.dumps(data))
    assert isinstance(from_dict(data), Scroll)
    assert data == copy
