"""How often a policy solves tasks: real pages and programs, real clicks, their own verdict.

Every rollout is a run of the `Agent`, as a user would start it; the same seeds are then played by
random clicks, so that a number is never read without its baseline.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.episodes.errors import EpisodeInUse
from agent.episodes.format import software
from agent.learning.miniwob_stage import MiniWobStage
from agent.learning.playing import Crew, Page, Stage, Threads
from agent.learning.scores import Rollout, Row, Table, Tally, solved_every_time
from agent.policies.base import Policy
from agent.policies.random import RandomPolicy

FIRST_SEED = 1_201_539_860
"""The first evaluation seed of Pix2Act, far from every training seed."""


def evaluate(
    policy: Policy,
    tasks: Sequence[str],
    seeds: int = 100,
    first_seed: int = FIRST_SEED,
    max_steps: int = 30,
    *,
    stage: type[Stage] = MiniWobStage,
    repeats: int = 1,
    random_seeds: int = 20,
    oracle_seeds: int = 0,
    crew: Crew | None = None,
    failures: Path | None = None,
    progress: Callable[[Rollout], None] = lambda rollout: None,
) -> Table:
    """Play every task with every seed and say how often it was solved.

    A rollout whose browser, display or worker dies is played once more on a new one; when that
    fails too, it counts as not solved.

    Args:
        policy: what is evaluated.
        tasks: names of tasks of the stage.
        seeds: how many consecutive seeds per task.
        first_seed: the first of them.
        max_steps: the most decisions per episode.
        stage: where they are played: MiniWoB++ or desktop programs.
        repeats: how often the policy plays each page.
        random_seeds: how many of the seeds are also played by random clicks; 0 means none.
        oracle_seeds: how many are also played by the task's oracle, where there is one.
        crew: who plays; None: one thread.
        failures: a new folder where the episodes of unsolved rollouts are kept; None: nowhere.
        progress: told each rollout, the policy's and then the others'.

    Raises:
        TaskError: an unknown task, or one whose program is missing.
        PolicyError: the policy cannot decide at all.
        DisplayError: there is no X server; or BrowserError: no browser.
        EpisodeInUse: the folder for failures has something in it already.
        ClusterError: the crew's cluster cannot be used.
    """
    stage.check(tasks)
    if failures is not None and failures.exists() and any(failures.iterdir()):
        raise EpisodeInUse(f"expected a new or empty folder for failures, actually: {failures}")
    runs = range(first_seed, first_seed + seeds)
    play = crew or Threads()
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
        shown = [
            Page(task, seed, None, Path(scratch) / "oracle")
            for task in tasks
            for seed in runs[:oracle_seeds]
            if stage.has_oracle(task)
        ]
        played = play(stage, mine, max_steps, progress)
        clicks = play(stage, clicked, max_steps, progress).rollouts
        best = play(stage, shown, max_steps, progress).rollouts
    rows = [
        Row(
            task,
            Tally.of(own),
            _tally(task, clicks),
            solved_every_time(own),
            _tally(task, best),
        )
        for task in tasks
        for own in [_of(task, played.rollouts)]
    ]
    conditions = {
        "policy": policy.describe(),
        "software": software() | played.software,
        "seeds": seeds,
        "first_seed": first_seed,
        "max_steps": max_steps,
        "repeats": repeats,
        "random_seeds": min(seeds, random_seeds),
        "oracle_seeds": min(seeds, oracle_seeds),
    }
    return Table(conditions, tuple(rows), played.rollouts)


def _tally(task: str, rollouts: Sequence[Rollout]) -> Tally | None:
    mine = _of(task, rollouts)
    return Tally.of(mine) if mine else None


def _of(task: str, rollouts: Sequence[Rollout]) -> list[Rollout]:
    return [rollout for rollout in rollouts if rollout.task == task]
