"""MiniWoB++ pages as a stage: a real browser window, real mouse and keyboard."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from actions.backends.base import Backend
from actions.backends.x11 import X11Backend
from actions.executor import Executor
from actions.settle import Patience
from actions.space import Action, CallUser
from agent.environments.miniwob import MiniWob, task_page
from agent.learning.oracles.tasks import ORACLES, next_move
from agent.learning.playing import Stage, run
from agent.learning.scores import GEOMETRY, GEOMETRY_REWARD, Rollout
from agent.policies.base import Policy
from agent.policies.oracle import OraclePolicy
from agent.run import Task


class MiniWobStage(Stage):
    """A browser with tasks and the hands that act on it; the page's own reward judges.

    Attributes:
        world: shows the pages, inside the `with` block.
        backend: the hands, inside the `with` block.
    """

    world: MiniWob
    backend: Backend

    def play(
        self, policy: Policy | None, task: str, seed: int, max_steps: int, record: Path
    ) -> Rollout:
        """One episode; the page ends it, or the policy does."""
        self.world.task = task
        instruction = self.world.reset(seed)
        # Nothing on these pages blinks, so a small change needs no second look.
        patience = Patience(blink=0)
        hands = Executor(self.backend, self.world.screen, patience, fail_safe=False)
        verdict = self.world.reward
        job = Task(instruction, max_steps, lambda: verdict().done, lambda: verdict().raw)
        begun = time.perf_counter()
        player = policy or OraclePolicy(self._oracle(instruction, seed))
        result = run(player, job, hands, self.world.screen, record)
        spent = (time.perf_counter() - begun) * 1000
        reward = result.reward or 0.0
        solved = reward >= (GEOMETRY_REWARD if task in GEOMETRY else 1.0)
        return Rollout(
            task, seed, reward, solved, result.steps, spent, result.outcome, result.message
        )

    @classmethod
    def check(cls, tasks: Sequence[str]) -> None:
        """Each must be a task of MiniWoB++."""
        for task in tasks:
            task_page(task)

    @classmethod
    def has_oracle(cls, task: str) -> bool:
        """Whether it can be demonstrated."""
        return task in ORACLES

    def describe(self) -> dict[str, str]:
        """The browser."""
        return {"browser": self.world.inspect(lambda page: page.evaluate("navigator.userAgent"))}

    def _oracle(self, instruction: str, seed: int) -> Iterator[Action]:
        while (move := next_move(self.world, instruction, seed)) is not None:
            yield move.action
        yield CallUser("the oracle sees no way on")

    def _open(self, stack: ExitStack) -> None:
        self.world = stack.enter_context(MiniWob())
        self.backend = stack.enter_context(X11Backend(self.world.display.name))
