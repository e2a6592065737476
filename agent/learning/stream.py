"""An endless, seeded stream of training samples that can be entered at any index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import accumulate, count
from math import floor
from pathlib import Path
from random import Random

from actions.space import Click, Finished
from agent.learning.samples import Question, Sample, ShardError, read_shard, shard_digest, task_of
from agent.learning.screens.generator import ScreenGenerator
from agent.learning.screens.pages import text_page
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
        shards: harvested files; those whose pictures have none of the sizes are not shown. The
            first question of a picture of the first size is its page's own task, always asked.
        harvest_share: probability that a sample comes from a shard, where one has its size.
        focus: how often the screens of a task are drawn beside those of other tasks; else 1.
        text_share: of the batches that show pages full of text, without questions, evenly spread.
        sizes: screen sizes in pixels, taken in turn, a batch of each; of larger screens than the
            first size a batch has fewer. Pages of text have the first size.
        split: vocabulary and fonts of the generator.
        questions: questions asked of each screen at most; 0 where only letters are learned.
        letters: of the questions of a screen at most; the first one is always asked. Rows of a
            batch are as long as its longest, so a screen with a long task should ask little else.
        finished: probability that a question is asked again after its action had its effect, so
            that the right answer is that the task is finished.
        icons: folder of icon sets for generated screens, see `ScreenGenerator`.
    """

    seed: int
    shards: Sequence[Path] = ()
    harvest_share: float = 0.0
    focus: Mapping[str, float] = field(default_factory=dict)
    text_share: float = 0.0
    sizes: Sequence[Size] = (MINIWOB,)
    split: str = "train"
    questions: int = 6
    letters: int = 1000
    finished: float = 0.12
    icons: Path | None = None
    _harvest: dict[Size, dict[str, list[Sample]]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Load the shards; they are small next to what training needs.

        Raises:
            ShardError: a shard is damaged, or none shows screens of any of the sizes.
        """
        self._generators = {
            size: ScreenGenerator(self.seed, size, self.split, max(1, self.questions), self.icons)
            for size in self.sizes
        }
        for shard in sorted(self.shards):
            samples = read_shard(shard)
            height, width, _ = samples[0].pixels.shape
            tasks = self._harvest.setdefault(Size(width, height), {})
            tasks.setdefault(task_of(shard), []).extend(samples)
        if self.shards and not self._harvest.keys() & set(self.sizes):
            raise ShardError(
                f"expected pictures of {_named(self.sizes)}, actually: {_named(self._harvest)}"
            )

    def sample(self, index: int, size: Size | None = None) -> Sample:
        """The sample at this index, of the first size if none is named."""
        random = Random(f"{self.seed}:{index}")
        own, sample = self._picture(index, size or self.sizes[0], random)
        if not self.questions:
            return replace(sample, questions=())
        asked = [
            _finished(question) if random.random() < self.finished else question
            for question in sample.questions[own:]
        ]
        return replace(sample, questions=_fitting((*sample.questions[:own], *asked), self.letters))

    def _picture(self, index: int, size: Size, random: Random) -> tuple[int, Sample]:
        """A sample, and how many of its questions are a page's own task, of any length."""
        tasks = self._harvest.get(size)
        if not tasks or random.random() >= self.harvest_share:
            return 0, self._generators[size].sample(index)
        # The task first: long episodes and large harvests must not crowd out the others.
        names = sorted(tasks)
        (task,) = random.choices(names, [self.focus.get(name, 1.0) for name in names])
        sample = random.choice(tasks[task])
        first = int(size == self.sizes[0])
        own, others = sample.questions[:first], sample.questions[first:]
        chosen = random.sample(others, min(max(0, self.questions - first), len(others)))
        return first, Sample(sample.pixels, (*own, *chosen), sample.glyphs)

    def batches(self, first: int, size: int) -> Iterator[list[Sample]]:
        """Batches from the one with this number on, for ever, each of screens of one size.

        Args:
            first: number of the first batch.
            size: screens of the first size in a batch; of others as many as have that area.
        """
        for number in count(first):
            texts = floor(number * self.text_share)
            if floor((number + 1) * self.text_share) > texts:
                yield [self.text(texts * size + offset) for offset in range(size)]
                continue
            screen = self.sizes[(number - texts) % len(self.sizes)]
            many = max(1, round(size * _area(self.sizes[0]) / _area(screen)))
            yield [self.sample(number * size + offset, screen) for offset in range(many)]

    def text(self, index: int) -> Sample:
        """The page of text at this index."""
        return text_page(self.seed, self.sizes[0], self.split, index)


def _area(size: Size) -> float:
    return size.width * size.height


def _named(sizes: Iterable[Size]) -> str:
    return ", ".join(sorted({f"{size.width:.0f}x{size.height:.0f}" for size in sizes}))


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


def data_hash(shards: Sequence[Path], icons: Path | None = None) -> str:
    """SHA-256 (hex) over shards and icon sets, for the checkpoint's recipe."""
    stated = "".join(shard_digest(shard) for shard in sorted(shards))
    if icons is not None:
        files = sorted(path for path in icons.rglob("*") if path.is_file())
        stated += "".join(
            path.relative_to(icons).as_posix() + sha256(path.read_bytes()).hexdigest()
            for path in files
        )
    return sha256(stated.encode()).hexdigest()
