"""What decides whether newly learned weights are kept: held-out recordings and standard screens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from agent.episodes.agent_replay import agent_replay
from agent.learning.grounding import evaluate_grounding
from agent.policies.base import Policy
from vision.geometry import Size

POINTING_SIZE = Size(320, 240)
DESKTOP_SIZE = Size(640, 480)
"""That of the virtual display, and of a small desktop."""


@dataclass(frozen=True)
class Score:
    """How many answers were right, and how many questions there were."""

    right: int
    asked: int

    def __str__(self) -> str:
        share = f" ({self.right / self.asked:.0%})" if self.asked else ""
        return f"{self.right} of {self.asked}{share}"


@dataclass(frozen=True)
class Standing:
    """How well a model does.

    Attributes:
        recorded: decisions on held-out recordings that came to the same kinds of action at nearly
            the same places (`AgentReport.near`).
        pointed: answers about the standard screens of `POINTING_SIZE`.
        desktops: answers about the standard screens of `DESKTOP_SIZE`. A model can lose whole
            desktops and not show it on small screens (docs/experiments.md).
    """

    recorded: Score
    pointed: Score
    desktops: Score


def standing(policy: Policy, held_out: Sequence[Path], screens: int) -> Standing:
    """Let a policy decide on recordings, and point on generated screens of the test split.

    The screens, their words, fonts and icons are the same on every machine, and none is trained on.

    Args:
        policy: who decides.
        held_out: recordings.
        screens: how many of `POINTING_SIZE`; of the larger ones as many as have about their area.

    Raises:
        EpisodeError: an episode cannot be read.
        PolicyError: the policy cannot decide at all.
    """
    reports = [agent_replay(path, policy) for path in held_out]
    return Standing(
        Score(sum(report.near for report in reports), sum(report.steps for report in reports)),
        _pointing(policy, POINTING_SIZE, screens),
        _pointing(policy, DESKTOP_SIZE, math.ceil(screens / 4)),
    )


def _pointing(policy: Policy, size: Size, screens: int) -> Score:
    (result,) = evaluate_grounding([policy], size, screens)
    return Score(sum(answer.right for answer in result.answers), len(result.answers))


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
        if self.after.recorded.right <= self.before.recorded.right:
            return "they do no better on the recordings that were held back"
        if self.after.pointed.right < self.before.pointed.right:
            return "they point worse on the standard screens"
        if self.after.desktops.right < self.before.desktops.right:
            return "they point worse on standard screens of the size of a desktop"
        return ""

    def to_rich(self) -> Table:
        """Both, side by side."""
        shown = Table("", "before", "after")
        one, other = self.before, self.after
        rows = (
            ("held-out decisions as recorded", one.recorded, other.recorded),
            (f"pointed at right, {_words(POINTING_SIZE)}", one.pointed, other.pointed),
            (f"pointed at right, {_words(DESKTOP_SIZE)}", one.desktops, other.desktops),
        )
        for name, before, after in rows:
            shown.add_row(name, str(before), str(after))
        return shown


def _words(size: Size) -> str:
    return f"{size.width:.0f}x{size.height:.0f}"
