"""The stage that learns from recordings: a batch of their steps, then one of generated screens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from torch import Tensor

from agent.learning.batch import Batch, collate
from agent.learning.gate import POINTING_SIZE
from agent.learning.lessons import LessonError
from agent.learning.samples import Sample
from agent.learning.stream import Stream
from agent.learning.train import Metrics, Trainer
from agent.model.prompt import embedded_tokenizer


@dataclass
class StudyTrainer(Trainer):
    """Trains on samples of recordings; the generated screens keep up what the model knew before.

    Attributes:
        samples: what is learned, at least one.
    """

    curves: ClassVar[tuple[str, ...]] = ("loss", "point_right", "text_right")

    samples: tuple[Sample, ...] = ()

    def __post_init__(self) -> None:
        """Sort the samples by the size of their pictures: a batch has one size."""
        super().__post_init__()
        if not self.samples:
            raise LessonError("expected samples of recordings, actually none")
        shapes = sorted({sample.pixels.shape for sample in self.samples})
        self._sizes = [[s for s in self.samples if s.pixels.shape == shape] for shape in shapes]

    def _batches(self) -> Iterator[Batch]:
        """Recordings and generated screens in turns; seed and number decide what is in a batch."""
        recipe, tokenizer = self.recipe, embedded_tokenizer()
        stream = Stream(recipe.seed, sizes=(POINTING_SIZE,), questions=recipe.questions)
        size = recipe.batch // recipe.accumulate
        number = self.step * recipe.accumulate
        while True:
            own = number % 2 == 0
            drawn = self._drawn(number // 2, size) if own else next(stream.batches(number, size))
            yield collate(drawn, tokenizer)
            number += 1

    def _drawn(self, number: int, size: int) -> list[Sample]:
        """Steps of recordings of one picture size; sizes come as often as they have steps."""
        random = Random(f"{self.recipe.seed}:{number}")
        (group,) = random.choices(self._sizes, [len(group) for group in self._sizes])
        return random.sample(group, size) if size <= len(group) else random.choices(group, k=size)

    def _scored(self, batch: Batch) -> tuple[Tensor, Metrics]:
        """Loss and metrics; few screens of one app must not move the stem's statistics."""
        self.model.eval()
        return super()._scored(batch)
