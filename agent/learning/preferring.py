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
        self._known: dict[int, tuple[float, float]] = {}

    def _batches(self) -> Iterator[Sequence[int]]:
        """Numbers of pairs; every pass over them has an order of its own, by seed and step."""
        size = self.recipe.batch // self.recipe.accumulate
        number = self.step * self.recipe.accumulate
        while True:
            yield [self._place(number * size + offset) for offset in range(size)]
            number += 1

    def _place(self, index: int) -> int:
        turn, place = divmod(index, len(self._pairs))
        order = list(range(len(self._pairs)))
        Random(f"{self.recipe.seed}:{turn}").shuffle(order)
        return order[place]

    def _scored(self, batch: Sequence[int]) -> tuple[Tensor, Metrics]:
        """Loss and metrics of some pairs."""
        settings = self.recipe.preference
        assert settings is not None, "the recipe chose this trainer"
        self.model.eval()  # statistics of single pairs must not move the stem's
        chosen, rejected = _log_probs(self.model, [self._pairs[number] for number in batch])
        before = self._before(batch)
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

    def _before(self, batch: Sequence[int]) -> tuple[Tensor, Tensor]:
        """What the reference thought of them; it is asked once about each pair."""
        new = [number for number in dict.fromkeys(batch) if number not in self._known]
        if new:
            with torch.no_grad():
                chosen, rejected = _log_probs(self._reference, [self._pairs[n] for n in new])
            said = zip(chosen.tolist(), rejected.tolist(), strict=True)
            self._known |= dict(zip(new, said, strict=True))
        chosen, rejected = torch.tensor([self._known[number] for number in batch]).unbind(1)
        return chosen, rejected


def _log_probs(model: KimiVL, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
    """(N,) log-likelihoods of the corrections and of the mistakes."""
    answers = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
    found = likelihoods(model, answers, embedded_tokenizer()).log_probs
    return found[: len(pairs)], found[len(pairs) :]
