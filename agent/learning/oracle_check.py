"""What oracles can do when they make no mistakes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from agent.learning.demonstrator import open_player

CHECKED = 3
"""Seeds per task of `--check`."""


@dataclass(frozen=True)
class Check:
    """How an oracle does without mistakes.

    Attributes:
        task: its task.
        episodes: how many were played.
        solved: how many of them with full reward.
        steps: mean actions per episode.
        seconds: mean per episode.
    """

    task: str
    episodes: int
    solved: int
    steps: float
    seconds: float


def check(tasks: Iterable[str], seeds: range, display: bool = False) -> Iterator[Check]:
    """Play episodes without mistakes.

    Raises:
        BrowserError: the browser died.
    """
    with ExitStack() as held:
        player = open_player(held, 0, display)
        for task in tasks:
            begun = time.perf_counter()
            episodes = [player.play(task, seed) for seed in seeds]
            spent = time.perf_counter() - begun
            count = len(episodes)
            steps = sum(len(episode.samples) for episode in episodes) / count
            solved = sum(episode.solved for episode in episodes)
            yield Check(task, count, solved, steps, spent / count)


def print_checks(checks: Iterable[Check]) -> bool:
    """Show a table; whether every oracle solved everything."""
    table = Table("task", "solved", "steps", "seconds", title="Oracles without mistakes")
    perfect = True
    for row in checks:
        perfect = perfect and row.solved == row.episodes
        solved = f"{row.solved}/{row.episodes}"
        table.add_row(row.task, solved, f"{row.steps:.1f}", f"{row.seconds:.2f}")
    Console().print(table)
    return perfect
