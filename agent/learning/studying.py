"""The stage that learns from recordings, beside generated screens that hold it to its start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from torch import Tensor

from agent.learning.batch import Batch, collate
from agent.learning.gate import DESKTOP_SIZE, POINTING_SIZE
from agent.learning.leash import Leash
from agent.learning.lessons import LessonError
from agent.learning.precision import quick_numbers
from agent.learning.samples import Sample
from agent.learning.stream import Stream
from agent.learning.train import Metrics, Trainer, TrainingError
from agent.model.prompt import embedded_tokenizer

SIZES = (POINTING_SIZE, POINTING_SIZE, POINTING_SIZE, DESKTOP_SIZE)
"""Of the generated screens, batch by batch: what the gate asks about."""

LEASH = 16.0
"""How much a nat away from the start counts beside the lessons' losses."""

OWN = 2
"""Steps of recordings for each generated screen; they ask one question, a screen asks several."""


@dataclass
class StudyTrainer(Trainer):
    """Trains on samples of recordings; the generated screens keep up what the model knew before.

    Attributes:
        samples: what is learned, at least one.
    """

    curves: ClassVar[tuple[str, ...]] = ("loss", "apart", "point_right", "text_right")

    samples: tuple[Sample, ...] = ()

    def __post_init__(self) -> None:
        """Sort the samples by the size of their pictures: a batch has one size."""
        super().__post_init__()
        if not self.samples:
            raise LessonError("expected samples of recordings, actually none")
        if self.start is None:
            raise TrainingError("recordings are learned by a model that is named with --from")
        shapes = sorted({sample.pixels.shape for sample in self.samples})
        self._sizes = [[s for s in self.samples if s.pixels.shape == shape] for shape in shapes]
        self._leash = Leash(self.start)

    def _batches(self) -> Iterator[tuple[Batch, Batch]]:
        """Recordings beside generated screens; seed and number decide what is in each."""
        recipe, tokenizer = self.recipe, embedded_tokenizer()
        stream = Stream(recipe.seed, sizes=SIZES, questions=recipe.questions)
        size = max(1, recipe.batch // recipe.accumulate // (1 + OWN))
        number = self.step * recipe.accumulate
        others = stream.batches(number, size)
        while True:
            own = self._drawn(number, OWN * size)
            yield collate(own, tokenizer), collate(next(others), tokenizer)
            number += 1

    def _drawn(self, number: int, size: int) -> list[Sample]:
        """Steps of recordings of one picture size; sizes come as often as they have steps."""
        random = Random(f"{self.recipe.seed}:{number}")
        (group,) = random.choices(self._sizes, [len(group) for group in self._sizes])
        return random.sample(group, size) if size <= len(group) else random.choices(group, k=size)

    def _scored(self, batch: tuple[Batch, Batch]) -> tuple[Tensor, Metrics]:
        """Loss and metrics; few screens of one app must not move the stem's statistics."""
        self.model.eval()
        own, others = batch
        loss, metrics = super()._scored(own)
        with quick_numbers():
            apart = self._leash.length(self.model, others)
        loss = loss + LEASH * apart
        return loss, {**metrics, "loss": float(loss.detach()), "apart": float(apart.detach())}
