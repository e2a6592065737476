"""The executor against a scripted backend and a screen that reacts to what it recorded."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from actions.backends.base import Backend, proceed
from actions.backends.scripted import Event, Kind, ScriptedBackend
from actions.executor import Executor, Stopped
from actions.receipt import Outcome
from actions.settle import Patience
from actions.space import (
    Action,
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
    Navigate,
    NavigateBack,
    OpenApp,
    OpenComputer,
    PressBack,
    PressHome,
    Scroll,
    Select,
    Swipe,
    Type,
    Wait,
)
from vision.capture import CaptureError, Monitor
from vision.frame import Frame
from vision.geometry import Box, Point

LEFT = Monitor(Box(-100, -50, 0, 50), "left", False)
MAIN = Monitor(Box(0, 0, 200, 100), "main", True)
EVERYTHING = Box(-100, -50, 200, 100)
QUICK = Patience(poll=0.001, still=0.001, quiet=0.002, reaction=0.01, cap=0.2)

Draw = Callable[[tuple[Event, ...]], int]


class Room:
    """Eyes on two monitors; a square around (50, 50) has the shade that `draw` makes of events."""

    def __init__(self, backend: ScriptedBackend, draw: Draw) -> None:
        self.backend = backend
        self.draw = draw
        self.broken = False

    @property
    def box(self) -> Box:
        return EVERYTHING

    def monitors(self) -> tuple[Monitor, ...]:
        return LEFT, MAIN

    def grab(self, region: Box | None = None) -> Frame:
        if self.broken:
            raise CaptureError("the display is gone")
        pixels = np.zeros((150, 300, 3), np.uint8)
        pixels[90:110, 140:160] = self.draw(self.backend.events)
        return Frame(pixels, EVERYTHING)


def presses(events: tuple[Event, ...]) -> int:
    return sum(event.kind is Kind.BUTTON_DOWN for event in events)


def still(events: tuple[Event, ...]) -> int:
    return 0


def room(draw: Draw = presses, backend: ScriptedBackend | None = None) -> tuple[Executor, Room]:
    made = Room(backend or ScriptedBackend(pointer=Point(20, 20)), draw)
    return Executor(made.backend, made, QUICK), made


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


class Slow(ScriptedBackend):
    """Types one character per millisecond and tells when it has begun."""

    def __init__(self) -> None:
        super().__init__(pointer=Point(20, 20))
        self.begun = threading.Event()

    def type_text(self, text: str, checkpoint: Callable[[], None] = proceed) -> None:
        for char in text:
            self.begun.set()
            super().type_text(char, checkpoint)
            time.sleep(0.001)

    def button_down(self, button: Button) -> None:
        super().button_down(button)
        self.begun.set()


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


class Person:
    """Takes over when `hand` says so."""

    def __init__(self, hand: Callable[[], bool]) -> None:
        self.hand = hand

    def at_work(self) -> bool:
        return self.hand()


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
