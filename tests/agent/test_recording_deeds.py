"""What events mean: each gesture of a person as the action that it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.space import (
    Action,
    Button,
    Click,
    Direction,
    Drag,
    Hotkey,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Scroll,
    Type,
    Wait,
)
from agent.recording.deeds import Composer
from agent.recording.inputs import Input, What
from vision.geometry import Point

P, Q = Point(10, 10), Point(50, 10)
NONE: frozenset[str] = frozenset()


def press(time: float, at: Point = P, button: Button = Button.LEFT, *held: str) -> Input:
    return Input(What.PRESS, time, at, button=button, held=frozenset(held))


def release(time: float, at: Point = P, button: Button = Button.LEFT) -> Input:
    return Input(What.RELEASE, time, at, button=button)


def click(time: float, at: Point = P, button: Button = Button.LEFT) -> list[Input]:
    return [press(time, at, button), release(time + 0.05, at, button)]


def key(time: float, name: str, *held: str, text: str = "", secret: bool = False) -> Input:
    down = frozenset(held)
    return Input(What.KEY_DOWN, time, P, key=name, text=text, held=down, secret=secret)


def typed(time: float, text: str, pause: float = 0.01, secret: bool = False) -> list[Input]:
    return [key(time + i * pause, c, text=c, secret=secret) for i, c in enumerate(text)]


def notch(time: float, way: Direction = Direction.DOWN, at: Point = P) -> Input:
    return Input(What.WHEEL, time, at, direction=way)


def deeds(*events: Input | list[Input]) -> list[Action]:
    composer, found = Composer(), []
    for event in events:
        for one in event if isinstance(event, list) else [event]:
            found += composer.feed(one)
    return [action for deed in [*found, *composer.end()] for action in deed.actions]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([*click(0)], [Click(P)]),
        ([*click(0, P, Button.RIGHT)], [Click(P, Button.RIGHT)]),
        ([*click(0), *click(0.3)], [Click(P, count=2)]),
        ([*click(0), *click(0.2), *click(0.4)], [Click(P, count=3)]),
        ([*click(0), *click(0.1), *click(0.2), *click(0.3)], [Click(P, count=3), Click(P)]),
        ([*click(0), *click(0.8)], [Click(P), Click(P)]),
        ([*click(0), *click(0.3, Q)], [Click(P), Click(Q)]),
        ([press(0), release(0.1, Point(13, 12))], [Click(P)]),
        ([press(0), release(0.4, Q)], [Drag(P, Q)]),
        ([press(0), release(2)], [MouseDown(P), Wait(2.0), MouseUp()]),
        ([press(0, P, Button.LEFT, "ctrl"), release(0.1)],
         [KeyDown("ctrl"), Click(P), KeyUp("ctrl")]),
        ([notch(0), notch(0.1), notch(0.2)], [Scroll(Direction.DOWN, P, 3)]),
        ([notch(0), notch(0.1, Direction.UP)],
         [Scroll(Direction.DOWN, P, 1), Scroll(Direction.UP, P, 1)]),
        ([notch(0), notch(3)], [Scroll(Direction.DOWN, P, 1)] * 2),
        ([*typed(0, "hello")], [Type("hello")]),
        ([*typed(0, "hi"), key(1, "enter", text="")], [Type("hi", submit=True)]),
        ([*typed(0, "helo"), key(1, "backspace"), *typed(1.1, "lo")], [Type("hello")]),
        ([key(0, "backspace")], [Hotkey(("backspace",))]),
        ([*typed(0, "ab"), *typed(9, "cd")], [Type("ab"), Type("cd")]),
        ([*typed(0, "user"), key(0.1, "tab"), *typed(0.2, "x")],
         [Type("user"), Hotkey(("tab",)), Type("x")]),
        ([key(0, "ctrl"), key(0.1, "c", "ctrl", text="c")], [Hotkey(("ctrl", "c"))]),
        ([key(0, "t", "shift", "ctrl", text="T")], [Hotkey(("ctrl", "shift", "t"))]),
        ([key(0, "shift"), key(0.1, "a", "shift", text="A")], [Type("A")]),
        ([key(0, "super"), Input(What.KEY_UP, 0.1, P, key="super")], [Hotkey(("super",))]),
        ([key(0, "shift"), Input(What.KEY_UP, 0.1, P, key="shift")], []),
        ([*click(0), *typed(0.1, "x"), *click(0.3)], [Click(P), Type("x"), Click(P)]),
        ([release(0)], []),
        ([press(0)], []),
    ],
)  # fmt: skip
def test_events_become_what_the_person_meant(events: list[Input], expected: list[Action]) -> None:
    assert deeds(*events) == expected


def test_a_secret_text_is_a_deed_of_its_own() -> None:
    composer = Composer()
    events = [*typed(0, "bob"), *typed(0.1, "hunter2", secret=True), *typed(0.3, "x")]
    found = [deed for event in events for deed in composer.feed(event)] + list(composer.end())
    assert [(deed.actions, deed.secret) for deed in found] == [
        ((Type("bob"),), False),
        ((Type("hunter2"),), True),
        ((Type("x"),), False),
    ]


def test_a_text_is_over_when_nothing_follows() -> None:
    composer = Composer()
    assert [deed for event in typed(0, "ab") for deed in composer.feed(event)] == []
    assert list(composer.wait(1)) == []
    assert [deed.actions for deed in composer.wait(3)] == [(Type("ab"),)]


@given(st.text(st.characters(categories=["L", "N", "P"]), min_size=1), st.floats(0.001, 1))
def test_any_text_at_any_speed_comes_back(text: str, pause: float) -> None:
    assert deeds(typed(0, text, pause)) == [Type(text)]
