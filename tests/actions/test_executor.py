"""The executor against a scripted backend and a screen that reacts to what it recorded."""

from __future__ import annotations

import pytest

from actions.backends.base import Backend
from actions.backends.scripted import Event, ScriptedBackend
from actions.executor import Executor
from actions.receipt import Outcome
from actions.space import (
    Action,
    Button,
    CallUser,
    Click,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    MouseDown,
    Move,
)
from tests.actions.rooms import (
    presses,
    room,
    still,
)
from vision.geometry import Point


@pytest.mark.parametrize("action", [Finished("42"), CallUser("captcha")])
def test_an_ending_sends_nothing(action: Action) -> None:
    executor, view = room()
    assert executor.perform(action).outcome is Outcome.CONFIRMED
    assert view.backend.events == ()


def test_an_effect_is_confirmed_and_its_lack_is_told() -> None:
    executor, _ = room(presses)
    receipt = executor.perform(Click(Point(50, 50)))
    assert receipt.outcome is Outcome.CONFIRMED
    assert receipt.act_ms > 0
    assert receipt.settle_ms > 0
    idle, _ = room(still)
    receipt = idle.perform(Click(Point(50, 50)))
    assert receipt.outcome is Outcome.NO_VISIBLE_EFFECT
    assert "did not change" in receipt.message


def test_what_hovering_changes_is_not_taken_for_the_effect_of_a_click() -> None:
    def hovered(events: tuple[Event, ...]) -> int:
        return 200 if events and events[-1].point == Point(50, 50) else 0

    executor, _ = room(hovered)
    assert executor.perform(Click(Point(50, 50))).outcome is Outcome.NO_VISIBLE_EFFECT
    executor, _ = room(hovered)
    assert executor.perform(Move(Point(50, 50))).outcome is Outcome.CONFIRMED


@pytest.mark.parametrize("fail_at", range(6))
@pytest.mark.parametrize(
    "action",
    [
        Hotkey(("ctrl", "alt", "t")),
        Click(Point(9, 9), count=3),
        Drag(Point(0, 0), Point(90, 90)),
    ],
)
def test_nothing_stays_pressed_when_sending_breaks(action: Action, fail_at: int) -> None:
    backend = ScriptedBackend(fail_at=fail_at)
    receipt = Executor(backend).perform(action)
    assert receipt.outcome is Outcome.FAILED
    assert "breaks off" in receipt.message
    assert backend.held_buttons == ()
    assert backend.held_keys == ()


def test_what_is_pressed_on_purpose_stays_pressed_until_something_fails() -> None:
    backend = ScriptedBackend(fail_at=3)
    executor = Executor(backend)
    executor.perform(KeyDown("shift"))
    executor.perform(MouseDown())
    executor.perform(Move(Point(1, 1)))
    assert [*backend.held_keys, *backend.held_buttons] == ["shift", Button.LEFT]
    assert executor.perform(Move(Point(2, 2))).outcome is Outcome.FAILED
    assert [*backend.held_keys, *backend.held_buttons] == []


def test_a_lost_screen_is_a_failure_not_a_crash() -> None:
    executor, view = room()
    view.broken = True
    receipt = executor.perform(Click(Point(50, 50)))
    assert receipt.outcome is Outcome.FAILED
    assert "display is gone" in receipt.message


def test_a_target_that_changed_is_not_clicked() -> None:
    executor, view = room(presses)
    seen = view.grab()
    assert executor.perform(Click(Point(50, 50)), seen).outcome is Outcome.CONFIRMED
    # Elsewhere nothing changed.
    assert executor.perform(Click(Point(150, 20)), seen).outcome is Outcome.CONFIRMED
    count = len(view.backend.events)
    receipt = executor.perform(Click(Point(50, 50)), seen)
    assert receipt.outcome is Outcome.REFUSED
    assert "look again" in receipt.message
    assert len(view.backend.events) == count
    # A fresh look makes it good.
    fresh, _ = room(presses, view.backend)
    assert fresh.perform(Click(Point(50, 50)), view.grab()).outcome is Outcome.CONFIRMED


def test_the_crop_is_the_hash_of_what_was_around_the_target() -> None:
    executor, _ = room(presses)
    first, second = (executor.perform(Click(Point(50, 50))).crop for _ in range(2))
    far = executor.perform(Click(Point(150, 50))).crop
    assert first is not None
    assert len(first) == 64
    assert first == far != second  # black at first, here and there
    assert executor.perform(Hotkey(("a",))).crop is None


def test_an_unexpected_error_releases_too_and_is_passed_on() -> None:
    class Broken(ScriptedBackend):
        def key_down(self, key: str) -> None:
            super().key_down(key)
            if key == "t":
                raise KeyboardInterrupt

    backend: Backend = (broken := Broken())
    with pytest.raises(KeyboardInterrupt):
        Executor(backend).perform(Hotkey(("ctrl", "t")))
    assert broken.held_keys == ()
