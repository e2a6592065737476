"""An executor that does nothing the guard objects to, and that alone knows secrets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from actions.executor import Executor, Stopped
from actions.guard import Guard, Permission
from actions.receipt import Outcome, Receipt
from actions.secrets import SecretError, fill, has_secret
from actions.space import Action, Hotkey, Type, points
from agent.run import Consent
from agent.veil import Veiled
from vision.frame import Frame


@dataclass(frozen=True)
class Vault:
    """Secrets, and what keeps them from being seen once they are typed.

    Attributes:
        lookup: gives the value of a named secret or raises `SecretError`.
        eyes: what everybody looks with; it learns to overlook what was typed.
    """

    lookup: Callable[[str], str]
    eyes: Veiled


class GuardedHands:
    """Asks the guard, and a human where the guard wants one, before every action.

    Args:
        executor: what acts.
        guard: what may run.
        consent: asked where a rule wants a human to agree.
        vault: None means that there are no secrets.
    """

    def __init__(
        self, executor: Executor, guard: Guard, consent: Consent, vault: Vault | None = None
    ) -> None:
        self._executor = executor
        self._guard = guard
        self._consent = consent
        self._vault = vault

    def perform(self, action: Action, seen: Frame | None) -> Receipt:
        """Perform one action, or say why not; see `Executor.perform`.

        A secret is only in the action that the executor gets; the receipt names it, as the model
        did.

        Raises:
            Stopped: the executor was stopped.
        """
        if refusal := self._refusal(action):
            return Receipt(action, Outcome.REFUSED, refusal)
        if isinstance(action, Type) and has_secret(action.text):
            receipt = self._type_secret(action, seen, self._vault)
        else:
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

    def _type_secret(self, action: Type, seen: Frame | None, vault: Vault | None) -> Receipt:
        """Submit separately: what follows is another page, and need not be hidden."""
        if vault is None:
            return Receipt(action, Outcome.REFUSED, "there are no secrets here")
        try:
            text = fill(action.text, vault.lookup)
        except SecretError as error:
            return Receipt(action, Outcome.REFUSED, str(error))
        before = vault.eyes.grab()
        try:
            receipt = self._executor.perform(replace(action, text=text, submit=False), seen)
        except Stopped as stopped:
            raise Stopped(replace(stopped.receipt, action=action)) from None
        finally:
            vault.eyes.hide_what_changes_since(before)
        done = receipt.outcome in (Outcome.CONFIRMED, Outcome.NO_VISIBLE_EFFECT)
        if done and action.submit:
            vault.eyes.grab()  # veils what was typed before it is another page
            pressed = self._executor.perform(Hotkey(("enter",)))
            receipt = replace(receipt, outcome=pressed.outcome, message=pressed.message)
        return replace(receipt, action=action)

    def _refusal(self, action: Action) -> str:
        """Why this must not happen; empty when it may."""
        verdict = self._guard.check(action)
        if verdict.permission is Permission.DENY:
            return f"not allowed: {verdict.reason}"
        if verdict.permission is Permission.ASK:
            return self._objection(action, verdict.reason)
        return ""

    def _objection(self, action: Action, reason: str) -> str:
        """What a human says against it, or the windows: who answers may have moved the keyboard."""
        place = next(iter(points(action)), None)
        window = self._guard.window(place)
        if not self._consent(action, reason):
            return f"the user did not agree: {reason}"
        if self._guard.window(place) != window:
            return "another window would get this by now; look again"
        return ""
