"""Stops, fail-safe corners, and people who take over, in the middle of actions."""

from __future__ import annotations

import signal
import threading

import pytest

from actions.backends.scripted import Kind, ScriptedBackend
from actions.executor import Executor, Stopped
from actions.receipt import Outcome
from actions.space import (
    Action,
    Click,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    LongPress,
    Type,
    Wait,
)
from tests.actions.rooms import (
    QUICK,
    Person,
    Room,
    Slow,
    presses,
    room,
)
from vision.geometry import Point


@pytest.mark.parametrize(
    "action",
    [
        Type("x" * 10_000),
        Drag(Point(0, 0), Point(199, 99)),
        LongPress(Point(9, 9), 100),
    ],
)
def test_a_stop_breaks_off_what_is_underway(action: Action) -> None:
    backend = Slow()
    executor = Executor(backend)

    def stop() -> None:
        backend.begun.wait()
        executor.stop("enough")

    stopper = threading.Thread(target=stop, daemon=True)
    stopper.start()
    with pytest.raises(Stopped, match="enough") as caught:
        executor.perform(action)
    stopper.join()
    assert caught.value.receipt.outcome is Outcome.FAILED
    assert caught.value.receipt.action == action
    assert backend.held_buttons == ()
    assert len(backend.events) < 9_000


def test_a_signal_handler_may_stop_what_its_own_thread_performs() -> None:
    class Interrupted(ScriptedBackend):
        """Is interrupted while it holds a lock that is not reentrant."""

        def __init__(self) -> None:
            super().__init__()
            self.connection = threading.Lock()

        def key_down(self, key: str) -> None:
            super().key_down(key)
            if key == "b":
                with self.connection:
                    signal.raise_signal(signal.SIGUSR1)

        def release_all(self) -> None:
            with self.connection:
                super().release_all()

    backend = Interrupted()
    executor = Executor(backend)
    before = signal.signal(signal.SIGUSR1, lambda *_: executor.stop("by signal"))
    try:
        with pytest.raises(Stopped, match="by signal"):
            executor.perform(Hotkey(("a", "b", "c")))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert backend.held_keys == ()


def test_after_a_stop_nothing_is_sent_any_more() -> None:
    backend = ScriptedBackend()
    executor = Executor(backend)
    executor.perform(KeyDown("ctrl"))
    assert not executor.stopped
    executor.stop()
    executor.stop("again")
    assert executor.stopped
    assert backend.held_keys == ()
    count = len(backend.events)
    for action in (Click(Point(1, 1)), Wait(1), Finished(), Type("x")):
        with pytest.raises(Stopped, match=r"^stopped$") as caught:
            executor.perform(action)
        assert caught.value.receipt.outcome is Outcome.REFUSED
    assert len(backend.events) == count


@pytest.mark.parametrize("corner", [Point(0, 0), Point(199, 0), Point(0, 99), Point(199, 99)])
def test_a_pointer_put_into_a_corner_stops(corner: Point) -> None:
    executor, view = room()
    view.backend.move(corner)  # a hand other than the executor's
    with pytest.raises(Stopped, match="corner"):
        executor.perform(Click(Point(50, 50)))
    assert executor.stopped


def test_the_executor_itself_may_go_to_corners() -> None:
    executor, _ = room()
    for corner in (Point(0, 0), Point(199, 0), Point(199, 99)):
        assert executor.perform(Click(corner)).outcome is Outcome.CONFIRMED
    assert executor.perform(Wait(0.01)).outcome is Outcome.NO_VISIBLE_EFFECT


def test_corners_mean_nothing_when_nobody_sits_there() -> None:
    backend = ScriptedBackend(pointer=Point(20, 20))
    executor = Executor(backend, Room(backend, presses), QUICK, fail_safe=False)
    backend.move(Point(0, 0))
    assert executor.perform(Click(Point(50, 50))).outcome is Outcome.CONFIRMED


def test_a_pointer_that_was_in_a_corner_before_is_no_alarm() -> None:
    executor, _ = room(backend=ScriptedBackend(pointer=Point(0, 0)))
    assert executor.perform(Click(Point(50, 50))).outcome is Outcome.CONFIRMED


def test_a_person_at_work_breaks_off_what_is_underway() -> None:
    backend = Slow()
    executor = Executor(backend, human=Person(lambda: len(backend.events) > 5))
    receipt = executor.perform(Drag(Point(0, 0), Point(199, 99)))
    assert receipt.outcome is Outcome.FAILED
    assert "the user has taken" in receipt.message
    assert backend.held_buttons == ()
    assert not executor.stopped


def test_actions_that_come_while_a_person_is_at_work_are_refused_and_not_queued() -> None:
    backend, busy = ScriptedBackend(), True
    executor = Executor(backend, human=Person(lambda: busy))
    assert executor.paused
    for action in (Click(Point(1, 1)), Type("x"), Wait(0)):
        assert executor.perform(action).outcome is Outcome.REFUSED
    busy = False
    assert not executor.paused
    executor.perform(Type("y"))
    assert [event.text for event in backend.events] == ["y"]


def test_a_pointer_put_into_a_corner_between_the_steps_of_a_drag_stops_it() -> None:
    class Pushed(ScriptedBackend):
        """After each of the first moves a hand puts the pointer into the corner."""

        def move(self, point: Point) -> None:
            super().move(point)
            if self.held_buttons:
                super().move(Point(199, 99))

    executor, view = room(backend=Pushed(pointer=Point(20, 20)))
    with pytest.raises(Stopped, match="corner"):
        executor.perform(Drag(Point(10, 10), Point(90, 90)))
    steps = [event.point for event in view.backend.events if event.kind is Kind.MOVE]
    assert len(steps) < 6


def test_a_person_who_has_come_and_gone_has_broken_it_off_too() -> None:
    class Passing(Person):
        """Is never found at work, but was there after a few events."""

        def visits(self) -> int:
            return int(len(backend.events) > 5)

    backend = Slow()
    executor = Executor(backend, human=Passing(lambda: False))
    receipt = executor.perform(Drag(Point(0, 0), Point(199, 99)))
    assert receipt.outcome is Outcome.FAILED
    assert backend.held_buttons == ()
    assert len(backend.events) < 10
    assert executor.perform(Click(Point(9, 9))).outcome is Outcome.NO_VISIBLE_EFFECT
