"""The step that is under way: filled in as it goes, recorded however it ends."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from actions.receipt import Outcome, Receipt, carried_out
from actions.space import Action
from agent.policies.base import Decision, Turn
from agent.run import StepReport
from vision.frame import Frame


@dataclass
class Draft:
    """What a step came to so far.

    Attributes:
        frame: what was seen.
        began: when, on `time.perf_counter`.
        decision: what was decided, None before that.
        actions: in screen pixels, as far as the step came.
        receipts: what became of each of them.
        notes: more that the model is told.
    """

    frame: Frame
    began: float = field(default_factory=time.perf_counter)
    decision: Decision | None = None
    actions: list[Action] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def feedback(self) -> str:
        """What the model is told about the step: only what it could not expect."""
        trouble = [
            f"{type(receipt.action).__name__}: {receipt.outcome.replace('_', ' ')}. "
            f"{receipt.message}".strip()
            for receipt in self.receipts
            if receipt.outcome is not Outcome.CONFIRMED
        ]
        return "\n".join(trouble + self.notes)

    def turn(self, decision: Decision) -> Turn:
        """The step as the model will remember it."""
        performed = carried_out(receipt.outcome for receipt in self.receipts)
        return Turn(self.frame, decision.text, self.feedback, performed)

    def report(self, number: int, decision: Decision) -> StepReport:
        """The step as a listener sees it; its time ends now."""
        spent = (time.perf_counter() - self.began) * 1000
        actions, receipts = tuple(self.actions), tuple(self.receipts)
        return StepReport(number, self.frame, decision, actions, receipts, self.feedback, spent)
