"""The reinforcement stage: the model plays MiniWoB++ pages and learns from what it earned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from agent.environments.offscreen import OffscreenMiniWob
from agent.learning.harvest import allow
from agent.learning.reinforcement.learner import Advantage, Learner, Method
from agent.learning.reinforcement.rollouts import pages, play_groups
from agent.learning.train import Metrics, Trainer, TrainingError
from agent.model import checkpoint
from agent.model.prompt import embedded_tokenizer

ADVANTAGES = (Advantage.GROUP, Advantage.REJECTION, Advantage.RETURN)
"""Those that need no memory of their own, which a checkpoint would have to hold."""


@dataclass
class ReinforcementTrainer(Trainer):
    """Trains on episodes of its own; `start` is where it begins and what it is leashed to."""

    curves: ClassVar[tuple[str, ...]] = ("return", "kl", "loss", "gradient")

    def __post_init__(self) -> None:
        """Check the tasks and read the reference.

        Raises:
            TrainingError: no model to begin from, several processes, or a recipe without episodes.
            HarvestError: a held-out task.
        """
        super().__post_init__()
        lessons = self.recipe.reinforcement
        if lessons is None or self.start is None or self.world.size > 1:
            raise TrainingError(
                "reinforcement needs a [reinforcement] table, a model to begin from (--from), and "
                "one process only"
            )
        allow(lessons.tasks, range(0))
        if lessons.advantage not in ADVANTAGES:
            raise TrainingError(
                f"expected an advantage of {', '.join(ADVANTAGES)}, actually: {lessons.advantage}"
            )
        method = Method(
            Advantage(lessons.advantage), kl=lessons.kl, clip=lessons.clip, passes=lessons.passes,
            largest=self.recipe.clip, temperature=lessons.temperature,
        )  # fmt: skip
        self._lessons, self._start = lessons, self.start
        reference = checkpoint.load(self.start)
        self._learner = Learner(
            self.model, embedded_tokenizer(), method, reference=reference,
            optimizers=self.optimizers,
        )  # fmt: skip

    def run(self, report: Callable[[int, Metrics], None], save_every: int = 5) -> Metrics:
        """Train with a browser open until the recipe's last update."""
        with OffscreenMiniWob() as self._world:
            return super().run(report, save_every)

    def _batches(self) -> Iterator[Any]:
        """Episodes come from the browser."""
        return iter(())

    def _train_step(self, batches: Iterator[Any]) -> Metrics:
        """Play the groups of one update and learn from them."""
        rate = self.recipe.rate_at(self.step)
        for optimizer in self.optimizers:
            optimizer.param_groups[0]["lr"] = rate
        self.model.eval()
        wanted = pages(self._lessons, self.recipe.seed, self.step)
        played = play_groups(self._world, self.model, self._start, self._lessons, wanted)
        metrics = self._learner.update(played)
        return {**metrics, "episodes": len(played), "rate": rate}
