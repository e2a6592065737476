"""The gate between an agent and its display, without a server."""

from __future__ import annotations

from actions.backends.scripted import Kind, ScriptedBackend
from actions.executor import Executor
from actions.receipt import Outcome
from actions.space import Click, Drag
from server.control.bystander import Bystander
from server.control.desk import Desk
from server.control.gate import Gate, GatedBackend
from tests.server.control_kit import Painted
from vision.damage import Unknown
from vision.geometry import Point


def nothing() -> None:
    pass


def test_a_pause_that_is_over_at_once_has_broken_the_drag_off() -> None:
    """The agent's thread may sleep between two steps from before the pause until after it."""
    gate = Gate(nothing)

    class PausedOnce(ScriptedBackend):
        def move(self, point: Point) -> None:
            super().move(point)
            if self.held_buttons:
                gate.shut()
                self.release_all()
                gate.open()

    backend = PausedOnce()
    desk = Desk("virtual", Painted(), Unknown(), backend, False, nothing)
    human = Bystander(desk, gate, nothing)
    executor = Executor(GatedBackend(backend, gate), human=human)
    receipt = executor.perform(Drag(Point(10, 10), Point(300, 200)))
    assert receipt.outcome is Outcome.FAILED
    assert backend.events[-1].kind is Kind.BUTTON_UP
    assert [event.kind for event in backend.events].count(Kind.MOVE) == 2
    assert executor.perform(Click(Point(9, 9))).outcome is Outcome.NO_VISIBLE_EFFECT
