"""A person's pointer and keys, sent to the display of a session."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from actions.backends.base import BackendError
from actions.gestures import Hands, play
from actions.guard import Guard, Permission
from actions.space import (
    Action,
    Click,
    Drag,
    Hotkey,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Scroll,
    Type,
)
from server.control.desk import Desk
from server.control.gate import Gate, GatedBackend
from server.errors import ApiError

KINDS = (Click, Drag, Hotkey, KeyDown, KeyUp, MouseDown, MouseUp, Move, Scroll, Type)
"""What a person may send; nothing in it can take long."""


class Person:
    """Plays what a person does, as long as they have taken over.

    Any thread may call anything; `play` does one call after the other.

    Args:
        desk: the display.
    """

    def __init__(self, desk: Desk) -> None:
        self._gate = Gate(changed=lambda: None)
        self._gate.shut()
        self._desk = desk
        self._backend = GatedBackend(desk.backend, self._gate)
        self._hands = Hands(self._backend, self._gate.check, self._pause)
        self._guard = Guard()
        self._turn = threading.Lock()
        self._off = threading.Event()

    @property
    def present(self) -> bool:
        """Whether a person has taken over."""
        return self._gate.is_open

    def come(self) -> None:
        """Take over."""
        self._off.clear()
        self._gate.open()

    def leave(self) -> None:
        """Break off what is being played, and release everything."""
        self._off.set()
        self._gate.shut()
        self._desk.backend.release_all()
        self._guard.release_all()

    def play(self, actions: Sequence[Action]) -> None:
        """Do these, one after the other.

        Raises:
            ApiError: 400, an action that a person cannot do this way; 403, the guard forbids it;
                409, nobody has taken over, or the take-over ended meanwhile; 503, no display.
        """
        with self._turn:
            for action in actions:
                self._admit(action)
                try:
                    play(action, self._hands)
                except BackendError as error:
                    raise ApiError(409 if self._off.is_set() else 503, str(error)) from error

    def _admit(self, action: Action) -> None:
        if not self.present:
            raise ApiError(409, "nobody has taken over this session: take over first")
        if not isinstance(action, KINDS):
            names = ", ".join(kind.__name__ for kind in KINDS)
            raise ApiError(400, f"expected one of {names}, came {type(action).__name__}")
        verdict = self._guard.check(action)
        if verdict.permission is Permission.DENY:
            raise ApiError(403, f"not allowed: {verdict.reason}")

    def _pause(self, seconds: float) -> None:
        self._off.wait(seconds)
        self._gate.check()
