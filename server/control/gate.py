"""The gate between an agent and its display: it lets through, holds back, or breaks off."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from actions.backends.base import Backend, BackendError, proceed
from actions.space import Action, Button, Direction
from agent.episodes.format import End
from agent.run import RunEnded
from vision.capture import Eyes, Monitor
from vision.frame import Frame
from vision.geometry import Box, Point


class Gate:
    """Open, the agent works; shut, it waits before its next look or action.

    Shutting it in the middle of an action breaks that action off: its next event fails. Any thread
    may call anything; `look` and `act` are for the agent's.

    Args:
        changed: is told when the gate shuts by itself.

    Attributes:
        shuts: how often it was shut from outside, even if only for a moment.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._state = threading.Condition(threading.RLock())
        self._open = True
        self._left: int | None = None
        self._stopped = False
        self.shuts = 0

    @property
    def is_open(self) -> bool:
        """Whether the agent may work."""
        return self._open

    def open(self, steps: int | None = None) -> None:
        """Let through, for so many steps; None is without end."""
        with self._state:
            self._open, self._left = True, steps
            self._state.notify_all()

    def shut(self) -> None:
        """Hold back; when this returns, no event of the agent is under way."""
        with self._state:
            self._open = False
            self.shuts += 1

    def stop(self) -> None:
        """Let everybody who waits go, for good."""
        with self._state:
            self._stopped = True
            self._state.notify_all()

    def look(self) -> None:
        """Wait until the next step may begin.

        Raises:
            RunEnded: the run was stopped.
        """
        with self._state:
            used_up = self._open and self._left == 0
            if used_up:
                self._open, self._left = False, None
        if used_up:
            self._changed()
        with self._state:
            self._state.wait_for(lambda: self._open or self._stopped)
            if self._stopped:
                raise RunEnded(End.STOPPED, "stopped by its user")
            if self._left is not None:
                self._left -= 1

    def act(self) -> None:
        """Wait until an action may begin; a stopped one may, its executor knows."""
        with self._state:
            self._state.wait_for(lambda: self._open or self._stopped)

    @contextmanager
    def event(self) -> Iterator[None]:
        """Send one event, unless the gate is shut.

        Raises:
            BackendError: it is shut.
        """
        with self._state:
            self.check()
            yield

    def check(self) -> None:
        """Break off where the gate is shut.

        Raises:
            BackendError: it is.
        """
        if not self._open:
            raise BackendError("broken off: the session was paused")


class GatedEyes:
    """The screen, looked at only when the gate lets a step begin."""

    def __init__(self, eyes: Eyes, gate: Gate) -> None:
        self._eyes = eyes
        self._gate = gate

    @property
    def box(self) -> Box:
        """That of the screen."""
        return self._eyes.box

    def monitors(self) -> tuple[Monitor, ...]:
        """Those of the screen."""
        return self._eyes.monitors()

    def grab(self, region: Box | None = None) -> Frame:
        """A picture, when it is time.

        Raises:
            RunEnded: the run was stopped.
        """
        self._gate.look()
        return self._eyes.grab(region)


class GatedBackend(Backend):
    """A backend for the agent, whose events pass the gate one by one.

    The display's own backend stays open when this one is closed.
    """

    def __init__(self, backend: Backend, gate: Gate) -> None:
        self._backend = backend
        self._gate = gate

    def supports(self, action: type[Action]) -> bool:
        """As the backend."""
        return self._backend.supports(action)

    def pointer(self) -> Point:
        """Where the pointer is."""
        return self._backend.pointer()

    def window(self, point: Point | None) -> str:
        """As the backend."""
        return self._backend.window(point)

    def move(self, point: Point) -> None:
        """Put the pointer there."""
        with self._gate.event():
            self._backend.move(point)

    def button_down(self, button: Button) -> None:
        """Press a mouse button."""
        with self._gate.event():
            self._backend.button_down(button)

    def button_up(self, button: Button) -> None:
        """Release a mouse button."""
        with self._gate.event():
            self._backend.button_up(button)

    def scroll(self, direction: Direction, clicks: int) -> None:
        """Turn the wheel."""
        with self._gate.event():
            self._backend.scroll(direction, clicks)

    def key_down(self, key: str) -> None:
        """Press a key."""
        with self._gate.event():
            self._backend.key_down(key)

    def key_up(self, key: str) -> None:
        """Release a key."""
        with self._gate.event():
            self._backend.key_up(key)

    def type_text(self, text: str, checkpoint: Callable[[], None] = proceed) -> None:
        """Type; the gate is looked at with every checkpoint, since the whole may take long."""

        def looking() -> None:
            self._gate.check()
            checkpoint()

        self._backend.type_text(text, looking)

    def release_all(self) -> None:
        """Release everything that is still held."""
        self._backend.release_all()
