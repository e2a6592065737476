"""Recordings as lessons: which are learned from, which are held back, and what they ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from PIL import Image

from actions.dialects import RenderError
from actions.space import Scroll, on_points
from agent.episodes.reader import Episode
from agent.learning.likelihood import Answer
from agent.learning.recorded import answers_of
from agent.learning.samples import Glyphs, Question, Sample
from agent.model.prompt import remembered
from vision.geometry import Point, Size
from vision.image import resized_size

_UNREAD = Glyphs("", np.zeros((0, 2), np.float32))


class LessonError(ValueError):
    """There is nothing to learn from; the message says what is missing."""


@dataclass(frozen=True)
class Lessons:
    """What a training on recordings is made of.

    Attributes:
        samples: a step each, of the episodes that are learned from.
        held_out: the episodes that only judge.
        left_out: steps that the model has no words for, such as a triple click.
    """

    samples: tuple[Sample, ...]
    held_out: tuple[Episode, ...]
    left_out: int


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
    answers = [answer for _, episode in learned for answer in answers_of(episode).values()]
    made = [sample_of(answer) for answer in answers]
    samples = tuple(sample for sample in made if sample is not None)
    if not samples:
        raise LessonError("expected steps of one action each that the model has words for; none is")
    return Lessons(samples, tuple(e for _, e in held_out), len(made) - len(samples))


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
    wanted = resized_size(Size(frame.width, frame.height))
    scale = Point(wanted.width / frame.width, wanted.height / frame.height)

    def scaled(point: Point) -> Point:
        return Point(point.x * scale.x, point.y * scale.y)

    pixels = frame.pixels
    if wanted != Size(frame.width, frame.height):
        size = (int(wanted.width), int(wanted.height))
        resized = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
        pixels = np.asarray(resized)
    done = tuple(on_points(each, scaled) for each in asked.done)
    question = Question(asked.instruction, on_points(action, scaled), None, done)
    return Sample(pixels, (question,), _UNREAD)
