"""An endless, seeded stream of training samples that can be entered at any index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from random import Random

from actions.space import Click, Finished
from agent.learning.samples import Question, Sample, read_shard, shard_digest
from agent.learning.screens.generator import ScreenGenerator
from agent.model.prompt import REMEMBERED
from vision.geometry import Size

MINIWOB = Size(160, 210)

_ANSWER = 40
"""Letters of a typical answer and what surrounds it."""


@dataclass
class Stream:
    """Generated screens mixed with harvested shards.

    Sample `index` depends on the seed and the index only, so a resumed training sees exactly what
    an uninterrupted one would have seen.

    Attributes:
        seed: decides everything.
        shards: harvested files, all of `size`; may be empty.
        harvest_share: probability that a sample comes from a shard.
        size: screen size in pixels.
        split: vocabulary and fonts of the generator.
        questions: questions asked of each screen at most.
        letters: of the questions of a screen at most; the first one is always asked. Rows of a
            batch are as long as its longest, so a screen with a long task should ask little else.
        finished: probability that a question is asked again after its action had its effect, so
            that the right answer is that the task is finished.
    """

    seed: int
    shards: Sequence[Path] = ()
    harvest_share: float = 0.0
    size: Size = MINIWOB
    split: str = "train"
    questions: int = 6
    letters: int = 1000
    finished: float = 0.12
    _harvest: dict[str, list[Sample]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Load the shards; they are small next to what training needs."""
        self._generator = ScreenGenerator(self.seed, self.size, self.split, self.questions)
        for shard in sorted(self.shards):
            self._harvest.setdefault(_task(shard), []).extend(read_shard(shard))
        self._tasks = sorted(self._harvest)

    def sample(self, index: int) -> Sample:
        """The sample at this index."""
        random = Random(f"{self.seed}:{index}")
        own, sample = self._picture(index, random)
        asked = [
            _finished(question) if random.random() < self.finished else question
            for question in sample.questions[own:]
        ]
        return replace(sample, questions=_fitting((*sample.questions[:own], *asked), self.letters))

    def _picture(self, index: int, random: Random) -> tuple[int, Sample]:
        """A sample, and how many of its questions are a page's own task, of any length."""
        if not self._tasks or random.random() >= self.harvest_share:
            return 0, self._generator.sample(index)
        # The task first: long episodes and large harvests must not crowd out the others.
        sample = random.choice(self._harvest[random.choice(self._tasks)])
        own, *others = sample.questions  # the first one is the page's own task
        chosen = random.sample(others, min(self.questions - 1, len(others)))
        return 1, Sample(sample.pixels, (own, *chosen), sample.glyphs)

    def batches(self, first: int, size: int) -> Iterator[list[Sample]]:
        """Batches from the one with this number on, for ever."""
        number = first
        while True:
            yield [self.sample(number * size + offset) for offset in range(size)]
            number += 1


def _task(shard: Path) -> str:
    """The task that a shard named TASK-SEED-COUNT.npz shows."""
    return shard.stem.rsplit("-", 2)[0]


def _fitting(questions: Sequence[Question], letters: int) -> tuple[Question, ...]:
    """The first question, and as many of the following as there is room for."""
    totals = accumulate(_letters(question) for question in questions)
    kept = sum(total <= letters for total in totals)
    return tuple(questions[: max(1, kept)])


def _letters(question: Question) -> int:
    """About how long a question is with its answer and the answers before."""
    return len(question.instruction) + _ANSWER * (1 + min(REMEMBERED, len(question.done)))


def _finished(question: Question) -> Question:
    """The question after its click was made; only a first click is known to be all there is."""
    if question.done or not isinstance(question.action, Click):
        return question
    return Question(question.instruction, Finished(), None, (question.action,))


def data_hash(shards: Sequence[Path]) -> str:
    """SHA-256 (hex) over the contents of the shards, for the checkpoint's recipe."""
    stated = "".join(shard_digest(shard) for shard in sorted(shards))
    return sha256(stated.encode()).hexdigest()
