"""How often a policy solves MiniWoB++ tasks: real pages, real clicks, the page's own reward.

Every rollout is a run of the `Agent`, as a user would start it; the same seeds are then played by
random clicks, so that a number is never read without its baseline.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.table import Table as RichTable

from actions.backends.base import BackendError
from actions.backends.x11 import X11Backend
from actions.executor import Executor
from agent.environments.browser import BrowserError
from agent.environments.display import DisplayError
from agent.environments.miniwob import MiniWob, task_page
from agent.episodes.errors import EpisodeInUse
from agent.episodes.format import End, Head, software
from agent.episodes.writer import EpisodeWriter
from agent.loop import Agent
from agent.policies.base import Decision, Observation, Policy, PolicyError
from agent.policies.random import RandomPolicy
from agent.run import Task
from vision.capture import CaptureError

FIRST_SEED = 1_201_539_860
"""The first evaluation seed of Pix2Act, far from every training seed."""

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

_BROKEN = (BrowserError, DisplayError, CaptureError, BackendError)


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
    """One task: the policy, and random clicks on the first of its seeds (None: not asked for)."""

    task: str
    policy: Tally
    random: Tally | None


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

    def to_json(self) -> dict[str, Any]:
        """Everything, in JSON types."""
        return {"mean": self.mean, **asdict(self)}

    def to_rich(self) -> RichTable:
        """For the terminal."""
        shown = RichTable("task", caption=f"mean {self.mean:.1%}; brackets: 95 % intervals")
        for heading in ("solved", "random clicks", "steps", "ms/step"):
            shown.add_column(heading, justify="right")
        for row in self.rows:
            base = "–" if row.random is None else str(row.random)
            numbers = f"{row.policy.steps:.1f}", f"{row.policy.step_ms:.0f}"
            shown.add_row(row.task, str(row.policy), base, *numbers)
        return shown


class _Witness(Policy):
    """Passes everything on, and remembers when its policy could not decide at all.

    To a run that is one of its ends; to an evaluation it means that there is nothing to count.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.error: PolicyError | None = None

    def decide(self, observation: Observation) -> Decision:
        try:
            return self._policy.decide(observation)
        except PolicyError as error:
            self.error = error
            raise

    def describe(self) -> dict[str, str]:
        return self._policy.describe()


class Stage:
    """A browser with tasks and the hands that act on it; can be opened again after a crash."""

    def __init__(self) -> None:
        self._held = ExitStack()

    def __enter__(self) -> Stage:
        with ExitStack() as stack:
            self.world = stack.enter_context(MiniWob())
            self.backend = stack.enter_context(X11Backend(self.world.display.name))
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def restart(self) -> None:
        """Start all over with a new display and a new browser."""
        self._held.close()
        self.__enter__()

    def play(self, policy: Policy, task: str, seed: int, max_steps: int, record: Path) -> Rollout:
        """One episode with a policy, recorded into a new folder.

        Raises:
            BrowserError: the browser died.
            PolicyError: the policy cannot decide at all.
        """
        self.world.task = task
        instruction = self.world.reset(seed)
        executor = Executor(self.backend, self.world.screen, fail_safe=False)
        about = policy.describe()
        head = Head(instruction, about.get("dialect", "uitars"), policy=about)
        recorder = EpisodeWriter(record, head)
        witness = _Witness(policy)
        agent = Agent(witness, executor, self.world.screen, recorder)
        verdict = self.world.reward
        begun = time.perf_counter()
        result = agent.run(
            Task(instruction, max_steps, lambda: verdict().done, lambda: verdict().raw)
        )
        spent = (time.perf_counter() - begun) * 1000
        if witness.error is not None:
            raise witness.error
        reward = result.reward or 0.0
        solved = reward >= (GEOMETRY_REWARD if task in GEOMETRY else 1.0)
        return Rollout(
            task, seed, reward, solved, result.steps, spent, result.outcome, result.message
        )


def evaluate(
    policy: Policy,
    tasks: Sequence[str],
    seeds: int = 100,
    first_seed: int = FIRST_SEED,
    max_steps: int = 30,
    *,
    random_seeds: int = 20,
    failures: Path | None = None,
    progress: Callable[[Rollout], None] = lambda rollout: None,
) -> Table:
    """Play every task with every seed and say how often it was solved.

    A rollout whose browser or display dies is played once more on a new one; when that fails too,
    it counts as not solved.

    Args:
        policy: what is evaluated.
        tasks: names of MiniWoB++ tasks.
        seeds: how many consecutive seeds per task.
        first_seed: the first of them.
        max_steps: the most decisions per episode.
        random_seeds: how many of the seeds are also played by random clicks; 0 means none.
        failures: a new folder where the episodes of unsolved rollouts are kept; None: nowhere.
        progress: told each rollout of the policy.

    Raises:
        TaskError: an unknown task.
        PolicyError: the policy cannot decide at all.
        DisplayError: there is no X server; or BrowserError: no browser.
        EpisodeInUse: the folder for failures has something in it already.
    """
    for task in tasks:
        task_page(task)
    if failures is not None and failures.exists() and any(failures.iterdir()):
        raise EpisodeInUse(f"expected a new or empty folder for failures, actually: {failures}")
    rows, played = [], []
    with Stage() as stage, tempfile.TemporaryDirectory() as scratch:
        for task in tasks:
            keep = failures or Path(scratch)
            mine = []
            for seed in range(first_seed, first_seed + seeds):
                rollout = _safely(stage, policy, task, seed, max_steps, keep)
                progress(rollout)
                mine.append(rollout)
            baseline = [
                _safely(stage, RandomPolicy(seed), task, seed, max_steps, Path(scratch) / "random")
                for seed in range(first_seed, first_seed + min(seeds, random_seeds))
            ]
            rows.append(Row(task, Tally.of(mine), Tally.of(baseline) if baseline else None))
            played += mine
        browser = stage.world.inspect(lambda page: page.evaluate("navigator.userAgent"))
    conditions = {
        "policy": policy.describe(),
        "software": software() | {"browser": str(browser)},
        "seeds": seeds,
        "first_seed": first_seed,
        "max_steps": max_steps,
        "random_seeds": min(seeds, random_seeds),
    }
    return Table(conditions, tuple(rows), tuple(played))


def _safely(
    stage: Stage, policy: Policy, task: str, seed: int, max_steps: int, folder: Path
) -> Rollout:
    """Play, a second time when the browser dies; only unsolved episodes stay in the folder."""
    error = ""
    for attempt in ("", "-again"):
        record = folder / f"{task}-{seed}{attempt}"
        try:
            rollout = stage.play(policy, task, seed, max_steps, record)
        except _BROKEN as broken:
            error = str(broken)
            stage.restart()
            continue
        if rollout.solved:
            shutil.rmtree(record)
        return rollout
    return Rollout(task, seed, 0.0, False, 0, 0.0, End.FAILED, error)


def wilson(solved: int, count: int) -> tuple[float, float]:
    """The 95 % Wilson score interval (0..1) of a rate of `solved` in `count` > 0 trials."""
    z = statistics.NormalDist().inv_cdf(0.975)
    rate = solved / count
    scale = 1 + z**2 / count
    middle = (rate + z**2 / (2 * count)) / scale
    margin = z / scale * (rate * (1 - rate) / count + z**2 / (4 * count**2)) ** 0.5
    # The interval holds the rate, also where rounding would leave it outside.
    return max(0.0, min(rate, middle - margin)), min(1.0, max(rate, middle + margin))
