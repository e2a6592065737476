"""Episodes that are played to be counted: whose, where, and what becomes of those that break."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

from actions.backends.base import BackendError
from actions.executor import Executor
from actions.guard import Guard
from agent.environments.browser import BrowserError
from agent.environments.display import DisplayError
from agent.environments.program import ProgramError
from agent.episodes.format import End, Head
from agent.episodes.rules import rules_json
from agent.episodes.writer import EpisodeWriter
from agent.learning.scores import Rollout
from agent.loop import Agent
from agent.policies.base import Decision, Observation, Policy, PolicyError
from agent.run import RunResult, Task
from vision.capture import CaptureError, Screen

T = TypeVar("T")

BROKEN = (BrowserError, DisplayError, ProgramError, CaptureError, BackendError)
"""What says that the place broke, and not the policy."""

PLAYS = 2
"""An episode whose place broke this often is not played again."""


@dataclass(frozen=True)
class Page:
    """An episode to be played.

    Attributes:
        task: its task.
        seed: its seed.
        policy: who plays; it must bear being asked from several threads. None: the task's oracle,
            which knows more than an agent may and shows what can be reached.
        folder: where the record stays when the page is not solved.
        turn: how often it was played before.
    """

    task: str
    seed: int
    policy: Policy | None
    folder: Path
    turn: int = 0

    @property
    def name(self) -> str:
        """Of its record."""
        return f"{self.task}-{self.seed}" + (f"-{self.turn + 1}" if self.turn else "")

    def lost(self, why: str) -> Rollout:
        """What counts for a page whose place broke every time."""
        return Rollout(self.task, self.seed, 0.0, False, 0, 0.0, End.FAILED, why)


class Stage(ABC):
    """A place to play at, alive inside a `with` block; it can be opened again after a crash."""

    def __init__(self) -> None:
        self._held = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._open(stack)
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
        """Start all over with new programs."""
        self._held.close()
        self.__enter__()

    @abstractmethod
    def play(
        self, policy: Policy | None, task: str, seed: int, max_steps: int, record: Path
    ) -> Rollout:
        """One episode with a policy, or with the oracle, recorded into a new folder.

        Raises:
            BrowserError, DisplayError, ProgramError, CaptureError, BackendError: the place broke.
            PolicyError: the policy cannot decide at all.
        """

    @classmethod
    @abstractmethod
    def check(cls, tasks: Sequence[str]) -> None:
        """Refuse tasks that cannot be played here, before anything starts.

        Raises:
            TaskError: some of them are unknown, or lack their program.
        """

    @classmethod
    @abstractmethod
    def has_oracle(cls, task: str) -> bool:
        """Whether somebody knows how to solve it."""

    @abstractmethod
    def describe(self) -> dict[str, str]:
        """Versions of the programs that are played with."""

    @abstractmethod
    def _open(self, stack: ExitStack) -> None:
        """Start everything; the stack ends it."""


def run(policy: Policy, task: Task, hands: Executor, eyes: Screen, record: Path) -> RunResult:
    """Let a policy work on a task as a user would, recorded into a new folder.

    Raises:
        PolicyError: the policy cannot decide at all.
    """
    about, guard = policy.describe(), Guard()
    dialect = about.get("dialect", "uitars")
    rules = rules_json(guard.rules)
    head = Head(task.instruction, dialect, {"box": list(eyes.box)}, about, rules=rules)
    witness = _Witness(policy)
    result = Agent(witness, hands, eyes, EpisodeWriter(record, head), guard=guard).run(task)
    if witness.error is not None:
        raise witness.error
    return result


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


@dataclass(frozen=True)
class Played:
    """What became of pages.

    Attributes:
        rollouts: one per page, in their order.
        software: what they were played with.
    """

    rollouts: tuple[Rollout, ...]
    software: dict[str, str]


class Crew(Protocol):
    """Whoever plays pages on several stages side by side: threads, or a cluster."""

    def __call__(
        self,
        stage: Callable[[], Stage],
        pages: Sequence[Page],
        max_steps: int,
        progress: Callable[[Rollout], None],
    ) -> Played:
        """Play them all; what breaks twice counts as not solved, other errors end everything."""


class Threads:
    """Plays on this machine, each worker with a stage and a thread of its own."""

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers

    def __call__(
        self,
        stage: Callable[[], Stage],
        pages: Sequence[Page],
        max_steps: int,
        progress: Callable[[Rollout], None] = lambda rollout: None,
    ) -> Played:
        """Play them all."""
        if not pages:
            return Played((), {})
        waiting = deque(enumerate(pages))
        played: dict[int, Rollout] = {}

        def work() -> dict[str, str]:
            try:
                with stage() as mine:
                    for index, page in drain(waiting):
                        played[index] = play_safely(mine, page, max_steps)
                        progress(played[index])
                    return mine.describe()
            except BaseException:
                waiting.clear()  # what ends one worker ends them all
                raise

        with ThreadPoolExecutor(self._workers, "worker") as pool:
            crew = [pool.submit(work) for _ in range(self._workers)]
            try:
                software = [worker.result() for worker in crew]
            except BaseException:
                waiting.clear()
                raise
        return Played(tuple(played[index] for index in range(len(pages))), software[0])


def drain(waiting: deque[T]) -> Iterator[T]:
    """What waits, until nothing does; several threads may share it."""
    while True:
        try:
            following = waiting.popleft()
        except IndexError:
            return
        yield following


def play_safely(stage: Stage, page: Page, max_steps: int) -> Rollout:
    """Play, a second time when the place breaks; only unsolved episodes stay in the folder."""
    error = ""
    for attempt in ("", "-again"):
        record = page.folder / f"{page.name}{attempt}"
        try:
            rollout = stage.play(page.policy, page.task, page.seed, max_steps, record)
        except BROKEN as broken:
            error = str(broken)
            stage.restart()
            continue
        if rollout.solved:
            shutil.rmtree(record)
        return rollout
    return page.lost(error)
