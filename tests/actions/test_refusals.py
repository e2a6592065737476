"""Bad input: one clear refusal each, before anything is sent, and the loop goes on."""

from __future__ import annotations

import math

import pytest

from actions.backends.scripted import ScriptedBackend
from actions.executor import Executor
from actions.receipt import Outcome
from actions.space import (
    Action,
    Click,
    Direction,
    Drag,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    Move,
    Navigate,
    NavigateBack,
    OpenApp,
    OpenComputer,
    PressBack,
    PressHome,
    Scroll,
    Type,
    Wait,
)
from tests.actions.rooms import (
    room,
)
from vision.geometry import Point


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (Click(Point(200, 10)), "off the screen"),
        (Click(Point(10, 100)), "off the screen"),
        (Click(Point(-50, 70)), "off the screen"),  # between the monitors
        (Move(Point(math.nan, 0)), "not a place"),
        (Drag(Point(0, 0), Point(math.inf, 0)), "not a place"),
        (Drag(Point(5, 5), Point(5, 5)), "ends where it starts"),
        (Click(Point(5, 5), count=4), "1, 2 or 3 clicks, actually: 4"),
        (Scroll(Direction.UP, clicks=0), "1 to 100 notches"),
        (Wait(-1), "seconds"),
        (Wait(math.nan), "seconds"),
        (LongPress(Point(1, 1), 1e9), "seconds"),
        (Navigate("file:///etc/passwd"), "address with http"),
        (Navigate("javascript:alert(1)"), "address with http"),
        (Hotkey(()), "1 to 5 keys"),
        (Hotkey(tuple("abcdefghij")), "1 to 5 keys"),
        (Hotkey(("a", "a")), "twice"),
        (Hotkey(("ctrl", "nokey")), "nokey"),
        (KeyDown("Return"), "canonical"),
        (KeyUp(""), "expected"),
        (Type("a\x00b"), "U.0000"),
        (Type("\ud800"), "U.D800"),
        (Type("\x1b[2J"), "U.001B"),
        *(
            (action, "cannot be done here")
            for action in (
                OpenApp("Notes"),
                OpenComputer(),
                PressHome(),
                PressBack(),
            )
        ),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_sent(action: Action, why: str) -> None:
    executor, view = room()
    receipt = executor.perform(action)
    assert receipt.outcome is Outcome.REFUSED
    assert why.replace(".", "+") in receipt.message
    assert view.backend.events == ()


def test_every_fault_is_named_at_once() -> None:
    executor, _ = room()
    message = executor.perform(Click(Point(900, 900), count=7)).message
    assert "off the screen" in message
    assert "clicks" in message


@pytest.mark.parametrize("corner", [Point(-100, -50), Point(-1, 49), Point(0, 0), Point(199, 99)])
def test_corners_of_all_monitors_are_on_the_screen(corner: Point) -> None:
    executor, _ = room()
    assert executor.perform(Click(corner)).outcome is Outcome.CONFIRMED


@pytest.mark.parametrize(
    "action", [Scroll(Direction.UP), Navigate("https://example.org"), NavigateBack()]
)
def test_what_the_backend_lacks_is_refused(action: Action) -> None:
    backend = ScriptedBackend(unsupported=(Scroll, Navigate, NavigateBack))
    receipt = Executor(backend).perform(action)
    assert receipt.outcome is Outcome.REFUSED
    assert f"{type(action).__name__} cannot be done here" in receipt.message
    assert backend.events == ()
