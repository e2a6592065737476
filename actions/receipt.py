"""What really happened when an action was performed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from actions.space import Action


class Outcome(StrEnum):
    """How an action ended."""

    CONFIRMED = "confirmed"
    """The screen changed after the events were sent."""
    NO_VISIBLE_EFFECT = "no_visible_effect"
    """The events were sent; the screen stayed as it was."""
    REFUSED = "refused"
    """Nothing was sent: not supported, denied by the guard, or the target changed."""
    FAILED = "failed"
    """Sending broke off; held keys and buttons were released."""


def carried_out(outcomes: Iterable[str]) -> bool:
    """Whether all of these outcomes, at least one, are of actions whose events were sent."""
    sent = [outcome in (Outcome.CONFIRMED, Outcome.NO_VISIBLE_EFFECT) for outcome in outcomes]
    return bool(sent) and all(sent)


@dataclass(frozen=True)
class Receipt:
    """The record of one performed action.

    Attributes:
        action: the action in screen pixels.
        outcome: see `Outcome`.
        message: one sentence for the model and for people; empty when there is nothing to add.
        act_ms: time spent sending events, milliseconds.
        settle_ms: time waited for the screen to be still afterwards, milliseconds.
        crop: SHA-256 (hex) of the pixels around the target before the action, None if it has none.
    """

    action: Action
    outcome: Outcome
    message: str = ""
    act_ms: float = 0.0
    settle_ms: float = 0.0
    crop: str | None = None
