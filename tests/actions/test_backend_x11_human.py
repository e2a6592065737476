"""A person's keyboard beside ours, on a real display."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from actions.backends.base import BackendError
from actions.backends.x11 import X11Backend
from actions.backends.x11_human import X11Human
from actions.executor import Executor
from actions.receipt import Outcome
from actions.space import Action, Button, Drag, Hotkey, Type
from tests.actions.person import Person
from vision.geometry import Point

if TYPE_CHECKING:
    from tests.actions.conftest import Stage

CTRL, ALT, ESC, MUTE = 37, 64, 9, 121


def nothing() -> None:
    pass


def becomes_busy(human: X11Human) -> bool:
    deadline = time.monotonic() + 10
    while not human.at_work() and time.monotonic() < deadline:
        time.sleep(0.005)
    return human.at_work()


def test_our_own_events_are_not_a_person(stage: Stage) -> None:
    with X11Backend(stage.name) as backend, X11Human(stage.name, nothing) as human:
        executor = Executor(backend)
        executor.perform(Drag(Point(10, 10), Point(90, 90), Button.RIGHT))
        executor.perform(Type("aЖ"))
        executor.perform(Hotkey(("ctrl", "alt", "esc")))
        assert not human.at_work()
        Person(stage.x).press(MUTE)
        assert becomes_busy(human)
        Person(stage.x).release(MUTE)


def test_a_person_is_away_again_after_a_while(stage: Stage) -> None:
    with X11Human(stage.name, nothing, idle=0.2) as human:
        person = Person(stage.x)
        person.press(MUTE)
        assert becomes_busy(human)
        person.release(MUTE)
        deadline = time.monotonic() + 10
        while human.at_work() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not human.at_work()


def test_the_stop_keys_in_any_order_and_nothing_less(stage: Stage) -> None:
    pressed = threading.Event()
    person = Person(stage.x)
    with X11Human(stage.name, pressed.set) as human:
        person.press(CTRL, ESC)
        person.release(ESC, CTRL)
        person.press(ALT)
        assert becomes_busy(human)
        assert not pressed.is_set()
        person.press(ESC, CTRL)
        assert pressed.wait(10)
        person.release(CTRL, ALT, ESC)


@pytest.mark.parametrize("action", [Type("Жук! " * 2000), Drag(Point(0, 0), Point(639, 479))])
def test_a_person_breaks_off_what_is_underway(stage: Stage, action: Action) -> None:
    """The stage itself checks that nothing stays pressed or remapped."""
    person = Person(stage.x)

    def interfere() -> None:
        while not stage.journal.read_text():
            time.sleep(0.001)
        person.press(MUTE)
        person.release(MUTE)

    with X11Backend(stage.name) as backend, X11Human(stage.name, nothing, idle=60) as human:
        backend.move(Point(5, 5))
        stage.received()
        executor = Executor(backend, human=human)
        other = threading.Thread(target=interfere, daemon=True)
        other.start()
        receipt = executor.perform(action)
        other.join()
        assert (receipt.outcome, executor.stopped) == (Outcome.FAILED, False)
        assert executor.perform(Type("x")).outcome is Outcome.REFUSED
    assert len([e for e in stage.received() if e["event"] == "key_down"]) < 10_000


def test_a_stop_key_that_does_not_exist_is_named() -> None:
    with pytest.raises(BackendError, match="escap"):
        X11Human(None, nothing, ("ctrl", "escap"))
