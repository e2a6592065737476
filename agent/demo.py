"""The demonstration: real Chromium on a throw-away display, three tasks, pixels only.

The pages are asked for their verdict and for nothing else; what the agent does comes from what it
sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from actions.backends.x11 import X11Backend
from agent.environments.miniwob import MiniWob
from agent.episodes.format import End
from agent.episodes.report import write_report
from agent.policies.base import Policy
from agent.run import Listener, RunResult, Task
from agent.session import work

TASKS = ("click-test-2", "click-dialog", "click-tab")
MAX_STEPS = 5


@dataclass(frozen=True)
class Attempt:
    """What became of one task.

    Attributes:
        task: its name.
        seed: which of its pages.
        result: how the run went; the reward in it is the page's own.
        episode: where it was recorded.
    """

    task: str
    seed: int
    result: RunResult
    episode: Path

    @property
    def solved(self) -> bool:
        """The page says so, with its full reward."""
        return self.result.reward == 1


@dataclass(frozen=True)
class Demonstration:
    """Every attempt, in order, and the HTML report on them; a stopped one is the last."""

    attempts: tuple[Attempt, ...]
    report: Path

    @property
    def solved(self) -> bool:
        """The pages say that every task was solved."""
        return all(attempt.solved for attempt in self.attempts)


def demonstrate(
    policy: Policy,
    folder: Path,
    listen: Callable[[], Listener],
    seed: int,
    tasks: tuple[str, ...] = TASKS,
) -> Demonstration:
    """Let a policy work on each task once; a signal ends the demonstration after its run.

    Args:
        policy: what decides.
        folder: a new folder, for one episode per task and the report.
        listen: makes the listener of each run.
        seed: which page of each task.
        tasks: MiniWoB++ tasks.

    Raises:
        DisplayError: no virtual display can be started; the message names the package.
        BrowserError: there is no Chromium, or it died.
        EpisodeError: the episodes cannot be written.
    """
    attempts = []
    with MiniWob() as world, X11Backend(world.display.name) as backend:
        for name in tasks:
            task, episode = _set(world, name, seed), folder / name
            result = work(task, policy, world.screen, backend, episode, listen())
            attempts.append(Attempt(name, seed, result, episode))
            if result.outcome is End.STOPPED:
                break
    episodes = [attempt.episode for attempt in attempts]
    return Demonstration(tuple(attempts), write_report(episodes, folder / "report.html"))


def _set(world: MiniWob, name: str, seed: int) -> Task:
    """Show a page; the task that it sets."""
    world.task = name
    instruction = world.reset(seed)
    return Task(instruction, MAX_STEPS, lambda: world.reward().done, lambda: world.reward().raw)
