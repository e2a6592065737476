"""What goes into a run and what comes out: the task, its steps, how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from actions.receipt import Receipt
from actions.space import Action
from agent.episodes.format import End
from agent.policies.base import Decision
from vision.frame import Frame


@dataclass(frozen=True)
class Task:
    """One thing to do.

    Attributes:
        instruction: in the user's words.
        max_steps: the most decisions that are taken.
        done: asked before every step and after every action; True ends the run.
        reward: asked once at the end; None when nothing judges the run.
    """

    instruction: str
    max_steps: int = 30
    done: Callable[[], bool] = lambda: False
    reward: Callable[[], float | None] = lambda: None


@dataclass(frozen=True)
class Patience:
    """How much an agent is forgiven.

    Attributes:
        unfit: decisions in a row that could not be carried out before the run fails.
        warn: how often the same action on the same screen is chosen before the model is told.
        stuck: how often before the run fails.
    """

    unfit: int = 3
    warn: int = 3
    stuck: int = 6


@dataclass(frozen=True)
class RunResult:
    """How a run went.

    Attributes:
        outcome: why it ended.
        steps: how many steps were recorded.
        message: the answer, the question or the error; empty when there is none.
        reward: what the environment said, None when nothing judged the run.
    """

    outcome: End
    steps: int
    message: str = ""
    reward: float | None = None


@dataclass(frozen=True)
class StepReport:
    """One step that was handed to the recorder.

    Attributes:
        number: 1 for the first step.
        frame: what was seen.
        decision: what was decided.
        actions: in screen pixels, as far as the step came.
        receipts: what became of each of them.
        feedback: what the model is told about it.
        total_ms: the whole step, from grabbing the screen to the last receipt, milliseconds.
    """

    number: int
    frame: Frame
    decision: Decision
    actions: tuple[Action, ...]
    receipts: tuple[Receipt, ...]
    feedback: str
    total_ms: float


Consent = Callable[[Action, str], bool]
"""Asks a human about an action in screen pixels, with the rule's reason; True is consent."""


def nobody(_action: Action, _reason: str) -> bool:
    """The consent of a run that nobody attends: there is none."""
    return False


class Listener(Protocol):
    """Is told how a run goes on, in the thread of the run; must not raise."""

    def started(self, instruction: str) -> None:
        """A run begins."""

    def stepped(self, step: StepReport) -> None:
        """A step was recorded."""

    def ended(self, result: RunResult) -> None:
        """The run is over and everything is released."""


class Silent:
    """A listener that does nothing."""

    def started(self, instruction: str) -> None:
        """Nothing."""

    def stepped(self, step: StepReport) -> None:
        """Nothing."""

    def ended(self, result: RunResult) -> None:
        """Nothing."""


class RunEnded(BaseException):  # not an error: it must pass every `except Exception` on its way
    """The run is over."""

    def __init__(self, outcome: End, message: str = "") -> None:
        super().__init__(outcome, message)
        self.outcome = outcome
        self.message = message


class Unfit(Exception):
    """The decision cannot be carried out; the text says why, for the model to read."""
