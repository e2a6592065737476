"""Recordings are learned from with the memory that the model has at run time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from actions.receipt import Outcome, Receipt
from actions.space import Action, Click, Finished, Hotkey, Step
from agent.episodes.format import Head
from agent.episodes.reader import Episode
from agent.episodes.writer import EpisodeWriter
from agent.learning.recorded import answers_of
from agent.policies.base import Decision
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point, Size

SIZE = Size(84, 56)
SPACE = CoordinateMap(Box(0, 0, 84, 56), SIZE, SIZE)


def test_what_left_no_trace_is_forgotten_but_not_a_copy_nor_a_change_of_look(
    tmp_path: Path,
) -> None:
    lit, vain, copying = Click(Point(30, 20)), Click(Point(50, 20)), Hotkey(("ctrl", "c"))
    nothing, refused = Outcome.NO_VISIBLE_EFFECT, Outcome.REFUSED
    steps: list[tuple[int, Action, Outcome]] = [
        (10, lit, nothing), (20, vain, nothing), (20, copying, nothing), (20, vain, refused),
        (30, Finished(), Outcome.CONFIRMED),
    ]  # fmt: skip
    with EpisodeWriter(tmp_path / "e", Head("press it", "uitars")) as writer:
        for shade, action, outcome in steps:
            feedback = "" if outcome is Outcome.CONFIRMED else str(outcome)
            decision = Decision("", SPACE, Step("", (action,)))
            frame = Frame(np.full((56, 84, 3), shade, np.uint8), SPACE.screen)
            writer.append(frame, decision, (action,), (Receipt(action, outcome),), feedback)
    last = answers_of(Episode.open(tmp_path / "e"))[4]
    assert [type(action) for action in last.question.done] == [Click, Hotkey]
