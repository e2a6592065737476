"""Recorded episodes as answers: what was seen, asked and decided, step by step."""

from __future__ import annotations

from itertools import zip_longest

from actions.codec import from_dict
from actions.receipt import carried_out
from actions.space import Action, on_points
from agent.episodes.format import StepRecord
from agent.episodes.reader import Episode
from agent.learning.likelihood import Answer
from agent.learning.samples import Question
from agent.model.prompt import REMEMBERED
from agent.policies.hindsight import remembered_as_done
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point


def answers_of(episode: Episode) -> dict[int, Answer]:
    """The decisions of an episode by the number of their step, as the embedded model is asked.

    Steps that could not be read or hold several actions are left out; they still count as history
    when they had an effect.

    Raises:
        BrokenEpisode: a picture is missing or damaged.
    """
    instruction = " ".join(episode.head.instruction.split())
    found: dict[int, Answer] = {}
    done: list[Action] = []
    for step, then in zip_longest(episode.steps, episode.steps[1:]):
        taken = _actions(step)
        if len(taken) == 1:
            frame = episode.frame(step)
            frame = Frame(frame.pixels, Box(0, 0, frame.width, frame.height))
            asked = Question(instruction, taken[0], None, tuple(done[-REMEMBERED:]))
            found[step.index] = Answer(frame, asked)
        performed = not step.receipts or carried_out(one.outcome for one in step.receipts)
        changed = then is not None and then.frame.digest != step.frame.digest
        if remembered_as_done(taken, performed, step.feedback, changed):
            done += taken
    return found


def _actions(step: StepRecord) -> list[Action]:
    """What was decided, in pixels of the step's picture."""
    space = step.map.restore()
    return [on_points(from_dict(a), lambda p: picture_pixel(p, space)) for a in step.actions]


def picture_pixel(point: Point, space: CoordinateMap) -> Point:
    """Model -> pixels of the picture; `to_model` of a picture at (0, 0) takes it back.

    Not whole pixels, so that no coordinate that the model wrote is lost; never below zero.
    """
    x = point.x / space.extent.width * space.screen.width - 0.5
    y = point.y / space.extent.height * space.screen.height - 0.5
    return Point(max(0.0, x), max(0.0, y))
