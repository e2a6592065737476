"""An executor that does nothing the guard objects to."""

from __future__ import annotations

from actions.executor import Executor
from actions.guard import Guard, Permission
from actions.receipt import Outcome, Receipt
from actions.space import Action
from agent.run import Consent
from vision.frame import Frame


class GuardedHands:
    """Asks the guard, and a human where the guard wants one, before every action."""

    def __init__(self, executor: Executor, guard: Guard, consent: Consent) -> None:
        self._executor = executor
        self._guard = guard
        self._consent = consent

    def perform(self, action: Action, seen: Frame | None) -> Receipt:
        """Perform one action, or say why not; see `Executor.perform`.

        Raises:
            Stopped: the executor was stopped.
        """
        if refusal := self._refusal(action):
            return Receipt(action, Outcome.REFUSED, refusal)
        receipt = self._executor.perform(action, seen)
        if receipt.outcome is Outcome.FAILED:
            self._guard.release_all()  # as the executor did
        return receipt

    @property
    def paused(self) -> bool:
        """Whether a person is at work; what would be asked for now is refused."""
        return self._executor.paused

    def stop(self, reason: str) -> None:
        """Release everything and perform nothing any more. Any thread; safe to repeat."""
        self._executor.stop(reason)

    def _refusal(self, action: Action) -> str:
        """Why this must not happen; empty when it may."""
        verdict = self._guard.check(action)
        if verdict.permission is Permission.DENY:
            return f"not allowed: {verdict.reason}"
        if verdict.permission is Permission.ASK and not self._consent(action, verdict.reason):
            return f"the user did not agree: {verdict.reason}"
        return ""
