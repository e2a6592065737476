"""The events that each action is made of."""

from __future__ import annotations

import time

import numpy as np
import pytest

from actions.backends.scripted import Event, Kind, ScriptedBackend
from actions.executor import Executor
from actions.receipt import Outcome
from actions.space import (
    Action,
    Button,
    Click,
    Direction,
    Drag,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    MouseDown,
    MouseUp,
    Move,
    Scroll,
    Select,
    Swipe,
    Type,
    Wait,
)
from vision.geometry import Point


def played(action: Action) -> list[tuple[object, ...]]:
    """What an action sends, moves of the pointer by their places."""
    backend = ScriptedBackend(pointer=Point(20, 20))
    receipt = Executor(backend).perform(action)
    assert receipt.outcome is Outcome.NO_VISIBLE_EFFECT
    return [_short(event) for event in backend.events]


def _short(event: Event) -> tuple[object, ...]:
    match event.kind:
        case Kind.MOVE:
            return ("move", *event.point)
        case Kind.SCROLL:
            return ("scroll", event.direction, event.clicks)
        case Kind.TEXT:
            return ("text", event.text)
    return (str(event.kind), event.button or event.key)


DOWN, UP = ("button_down", Button.LEFT), ("button_up", Button.LEFT)


RIGHT_DOWN, RIGHT_UP = ("button_down", Button.RIGHT), ("button_up", Button.RIGHT)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (Click(Point(0, 0)), [("move", 0, 0), DOWN, UP]),
        (Click(Point(3.9, 4.2), count=2), [("move", 3, 4), DOWN, UP, DOWN, UP]),
        (Click(Point(-3, 4), Button.RIGHT, 3), [("move", -3, 4), *[RIGHT_DOWN, RIGHT_UP] * 3]),
        (Select(Point(1, 2), "Tea"), [("move", 1, 2), DOWN, UP]),
        (LongPress(Point(1, 2), 0.01), [("move", 1, 2), DOWN, UP]),
        (Move(Point(1, 2)), [("move", 1, 2)]),
        (MouseDown(Point(1, 2), Button.RIGHT), [("move", 1, 2), RIGHT_DOWN]),
        (MouseDown(), [DOWN]),
        (MouseUp(Point(1, 2)), [("move", 1, 2), UP]),
        (MouseUp(), [UP]),
        (
            Scroll(Direction.LEFT, Point(0, 9), 2),
            [("move", 0, 9), ("scroll", Direction.LEFT, 2)],
        ),
        (Scroll(Direction.UP), [("scroll", Direction.UP, 5)]),
        (Type("ä\r\nb\rc"), [("text", "ä\nb\nc")]),
        (Type(""), []),
        (
            Type("x", submit=True, point=Point(0, 5)),
            [("move", 0, 5), DOWN, UP, ("text", "x"), ("key_down", "enter"), ("key_up", "enter")],
        ),
        (
            Hotkey(("ctrl", "shift", "t")),
            [
                *[("key_down", "ctrl"), ("key_down", "shift"), ("key_down", "t")],
                *[("key_up", "t"), ("key_up", "shift"), ("key_up", "ctrl")],
            ],
        ),
        (KeyDown("alt"), [("key_down", "alt")]),
        (KeyUp("alt"), [("key_up", "alt")]),
        (Wait(0.01), []),
    ],
)
def test_each_action_is_played_by_its_events(
    action: Action, expected: list[tuple[object, ...]]
) -> None:
    assert played(action) == expected


@pytest.mark.parametrize("kind", [Drag, Swipe])
def test_a_drag_moves_in_small_steps_between_press_and_release(
    kind: type[Drag] | type[Swipe],
) -> None:
    events = played(kind(Point(0, 0), Point(100, -60)))
    assert events[:2] == [("move", 0, 0), DOWN]
    assert events[-2:] == [("move", 100, -60), UP]
    path = [np.array(event[1:]) for event in events[2:-1]]
    assert len(path) >= 8
    steps = np.diff([np.zeros(2), *path], axis=0)
    assert (np.hypot(*steps.T) < 20).all()


def test_two_clicks_on_one_place_are_not_a_double_click() -> None:
    times = []

    class Clock(ScriptedBackend):
        def button_down(self, button: Button) -> None:
            times.append(time.monotonic())
            super().button_down(button)

    executor = Executor(Clock())
    executor.perform(Click(Point(5, 5)))
    executor.perform(Click(Point(6, 6)))
    assert times[1] - times[0] >= 0.5
