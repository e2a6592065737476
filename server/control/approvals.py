"""Questions to a person, and their answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from actions.space import Action
from server.errors import ApiError


@dataclass(frozen=True)
class Question:
    """An action that waits for consent.

    Attributes:
        number: counts the questions of a session, from 1.
        action: in screen pixels.
        reason: why a person is asked.
    """

    number: int
    action: Action
    reason: str


class Approvals:
    """At most one open question; the agent's thread waits in `ask` for its answer.

    Args:
        changed: is told when a question was put or answered.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._state = threading.Condition()
        self._count = 0
        self._open: Question | None = None
        self._agreed = False

    @property
    def question(self) -> Question | None:
        """What waits for an answer, None when nothing does."""
        return self._open

    def ask(self, action: Action, reason: str) -> bool:
        """Put the question and wait; whether the person agreed."""
        with self._state:
            self._count += 1
            self._open, self._agreed = Question(self._count, action, reason), False
        self._changed()
        with self._state:
            self._state.wait_for(lambda: self._open is None)
            return self._agreed

    def answer(self, number: int, agreed: bool) -> None:
        """Answer a question.

        Raises:
            ApiError: 409, it is not open (any more).
        """
        with self._state:
            if self._open is None or self._open.number != number:
                raise ApiError(409, f"question {number} is not open: look at the session's state")
            self._settle(agreed)
        self._changed()

    def withdraw(self) -> None:
        """Let the agent go without consent: its run is over."""
        with self._state:
            self._settle(agreed=False)

    def _settle(self, agreed: bool) -> None:
        self._open, self._agreed = None, agreed
        self._state.notify_all()
