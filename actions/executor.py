"""Performs actions and tells the truth about each: settle, check, act, watch, receipt.

Errors
    Stopped       somebody stopped the executor; carries the receipt of the action concerned
Everything else that goes wrong is a receipt, not an exception.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Protocol

from actions.backends.base import Backend, BackendError
from actions.gestures import Hands, play, playable
from actions.objections import objections
from actions.receipt import Outcome, Receipt
from actions.settle import Patience, Stillness, Watcher, crop_around, differs_around
from actions.space import (
    ENDING,
    Action,
    Click,
    Drag,
    LongPress,
    MouseDown,
    Scroll,
    Select,
    Type,
    points,
)
from vision.capture import CaptureError, Eyes
from vision.frame import Frame
from vision.geometry import Point

_SLICE_SECONDS = 0.015
"""A pause wakes so often to look for the fail-safe corners."""
_LOOK_SECONDS = 0.005
"""They are looked at no oftener, but before each step of a drag, which takes the pointer away."""
_CORNER_PIXELS = 1
_AT_A_PLACE = (Click, Drag, LongPress, MouseDown, Scroll, Select, Type)


class Stopped(RuntimeError):
    """The executor was stopped, by `stop` or by the fail-safe; it performs nothing any more.

    Attributes:
        receipt: FAILED for the action that was broken off, REFUSED for one that had not begun.
    """

    def __init__(self, receipt: Receipt) -> None:
        super().__init__(receipt.message)
        self.receipt = receipt


class Human(Protocol):
    """Whoever may use the same mouse and keyboard."""

    def at_work(self) -> bool:
        """Whether a person has just used them. Any thread; fast."""

    def visits(self) -> int:
        """How often a person has come so far. Any thread; fast.

        Who comes and goes while an action sleeps has broken it off, too.
        """


class Nobody:
    """The human of a display that nobody sits at."""

    def at_work(self) -> bool:
        """Never."""
        return False

    def visits(self) -> int:
        """None."""
        return 0


class _Halt(Exception):  # not an error: it carries a stop out of a gesture
    """Leaves a gesture or a wait at once."""


class _TakenOver(Exception):  # nor this
    """Leaves a gesture or a wait at once, because a person has taken over."""


class Executor:
    """Performs one action at a time on one backend, watched by one screen.

    Not thread-safe, except `stop`. The backend and the screen stay the caller's to close. A button
    or key that an action presses on purpose (MouseDown, KeyDown) stays down for the next action; it
    is released when an action fails or the executor stops.

    Args:
        backend: where events go.
        screen: what looks at where events land; None means nobody does, so no effect is ever seen.
        patience: how long to wait for the screen.
        fail_safe: stop when the pointer is found in a corner of the primary monitor where this
            executor did not put it; for displays with a person in front of them.
        human: while that person is at work, nothing is performed, and nothing waits to be.

    Raises:
        BackendError: the backend does not even know where the pointer is.
    """

    def __init__(
        self,
        backend: Backend,
        screen: Eyes | None = None,
        patience: Patience | None = None,
        fail_safe: bool = True,
        human: Human | None = None,
    ) -> None:
        self._human = human or Nobody()
        self._visits = 0
        self._backend = backend
        self._screen = screen
        self._stop = threading.Event()
        self._reason = ""
        self._underway = False
        self._thread: int | None = None
        self._hands = Hands(backend, self._checkpoint, self._pause)
        self._watcher = None if screen is None else Watcher(screen, self._pause, patience)
        self._corners = _corners(screen) if screen is not None and fail_safe else ()
        self._looked_at_corners = 0.0

    @property
    def paused(self) -> bool:
        """Whether actions are refused for now, because a person is at work."""
        return self._human.at_work()

    @property
    def stopped(self) -> bool:
        """Whether nothing is performed any more."""
        return self._stop.is_set()

    def stop(self, reason: str = "stopped") -> None:
        """Release everything and perform nothing any more.

        Any thread and any signal handler may call it, as often as they like.
        """
        self._reason = self._reason or reason
        self._stop.set()
        # A signal handler interrupts `perform` on its own thread, perhaps while it holds a lock of
        # the connection; there `perform` itself releases everything at its next checkpoint.
        if threading.get_ident() != self._thread:
            self._backend.release_all()

    def perform(self, action: Action, seen: Frame | None = None) -> Receipt:
        """Perform one action.

        Args:
            action: points in screen pixels.
            seen: what the model looked at when it chose the action: if the target looks different
                by now, the action is refused. None skips this check; so should the second and
                later actions of one step, since the first one may have changed the screen.

        Raises:
            Stopped: the executor was stopped before or during the action; nothing is held.
        """
        refused = Receipt(action, Outcome.REFUSED)
        failed = Receipt(action, Outcome.FAILED)
        self._underway = False
        self._thread = threading.get_ident()
        self._visits = self._human.visits()
        try:
            self._checkpoint()
            faults = self._faults(action)
            if faults:
                return replace(refused, message="; ".join(faults))
            if isinstance(action, ENDING):
                return Receipt(action, Outcome.CONFIRMED)
            return self._perform(action, seen)
        except _Halt:
            self._backend.release_all()
            receipt = failed if self._underway else refused
            raise Stopped(replace(receipt, message=self._reason)) from None
        except _TakenOver:
            self._backend.release_all()
            receipt = failed if self._underway else refused
            return replace(receipt, message="the user has taken mouse and keyboard; look again")
        except (BackendError, CaptureError) as error:
            self._backend.release_all()
            return replace(failed, message=str(error))
        except BaseException:
            self._backend.release_all()
            raise
        finally:
            self._thread = None

    def _faults(self, action: Action) -> list[str]:
        kind = type(action)
        if not isinstance(action, ENDING) and not (playable(kind) and self._backend.supports(kind)):
            return [f"{kind.__name__} cannot be done here; use mouse and keyboard actions"]
        return list(objections(action, self._screen))

    def _perform(self, action: Action, seen: Frame | None) -> Receipt:
        """Settle, check, act, watch."""
        receipt = Receipt(action, Outcome.REFUSED)
        before = self._settle(seen)
        target = next(iter(points(action)), None)
        if before is not None and target is not None:
            receipt = replace(receipt, crop=crop_around(before.frame, target).digest)
        if self._watcher is not None and before is not None and seen is not None:
            known, before = before.restless, self._watcher.learn(seen, before)
            if target is not None and differs_around(target, seen, before.frame, known):
                return replace(receipt, message="the target looks different by now; look again")
        if before is not None and target is not None and isinstance(action, _AT_A_PLACE):
            before = self._approach(target)
        self._underway = True
        begun = time.perf_counter()
        play(action, self._hands)
        sent = time.perf_counter()
        changed = self._watcher is not None and before is not None and self._watcher.effect(before)
        return replace(
            receipt,
            outcome=Outcome.CONFIRMED if changed else Outcome.NO_VISIBLE_EFFECT,
            message="" if changed else "the screen did not change",
            act_ms=(sent - begun) * 1000,
            settle_ms=(time.perf_counter() - sent) * 1000,
        )

    def _approach(self, target: Point) -> Stillness | None:
        """Go there first, so that what merely hovering changes is not taken for the effect."""
        self._hands.move(target)
        return self._settle()

    def _settle(self, seen: Frame | None = None) -> Stillness | None:
        return None if self._watcher is None else self._watcher.still(seen)

    def _checkpoint(self) -> None:
        """Break off when somebody stopped us, took over, or put the pointer into a corner."""
        if self._stop.is_set():
            raise _Halt
        now = time.monotonic()
        if self._corners and now - self._looked_at_corners >= _LOOK_SECONDS:
            self._looked_at_corners = now
            if self._is_in_corner(self._backend.pointer()):
                self.stop("the pointer was put into a corner of the screen")
                raise _Halt
        if self._human.at_work() or self._human.visits() != self._visits:
            raise _TakenOver

    def _is_in_corner(self, pointer: Point) -> bool:
        return any(_near(pointer, corner) for corner in self._corners) and not any(
            _near(pointer, place) for place in self._hands.recent_places()
        )

    def _pause(self, seconds: float) -> None:
        """Sleep, unless stopped."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._checkpoint()
            self._stop.wait(min(left, _SLICE_SECONDS))
        self._checkpoint()


def _corners(screen: Eyes) -> tuple[Point, ...]:
    """The four corner pixels of the primary monitor."""
    box = next(monitor.box for monitor in screen.monitors() if monitor.primary)
    sides = (box.left, box.right - 1), (box.top, box.bottom - 1)
    return tuple(Point(x, y) for x in sides[0] for y in sides[1])


def _near(one: Point, other: Point) -> bool:
    return abs(one.x - other.x) <= _CORNER_PIXELS and abs(one.y - other.y) <= _CORNER_PIXELS
