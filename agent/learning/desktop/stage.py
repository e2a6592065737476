"""Desktop tasks as a stage: every episode begins in an empty room and is judged at its end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random

from agent.environments.miniwob import TaskError
from agent.learning.desktop.calculators import TASKS as CALCULATORS
from agent.learning.desktop.challenge import DesktopTask
from agent.learning.desktop.databases import TASKS as DATABASES
from agent.learning.desktop.dialogs import TASKS as DIALOGS
from agent.learning.desktop.editors import TASKS as EDITORS
from agent.learning.desktop.room import Room, located
from agent.learning.playing import Stage, run
from agent.learning.scores import Rollout
from agent.policies.base import Policy
from agent.policies.oracle import OraclePolicy
from agent.run import Task

TASKS: dict[str, DesktopTask] = {**DIALOGS, **EDITORS, **CALCULATORS, **DATABASES}


class DesktopStage(Stage):
    """Opens a room for each episode; nothing stays open between them."""

    def play(
        self, policy: Policy | None, task: str, seed: int, max_steps: int, record: Path
    ) -> Rollout:
        """One episode; the policy ends it, or there is nothing left to act on."""
        with Room() as room:
            challenge = TASKS[task].begin(room, Random(f"{task} {seed}"))
            player = policy or OraclePolicy(challenge.oracle())
            job = Task(
                challenge.instruction, max_steps, challenge.over, lambda: float(challenge.solved())
            )
            begun = time.perf_counter()
            result = run(player, job, room.hands, room.screen, record)
            spent = (time.perf_counter() - begun) * 1000
        reward = result.reward or 0.0
        return Rollout(
            task, seed, reward, reward == 1, result.steps, spent, result.outcome, result.message
        )

    @classmethod
    def check(cls, tasks: Sequence[str]) -> None:
        """Each must be one of ours, and its program installed."""
        if unknown := sorted(set(tasks) - TASKS.keys()):
            raise TaskError(f"expected tasks of {', '.join(TASKS)}, actually {', '.join(unknown)}")
        needs = dict(need for task in tasks for need in TASKS[task].needs)
        if missing := [how for name, how in needs.items() if located(name) is None]:
            raise TaskError(f"programs of these tasks are missing: {'; '.join(missing)}")

    @classmethod
    def has_oracle(cls, task: str) -> bool:
        """All of them are known to be solvable."""
        return task in TASKS

    def describe(self) -> dict[str, str]:
        """Nothing: each task says which program it needs."""
        return {}

    def _open(self, stack: ExitStack) -> None:
        """Rooms are opened one by one."""
