"""The demonstration, with a policy that finds buttons by their colour."""

from __future__ import annotations

import io
import os
import signal
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from actions.dialects import render
from actions.space import Click, Step
from agent.demo import demonstrate
from agent.episodes.format import End
from agent.episodes.reader import Episode
from agent.episodes.verify import verify
from agent.policies.base import Decision, Observation, Policy
from agent.terminal import TerminalView
from vision.geometry import CoordinateMap, Point, Size


class ButtonFinder(Policy):
    """Clicks the middle of whatever is not white below the instruction: solves click-test."""

    def decide(self, observation: Observation) -> Decision:
        frame = observation.frame
        rows, columns = np.nonzero((frame.pixels[52:] < 250).any(axis=2))
        space = CoordinateMap(frame.box, Size(frame.width, frame.height))
        x, y = space.to_model(Point(int(np.median(columns)), int(np.median(rows)) + 52))
        step = Step("", (Click(Point(round(x), round(y))),))
        return Decision(render(step), space, step)

    def describe(self) -> dict[str, str]:
        return {"policy": "button finder"}


def test_pages_are_solved_or_not_as_they_say_themselves(tmp_path: Path) -> None:
    told = io.StringIO()
    view = TerminalView(Console(file=told, highlight=False))
    # The second page wants a certain word to be clicked, not the middle of everything.
    shown = demonstrate(ButtonFinder(), tmp_path, lambda: view, 7, ("click-test", "click-link"))
    solved, missed = shown.attempts
    assert solved.solved and solved.result.reward == 1 and solved.result.steps == 1
    assert not missed.solved and not shown.solved
    assert Episode.open(solved.episode).outcome.reward == 1  # type: ignore[union-attr]
    assert all(verify(attempt.episode).ok for attempt in shown.attempts)
    assert "click-test" not in told.getvalue() and "done  after 1 step" in told.getvalue()
    page = shown.report.read_text()
    assert "Click the button" in page and "<script src" not in page


class Interrupted(ButtonFinder):
    """Somebody presses Ctrl-C while it thinks."""

    def decide(self, observation: Observation) -> Decision:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
        return super().decide(observation)


def test_ctrl_c_ends_it_and_the_report_shows_what_there_is(tmp_path: Path) -> None:
    view = TerminalView(Console(file=io.StringIO()))
    shown = demonstrate(Interrupted(), tmp_path, lambda: view, 7, ("click-test", "click-link"))
    (attempt,) = shown.attempts
    assert attempt.result.outcome is End.STOPPED and not shown.solved
    assert shown.report.is_file()
