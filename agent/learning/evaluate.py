"""How often a policy solves MiniWoB++ tasks: real pages, real clicks, the page's own reward.

Every rollout is a run of the `Agent`, as a user would start it; the same seeds are then played by
random clicks, so that a number is never read without its baseline.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from actions.backends.base import BackendError
from actions.backends.x11 import X11Backend
from actions.executor import Executor
from actions.guard import Guard
from actions.settle import Patience
from agent.environments.browser import BrowserError
from agent.environments.display import DisplayError
from agent.environments.miniwob import MiniWob, task_page
from agent.episodes.errors import EpisodeInUse
from agent.episodes.format import End, Head, software
from agent.episodes.rules import rules_json
from agent.episodes.writer import EpisodeWriter
from agent.learning.scores import (
    GEOMETRY,
    GEOMETRY_REWARD,
    Rollout,
    Row,
    Table,
    Tally,
    solved_every_time,
)
from agent.loop import Agent
from agent.policies.base import Decision, Observation, Policy, PolicyError
from agent.policies.random import RandomPolicy
from agent.run import Task
from vision.capture import CaptureError

FIRST_SEED = 1_201_539_860
"""The first evaluation seed of Pix2Act, far from every training seed."""

T = TypeVar("T")

_BROKEN = (BrowserError, DisplayError, CaptureError, BackendError)


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
        # Nothing on these pages blinks, so a small change needs no second look.
        patience = Patience(blink=0)
        executor = Executor(self.backend, self.world.screen, patience, fail_safe=False)
        about, guard = policy.describe(), Guard()
        display = {"box": list(self.world.screen.box)}
        dialect = about.get("dialect", "uitars")
        head = Head(instruction, dialect, display, about, rules=rules_json(guard.rules))
        recorder = EpisodeWriter(record, head)
        witness = _Witness(policy)
        agent = Agent(witness, executor, self.world.screen, recorder, guard=guard)
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
    repeats: int = 1,
    random_seeds: int = 20,
    workers: int = 1,
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
        repeats: how often the policy plays each page.
        random_seeds: how many of the seeds are also played by random clicks; 0 means none.
        workers: how many displays are played on side by side.
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
    runs = range(first_seed, first_seed + seeds)
    with tempfile.TemporaryDirectory() as scratch:
        folder = failures or Path(scratch)
        mine = [
            Page(task, seed, policy, folder, turn)
            for task in tasks
            for seed in runs
            for turn in range(repeats)
        ]
        clicked = [
            Page(task, seed, RandomPolicy(seed), Path(scratch) / "random")
            for task in tasks
            for seed in runs[:random_seeds]
        ]
        played, browser = play_all(mine, max_steps, workers, progress)
        baseline = play_all(clicked, max_steps, workers)[0] if clicked else []
    rows = [
        Row(task, Tally.of(own), Tally.of(clicks) if clicks else None, solved_every_time(own))
        for task in tasks
        for own, clicks in [(_of(task, played), _of(task, baseline))]
    ]
    conditions = {
        "policy": policy.describe(),
        "software": software() | {"browser": browser},
        "seeds": seeds,
        "first_seed": first_seed,
        "max_steps": max_steps,
        "repeats": repeats,
        "random_seeds": min(seeds, random_seeds),
    }
    return Table(conditions, tuple(rows), tuple(played))


def _of(task: str, rollouts: Sequence[Rollout]) -> list[Rollout]:
    return [rollout for rollout in rollouts if rollout.task == task]


@dataclass(frozen=True)
class Page:
    """An episode to be played.

    Attributes:
        task: its task.
        seed: its seed.
        policy: who plays; it must bear being asked from several threads.
        folder: where the record stays when the page is not solved.
        turn: how often it was played before.
    """

    task: str
    seed: int
    policy: Policy
    folder: Path
    turn: int = 0

    @property
    def name(self) -> str:
        """Of its record."""
        return f"{self.task}-{self.seed}" + (f"-{self.turn + 1}" if self.turn else "")


def play_all(
    pages: Sequence[Page],
    max_steps: int,
    workers: int = 1,
    progress: Callable[[Rollout], None] = lambda rollout: None,
) -> tuple[list[Rollout], str]:
    """Play pages on several displays side by side.

    Args:
        pages: what to play.
        max_steps: the most decisions per page.
        workers: how many displays, each with its own browser and thread.
        progress: told each rollout as it ends.

    Returns:
        A rollout per page, in their order, and what browser it was.
    """
    waiting = deque(enumerate(pages))
    played: dict[int, Rollout] = {}

    def work() -> str:
        try:
            with Stage() as stage:
                for index, page in _drain(waiting):
                    played[index] = _safely(stage, page, max_steps)
                    progress(played[index])
                return str(stage.world.inspect(lambda page: page.evaluate("navigator.userAgent")))
        except BaseException:
            waiting.clear()  # what ends one worker ends them all
            raise

    with ThreadPoolExecutor(workers, "worker") as pool:
        crew = [pool.submit(work) for _ in range(workers)]
        try:
            browsers = [worker.result() for worker in crew]
        except BaseException:
            waiting.clear()
            raise
    return [played[index] for index in range(len(pages))], browsers[0]


def _drain(waiting: deque[T]) -> Iterator[T]:
    """What waits, until nothing does; several threads may share it."""
    while True:
        try:
            following = waiting.popleft()
        except IndexError:
            return
        yield following


def _safely(stage: Stage, page: Page, max_steps: int) -> Rollout:
    """Play, a second time when the browser dies; only unsolved episodes stay in the folder."""
    task, seed, error = page.task, page.seed, ""
    for attempt in ("", "-again"):
        record = page.folder / f"{page.name}{attempt}"
        try:
            rollout = stage.play(page.policy, task, seed, max_steps, record)
        except _BROKEN as broken:
            error = str(broken)
            stage.restart()
            continue
        if rollout.solved:
            shutil.rmtree(record)
        return rollout
    return Rollout(task, seed, 0.0, False, 0, 0.0, End.FAILED, error)
