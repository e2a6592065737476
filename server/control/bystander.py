"""A person at the display of a session, who comes before whoever drives it from afar."""

from __future__ import annotations

from collections.abc import Callable

from actions.executor import Human, Nobody
from server.control.desk import Desk
from server.control.gate import Gate


class Bystander:
    """What the executor asks before every event: whether a person holds the agent back.

    The gate does, and it is shut as soon as somebody uses the display's own mouse or keyboard.

    Args:
        desk: the display.
        gate: the agent's.
        came: is told of such a person, and shuts the gate.
    """

    def __init__(self, desk: Desk, gate: Gate, came: Callable[[], None]) -> None:
        self._local: Human = desk.seat.human if desk.seat else Nobody()
        self._gate = gate
        self._came = came

    def at_work(self) -> bool:
        """Whether nothing may be performed now. For the agent's thread."""
        if self._gate.is_open and self._local.at_work():
            self._came()
        return not self._gate.is_open

    def visits(self) -> int:
        """How often a person has held the agent back so far."""
        return self._gate.shuts
