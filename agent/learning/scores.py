"""What evaluations count, and how it is shown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table as RichTable

from agent.learning.tiers import PUBLISHED, tiers

GEOMETRY = frozenset(
    {
        "bisect-angle",
        "circle-center",
        "find-midpoint",
        "right-angle",
        "use-colorwheel",
        "use-colorwheel-2",
    }
)
"""Tasks whose reward says how near the answer is; solved from `GEOMETRY_REWARD` on."""

GEOMETRY_REWARD = 0.8


@dataclass(frozen=True)
class Rollout:
    """One episode.

    Attributes:
        task: its task.
        seed: its seed.
        reward: the page's raw reward, -1..1; 0 when the page did not end the episode.
        solved: whether that counts as success.
        steps: how many decisions were taken.
        milliseconds: from the first look to the last effect.
        outcome: why the run ended, see `End`.
        message: what there is to tell about the end; the error of a rollout that broke twice.
    """

    task: str
    seed: int
    reward: float
    solved: bool
    steps: int
    milliseconds: float
    outcome: str
    message: str = ""


@dataclass(frozen=True)
class Tally:
    """What rollouts come to.

    Attributes:
        rollouts: how many.
        solved: how many of them were solved.
        low: lower end of the 95 % interval (Wilson) of the success rate, 0..1.
        high: its upper end.
        steps: mean per rollout.
        step_ms: mean milliseconds per step.
    """

    rollouts: int
    solved: int
    low: float
    high: float
    steps: float
    step_ms: float

    @classmethod
    def of(cls, rollouts: Sequence[Rollout]) -> Tally:
        """The tally of at least one rollout."""
        count, solved = len(rollouts), sum(rollout.solved for rollout in rollouts)
        steps = sum(rollout.steps for rollout in rollouts)
        spent = sum(rollout.milliseconds for rollout in rollouts)
        return cls(count, solved, *wilson(solved, count), steps / count, spent / max(1, steps))

    @property
    def rate(self) -> float:
        """Success rate, 0..1."""
        return self.solved / self.rollouts

    def __str__(self) -> str:
        return f"{self.rate:.0%} ({self.low:.0%}–{self.high:.0%})"


@dataclass(frozen=True)
class Row:
    """One task.

    Attributes:
        task: its name.
        policy: all rollouts of the policy.
        random: random clicks on the first of its seeds; None: not asked for.
        every_time: the share of its pages (0..1) that were solved each time they were played, which
            is pass^k of arXiv 2406.12045 for k plays.
        oracle: one that sees behind the screen, on the first of the seeds; None: not asked for, or
            there is none.
    """

    task: str
    policy: Tally
    random: Tally | None
    every_time: float
    oracle: Tally | None = None


@dataclass(frozen=True)
class Table:
    """The result of an evaluation.

    Attributes:
        conditions: what was evaluated and how, for whoever repeats it.
        rows: one per task, in the order asked for.
        rollouts: every rollout of the policy.
    """

    conditions: dict[str, Any]
    rows: tuple[Row, ...]
    rollouts: tuple[Rollout, ...]

    @property
    def mean(self) -> float:
        """The mean of the tasks' success rates, 0..1."""
        return statistics.fmean(row.policy.rate for row in self.rows)

    @property
    def every_time(self) -> float:
        """The mean of the tasks' shares of pages that were solved at every repeat, 0..1."""
        return statistics.fmean(row.every_time for row in self.rows)

    def tiers(self) -> dict[str, tuple[float, int]]:
        """Mean success rate (0..1) and number of tasks of every group that has tasks here."""
        rates = {row.task: row.policy.rate for row in self.rows}
        mine = {name: [rates[t] for t in names if t in rates] for name, names in tiers().items()}
        return {name: (statistics.fmean(some), len(some)) for name, some in mine.items() if some}

    def to_json(self) -> dict[str, Any]:
        """Everything, in JSON types."""
        means = {"mean": self.mean, "every_time": self.every_time}
        return {**means, "tiers": self.tiers(), **asdict(self)}

    def to_rich(self) -> RichTable:
        """For the terminal."""
        every = Tally.of(self.rollouts)
        caption = f"mean {self.mean:.1%}; all {every.rollouts} episodes: {every}; "
        caption += "brackets: 95 % intervals"
        if (repeats := self.conditions.get("repeats", 1)) > 1:
            caption += f"; {self.every_time:.1%} of the pages solved {repeats} times of {repeats}"
        for name, (_, count) in self.tiers().items():
            if name in PUBLISHED and count == len(tiers()[name]):
                caption += f"\npublished, {name}: {PUBLISHED[name]}"
        shown = RichTable("task", caption=caption)
        for heading in ("solved", "random clicks", "oracle", "steps", "ms/step"):
            shown.add_column(heading, justify="right")
        for row in self.rows:
            bounds = ["–" if tally is None else str(tally) for tally in (row.random, row.oracle)]
            numbers = f"{row.policy.steps:.1f}", f"{row.policy.step_ms:.0f}"
            shown.add_row(row.task, str(row.policy), *bounds, *numbers)
        shown.add_section()
        for name, (rate, count) in self.tiers().items():
            shown.add_row(f"{name} ({count} of {len(tiers()[name])})", f"{rate:.1%}", "", "", "")
        return shown


def solved_every_time(rollouts: Sequence[Rollout]) -> float:
    """The share (0..1) of pages that no rollout failed on."""
    pages: dict[int, bool] = {}
    for rollout in rollouts:
        pages[rollout.seed] = pages.get(rollout.seed, True) and rollout.solved
    return sum(pages.values()) / len(pages)


def wilson(solved: int, count: int) -> tuple[float, float]:
    """The 95 % Wilson score interval (0..1) of a rate of `solved` in `count` > 0 trials."""
    z = statistics.NormalDist().inv_cdf(0.975)
    rate = solved / count
    scale = 1 + z**2 / count
    middle = (rate + z**2 / (2 * count)) / scale
    margin = z / scale * (rate * (1 - rate) / count + z**2 / (4 * count**2)) ** 0.5
    # The interval holds the rate, also where rounding would leave it outside.
    return max(0.0, min(rate, middle - margin)), min(1.0, max(rate, middle + margin))
