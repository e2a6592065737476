"""How well a policy finds what it is asked for on generated screens that it has never seen."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table as RichTable

from actions.space import CallUser, points
from agent.learning.samples import Question, Sample, Takes, read_shard
from agent.learning.scores import wilson
from agent.learning.screens.generator import ScreenGenerator
from agent.policies.base import Decision, Observation, Policy
from vision.frame import Frame
from vision.geometry import Box, Size

SEED = 20_000
"""Of the screens; training uses small seeds, and another split of words, fonts and icons."""

QUESTIONS = 4

Tagged = tuple[Sample, tuple[Takes, ...]]
"""A picture, and what each of its questions takes."""


@dataclass(frozen=True)
class Answer:
    """One question and what became of it.

    Attributes:
        takes: what it takes to answer.
        right: whether it is a point in the target, or `CallUser` where there is none.
        gave_up: whether the answer was `CallUser`.
        seconds: to decide.
    """

    takes: Takes
    right: bool
    gave_up: bool
    seconds: float


@dataclass(frozen=True)
class Result:
    """All answers of one policy."""

    policy: dict[str, str]
    answers: tuple[Answer, ...]

    def rate(self, takes: Takes) -> tuple[int, int]:
        """How many questions of a kind were answered right, and how many there were."""
        mine = [answer.right for answer in self.answers if answer.takes == takes]
        return sum(mine), len(mine)

    @property
    def absent_f1(self) -> float:
        """Harmonic mean of precision and recall (0..1) of saying that the target is absent."""
        said = sum(answer.gave_up for answer in self.answers)
        true = sum(answer.takes == "absent" for answer in self.answers)
        both = sum(answer.gave_up and answer.takes == "absent" for answer in self.answers)
        return 2 * both / (said + true) if said + true else 0.0

    @property
    def seconds(self) -> float:
        """Median time to decide."""
        return statistics.median(answer.seconds for answer in self.answers)

    def to_json(self) -> dict[str, Any]:
        """Everything, in JSON types."""
        return {"absent_f1": self.absent_f1, "seconds": self.seconds, **asdict(self)}


def evaluate_grounding(
    policies: Sequence[Policy],
    size: Size,
    screens: int,
    progress: Callable[[], None] = lambda: None,
    icons: Path | None = None,
) -> tuple[Result, ...]:
    """Ask every policy the same questions about generated screens.

    Args:
        policies: who is asked.
        size: of the screens, in pixels.
        screens: how many, with up to `QUESTIONS` questions each; typing is not asked for.
        progress: called after each screen and policy.
        icons: folder of icon sets; None means drawn icons.

    Raises:
        PolicyError: a policy cannot decide at all.
    """
    generator = ScreenGenerator(SEED, size, "test", QUESTIONS, icons)
    return evaluate_samples(policies, map(generator.tagged, range(screens)), progress)


def of_shards(paths: Iterable[Path]) -> Iterator[Tagged]:
    """The samples of shards, with the questions of which it was noted what they take.

    Raises:
        ShardError: a file is cut short, damaged, or no shard.
    """
    for path in paths:
        for sample in read_shard(path):
            kinds = tuple(question.takes for question in sample.questions if question.takes)
            asked = tuple(question for question in sample.questions if question.takes)
            yield replace(sample, questions=asked), kinds


def evaluate_samples(
    policies: Sequence[Policy],
    samples: Iterable[Tagged],
    progress: Callable[[], None] = lambda: None,
) -> tuple[Result, ...]:
    """Ask every policy the questions of samples; typing is not asked for.

    Args:
        policies: who is asked.
        samples: pictures with their questions.
        progress: called after each picture and policy.

    Raises:
        PolicyError: a policy cannot decide at all.
    """
    answers: list[list[Answer]] = [[] for _ in policies]
    for sample, kinds in samples:
        for policy, mine in zip(policies, answers, strict=True):
            mine += [
                _ask(policy, sample, question, takes)
                for question, takes in zip(sample.questions, kinds, strict=True)
                if takes != "typing"
            ]
            progress()
    return tuple(
        Result(policy.describe(), tuple(mine))
        for policy, mine in zip(policies, answers, strict=True)
    )


def _ask(policy: Policy, sample: Sample, question: Question, takes: Takes) -> Answer:
    height, width, _ = sample.pixels.shape
    frame = Frame(sample.pixels, Box(0, 0, width, height))
    began = time.perf_counter()
    decision = policy.decide(Observation(question.instruction, frame))
    seconds = time.perf_counter() - began
    gave_up = any(isinstance(action, CallUser) for action in _actions(decision))
    right = gave_up if question.box is None else _hits(decision, question.box)
    return Answer(takes, right, gave_up, seconds)


def _actions(decision: Decision) -> Sequence[object]:
    return decision.step.actions if decision.step else ()


def _hits(decision: Decision, box: Box) -> bool:
    """Whether the first action's first point lies in the box."""
    first = decision.step.actions[0] if decision.step else None
    found = points(first) if first is not None else ()
    return bool(found) and box.contains(decision.map.to_screen(found[0]))


def to_rich(results: Sequence[Result]) -> RichTable:
    """The policies side by side, for the terminal."""
    shown = RichTable("the question takes")
    for result in results:
        shown.add_column(result.policy.get("policy", "policy"), justify="right")
    kinds: tuple[tuple[Takes, str], ...] = (
        ("text", "reading a label"), ("icon", "knowing an icon"), ("look", "shape and colour"),
        ("relation", "seeing relations"),
    )  # fmt: skip
    for takes, words in kinds:
        shown.add_row(words, *(_rate(*result.rate(takes)) for result in results))
    shown.add_row("absent target, F1", *(f"{result.absent_f1:.2f}" for result in results))
    shown.add_row("seconds a question", *(f"{result.seconds:.2f}" for result in results))
    return shown


def _rate(right: int, asked: int) -> str:
    if not asked:
        return "–"
    low, high = wilson(right, asked)
    return f"{right / asked:.0%} ({low:.0%}–{high:.0%})"
