"""The preference stage: trains on pairs of a correction and a mistake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

import torch
from torch import Tensor

from agent.learning.likelihood import likelihoods
from agent.learning.preference import Pair, PairError, dpo_loss
from agent.learning.samples import read_shard
from agent.learning.train import Metrics, Trainer, TrainingError
from agent.model import checkpoint
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import embedded_tokenizer


@dataclass
class PreferenceTrainer(Trainer):
    """Trains on pairs instead of screens; `shards` hold pairs and `start` is the reference."""

    curves: ClassVar[tuple[str, ...]] = ("loss", "preferring", "margin", "right")

    def __post_init__(self) -> None:
        """Read the pairs and the reference."""
        super().__post_init__()
        self._pairs = [Pair.of(sample) for shard in self.shards for sample in read_shard(shard)]
        if not self._pairs:
            raise PairError(
                "expected shards of pairs, actually none; make some with "
                "`python -m agent.learning.corrections` and name their folder with --data"
            )
        if self.start is None:
            raise TrainingError("preferences are relative to a model: name it with --from")
        self._reference = checkpoint.load(self.start)

    def _batches(self) -> Iterator[Sequence[Pair]]:
        """Every pass over the pairs has an order of its own; seed and step decide it."""
        size = self.recipe.batch // self.recipe.accumulate
        number = self.step * self.recipe.accumulate
        while True:
            yield [self._pair(number * size + offset) for offset in range(size)]
            number += 1

    def _pair(self, index: int) -> Pair:
        turn, place = divmod(index, len(self._pairs))
        order = list(range(len(self._pairs)))
        Random(f"{self.recipe.seed}:{turn}").shuffle(order)
        return self._pairs[order[place]]

    def _scored(self, batch: Sequence[Pair]) -> tuple[Tensor, Metrics]:
        """Loss and metrics of some pairs."""
        settings = self.recipe.preference
        assert settings is not None, "the recipe chose this trainer"
        self.model.eval()  # statistics of single pairs must not move the stem's
        chosen, rejected = _log_probs(self.model, batch)
        with torch.no_grad():
            before = _log_probs(self._reference, batch)
        preferring = dpo_loss(chosen, rejected, *before, settings.beta)
        loss = (preferring - settings.imitate * chosen).mean()
        margin = ((chosen - before[0]) - (rejected - before[1])).detach()
        metrics = {
            "loss": loss.item(), "preferring": preferring.mean().item(),
            "margin": margin.mean().item(),
            "right": (chosen > rejected).float().mean().item(),
            "chosen": chosen.mean().item(), "rejected": rejected.mean().item(),
        }  # fmt: skip
        return loss, metrics


def _log_probs(model: KimiVL, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
    """(N,) log-likelihoods of the corrections and of the mistakes."""
    answers = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
    found = likelihoods(model, answers, embedded_tokenizer()).log_probs
    return found[: len(pairs)], found[len(pairs) :]
