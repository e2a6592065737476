"""Recordings as lessons: which are learned from, which are held back, and what they ask."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np

from actions.dialects import RenderError
from actions.space import Scroll, on_points
from agent.episodes.format import StepRecord
from agent.episodes.reader import Episode
from agent.episodes.withhold import WITHHELD
from agent.learning.likelihood import Answer
from agent.learning.recorded import answers_of
from agent.learning.resizing import at_model_size
from agent.learning.samples import Glyphs, Question, Sample
from agent.model.prompt import remembered
from vision.geometry import Point

_UNREAD = Glyphs("", np.zeros((0, 2), np.float32))


class LessonError(ValueError):
    """There is nothing to learn from; the message says what is missing."""


@dataclass(frozen=True)
class Lessons:
    """What a training on recordings is made of.

    Attributes:
        samples: a step each, of the episodes that are learned from.
        learned: how many episodes those are.
        held_out: the episodes that only judge.
        left_out: why steps of the learned episodes are no samples -> how many of them.
    """

    samples: tuple[Sample, ...]
    learned: int
    held_out: tuple[Episode, ...]
    left_out: Mapping[str, int]

    def __str__(self) -> str:
        told = (
            f"{len(self.samples)} steps of {self.learned} recordings to learn from, "
            f"{len(self.held_out)} recordings to judge by"
        )
        reasons = (f"left out, since {why}: {count}" for why, count in self.left_out.items())
        return "\n".join((told, *reasons))


def lessons(episodes: Sequence[Episode], share: float, seed: int) -> Lessons:
    """Hold back a share of the episodes and make samples of the others.

    Args:
        episodes: with different ids; their order does not matter.
        share: 0..1, how many are held back; at least one is, and at least one is learned from.
        seed: which ones.

    Raises:
        LessonError: fewer than two episodes, or no step that can be learned from.
        BrokenEpisode: a picture is missing or damaged.
    """
    drawn = sorted({episode.head.id: episode for episode in episodes}.items())
    if len(drawn) < 2:
        raise LessonError(
            f"expected at least two different episodes, one to learn from and one to judge by; "
            f"actually: {len(drawn)}"
        )
    Random(seed).shuffle(drawn)
    many = min(max(1, round(share * len(drawn))), len(drawn) - 1)
    held_out, learned = drawn[:many], drawn[many:]
    samples: list[Sample] = []
    left_out: Counter[str] = Counter()
    for _, episode in learned:
        answers = answers_of(episode)
        for step in episode.steps:
            made = _made(step, answers.get(step.index))
            if isinstance(made, Sample):
                samples.append(made)
            else:
                left_out[made] += 1
    if not samples:
        raise LessonError("expected steps of one action each that the model has words for; none is")
    return Lessons(tuple(samples), len(learned), tuple(e for _, e in held_out), left_out)


def _made(step: StepRecord, answer: Answer | None) -> Sample | str:
    """The sample of a step, or why there is none."""
    if answer is None:
        return "they could not be read" if step.error else "they hold several actions or none"
    if WITHHELD in json.dumps(step.actions):
        return "what they typed was withheld"
    return sample_of(answer) or "the model has no words for their action"


def sample_of(answer: Answer) -> Sample | None:
    """An answer at the size at which the model looks; None when it has no words for it."""
    frame, asked = answer.frame, answer.question
    action = asked.action
    if isinstance(action, Scroll):
        action = replace(action, clicks=Scroll.clicks)  # the model's scrolls have one length
    try:
        remembered(on_points(action, lambda _: Point(0, 0)))
    except RenderError:
        return None
    question = Question(asked.instruction, action, None, asked.done)
    return at_model_size(Sample(frame.pixels, (question,), _UNREAD))
