"""What decides whether newly learned weights are kept: held-out recordings and standard screens."""

from __future__ import annotations

import math
import statistics
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


ALLOWED = 0.03
"""The share of standard answers that new weights may lose at the worst: what luck alone does to a
few hundred questions. Fewer questions prove less and are refused sooner."""

_SIDED = statistics.NormalDist().inv_cdf(0.95)


@dataclass(frozen=True)
class Score:
    """Which questions were answered right, in the order in which they were asked."""

    answers: tuple[bool, ...]

    @property
    def right(self) -> int:
        """How many were."""
        return sum(self.answers)

    def __add__(self, other: Score) -> Score:
        """Both, one after the other."""
        return Score(self.answers + other.answers)

    def __str__(self) -> str:
        asked = len(self.answers)
        return f"{self.right} of {asked}" + (f" ({self.right / asked:.0%})" if asked else "")


@dataclass(frozen=True)
class Change:
    """Two scores on the same questions.

    Attributes:
        asked: questions in all.
        gained: wrong before and right after.
        lost: right before and wrong after.
    """

    asked: int
    gained: int
    lost: int

    @classmethod
    def between(cls, before: Score, after: Score) -> Change:
        """Compare answer by answer."""
        pairs = list(zip(before.answers, after.answers, strict=True))
        return cls(len(pairs), pairs.count((False, True)), pairs.count((True, False)))

    @property
    def bounds(self) -> tuple[float, float]:
        """Where the true change of the share of right answers lies: 95 % sure on either side.

        The interval of Agresti and Min (2005) for paired answers: half an answer is added to each
        of the four ways that a pair can come out, so that few questions never look certain.
        """
        asked = self.asked + 2
        middle = (self.gained - self.lost) / asked
        error = math.sqrt((self.gained + self.lost + 1) / asked - middle**2) / math.sqrt(asked)
        return middle - _SIDED * error, middle + _SIDED * error

    def __str__(self) -> str:
        low, high = self.bounds
        return f"+{self.gained} -{self.lost} ({low:+.1%} to {high:+.1%})"


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
        Score(tuple(near for report in reports for near in report.near)),
        _pointing(policy, POINTING_SIZE, screens),
        _pointing(policy, DESKTOP_SIZE, math.ceil(screens / 4)),
    )


def _pointing(policy: Policy, size: Size, screens: int) -> Score:
    (result,) = evaluate_grounding([policy], size, screens)
    return Score(tuple(answer.right for answer in result.answers))


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
    def recorded(self) -> Change:
        """Of the decisions on held-out recordings."""
        return Change.between(self.before.recorded, self.after.recorded)

    @property
    def standard(self) -> Change:
        """Of all answers about standard screens."""
        before, after = (each.pointed + each.desktops for each in (self.before, self.after))
        return Change.between(before, after)

    @property
    def refusal(self) -> str:
        """Why the new weights are not kept; empty when they are.

        Recordings must be decided better. Standard screens must not be answered worse, which has
        to be shown: 95 % sure, fewer than `ALLOWED` of all answers are lost. Neither size may be
        answered worse beyond doubt.
        """
        if self.recorded.gained <= self.recorded.lost:
            return "they do no better on the recordings that were held back"
        for size, change in self._sizes():
            if change.bounds[1] < 0:
                return f"they point worse on standard screens of {_words(size)}"
        if self.standard.bounds[0] < -ALLOWED:
            return (
                f"they may lose {-self.standard.bounds[0]:.1%} of the answers about standard "
                f"screens, more than the {ALLOWED:.0%} that are allowed"
            )
        return ""

    def _sizes(self) -> tuple[tuple[Size, Change], ...]:
        one, other = self.before, self.after
        return (
            (POINTING_SIZE, Change.between(one.pointed, other.pointed)),
            (DESKTOP_SIZE, Change.between(one.desktops, other.desktops)),
        )

    def to_rich(self) -> Table:
        """Both, side by side."""
        shown = Table("", "before", "after", "gained, lost", caption="95 % sure on either side")
        one, other = self.before, self.after
        rows = (
            ("held-out decisions", one.recorded, other.recorded),
            (f"pointing, {_words(POINTING_SIZE)}", one.pointed, other.pointed),
            (f"pointing, {_words(DESKTOP_SIZE)}", one.desktops, other.desktops),
            ("pointing, both", one.pointed + one.desktops, other.pointed + other.desktops),
        )
        for name, before, after in rows:
            shown.add_row(name, str(before), str(after), str(Change.between(before, after)))
        return shown


def _words(size: Size) -> str:
    return f"{size.width:.0f}x{size.height:.0f}"
