"""What decides whether newly learned weights are kept: held-out recordings and standard screens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from agent.episodes.agent_replay import agent_replay
from agent.learning.grounding import evaluate_grounding
from agent.policies.base import Policy
from vision.geometry import Size

POINTING_SIZE = Size(320, 240)


@dataclass(frozen=True)
class Standing:
    """How well a model does.

    Attributes:
        agreed: decisions on held-out recordings that came to the same kinds of action at nearly
            the same places (`AgentReport.near`).
        decided: how many decisions there were.
        pointed: questions about the standard screens that were answered right.
        asked: how many questions there were.
    """

    agreed: int
    decided: int
    pointed: int
    asked: int


def standing(policy: Policy, held_out: Sequence[Path], screens: int) -> Standing:
    """Let a policy decide on recordings, and point on generated screens of the test split.

    The screens, their words, fonts and icons are the same on every machine, and none is trained on.

    Raises:
        EpisodeError: an episode cannot be read.
        PolicyError: the policy cannot decide at all.
    """
    reports = [agent_replay(path, policy) for path in held_out]
    (result,) = evaluate_grounding([policy], POINTING_SIZE, screens)
    return Standing(
        sum(report.near for report in reports),
        sum(report.steps for report in reports),
        sum(answer.right for answer in result.answers),
        len(result.answers),
    )


@dataclass(frozen=True)
class Gate:
    """Two standings on the same questions.

    Attributes:
        before: of the model that training began from.
        after: of the new weights.
    """

    before: Standing
    after: Standing

    @property
    def refusal(self) -> str:
        """Why the new weights are not kept; empty when they are."""
        if self.after.agreed <= self.before.agreed:
            return "they do no better on the recordings that were held back"
        if self.after.pointed < self.before.pointed:
            return "they point worse on the standard screens"
        return ""

    def to_rich(self) -> Table:
        """Both, side by side."""
        shown = Table("", "before", "after")
        one, other = self.before, self.after
        shown.add_row(
            "held-out decisions as recorded",
            _share(one.agreed, one.decided), _share(other.agreed, other.decided),
        )  # fmt: skip
        shown.add_row(
            "standard screens pointed at right",
            _share(one.pointed, one.asked), _share(other.pointed, other.asked),
        )  # fmt: skip
        return shown


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})" if whole else "–"
