"""Environment replay: do the recorded actions lead a live application through the same screens?

Before each action the screen is compared with the recorded one, again and again until it matches or
patience ends. Where the target of an action is not in its place, the recorded pixels around it find
it again; when they do not, a model may look for what the recorded thought (or the task) describes.
Else the replay halts and says why. It cannot tell why an application reacts in another way: clocks,
fonts, animations and networks all count.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from actions import codec
from actions.executor import Executor, Stopped
from actions.guard import Guard, Permission
from actions.receipt import Outcome
from actions.space import ENDING, Action, on_points, points
from agent.episodes.errors import BrokenEpisode
from agent.episodes.find import NotFound, find
from agent.episodes.format import StepRecord
from agent.episodes.reader import Episode
from agent.episodes.rules import guard_of
from agent.episodes.withhold import WITHHELD
from agent.policies.base import Observation, Policy, PolicyError
from vision.capture import Eyes
from vision.frame import Frame
from vision.geometry import Box, Point, Size

TOLERANCE = 0.02
"""Share of a screen's pixels that may differ: a caret, a clock."""
_CROP = 24
"""Pixels to each side of a target that it is recognised by."""
_PERIOD_SECONDS = 0.1


@dataclass(frozen=True)
class Passage:
    """One step of an environment replay.

    Attributes:
        step: its index.
        differs: share 0..1 of the pixels that differed from the recording before it acted.
        moved: how far targets were from their places, (x, y) in screen pixels; None: not at all.
        described: whether a model found them by their description, not the recorded pixels.
        halted: why it did not act; empty when it did.
    """

    step: int
    differs: float
    moved: Point | None = None
    described: bool = False
    halted: str = ""

    def __str__(self) -> str:
        told = f"step {self.step}: {self.differs:.1%} of the pixels differ"
        if self.moved is not None:
            told += f"; the target moved by ({self.moved.x:+.0f}, {self.moved.y:+.0f})"
            told += ", found by its description" if self.described else ""
        return told + (f"; halted: {self.halted}" if self.halted else "")


@dataclass(frozen=True)
class EnvironmentReport:
    """What an environment replay came to.

    Attributes:
        path: the episode.
        total: how many steps it has.
        passages: the steps as far as the replay came.
        tolerance: share of the pixels that may differ.
    """

    path: Path
    total: int
    passages: tuple[Passage, ...]
    tolerance: float

    @property
    def ok(self) -> bool:
        """It came to the end, and every screen matched."""
        return self.matched == self.total and not any(each.halted for each in self.passages)

    @property
    def matched(self) -> int:
        """How many screens matched."""
        return sum(each.differs <= self.tolerance for each in self.passages)

    def __str__(self) -> str:
        told = f"{self.path}: {self.matched} of {self.total} screens match"
        lines = [str(p) for p in self.passages if p.differs > self.tolerance or p.halted or p.moved]
        return "\n".join([told, *lines])


class _Halt(Exception):
    """The replay cannot go on; carries why."""


class EnvironmentReplay:
    """Replays one episode on one screen.

    Args:
        episode: what was recorded.
        executor: the hands.
        eyes: the screen, of the recorded size.
        patience: seconds that a screen may take to look as recorded.
        tolerance: share of its pixels that may differ.
        guard: what may run; None means the recorded rules. Where one asks, nobody consents.
        guide: brings the model that looks for targets by their description, when one is needed;
            None: nobody does.
    """

    def __init__(
        self,
        episode: Episode,
        executor: Executor,
        eyes: Eyes,
        patience: float = 5.0,
        tolerance: float = TOLERANCE,
        guard: Guard | None = None,
        guide: Callable[[], Policy] | None = None,
    ) -> None:
        self._episode = episode
        self._executor = executor
        self._eyes = eyes
        self._patience = patience
        self._tolerance = tolerance
        self._guard = guard or guard_of(episode)
        self._guide = guide

    def run(self) -> EnvironmentReport:
        """Replay to the end, or until it halts.

        Raises:
            EpisodeError: a picture of the episode cannot be read.
            CaptureError: the display is gone.
        """
        passages: list[Passage] = []
        for step in self._episode.steps:
            passages.append(self._step(step))
            if passages[-1].halted:
                break
        total = len(self._episode.steps)
        return EnvironmentReport(self._episode.path, total, tuple(passages), self._tolerance)

    def _step(self, step: StepRecord) -> Passage:
        """Wait for the recorded screen, then act."""
        then = self._episode.frame(step)
        if then.pixels.shape != (now := self._eyes.grab()).pixels.shape:
            sizes = f"{then.width}x{then.height}, actually {now.width}x{now.height}"
            return Passage(step.index, 1.0, halted=f"expected a screen of {sizes}")
        now, differs = self._await(then)
        moved, described = None, False
        try:
            for number, recorded in enumerate(step.screen_actions):
                action = codec.from_dict(recorded)
                if number == 0:
                    moved, described = self._shift(step, then, now, action)
                if moved is not None:
                    action = on_points(action, _by(moved))
                self._perform(action)
        except _Halt as halt:
            return Passage(step.index, differs, moved, described, str(halt))
        return Passage(step.index, differs, moved, described)

    def _shift(
        self, step: StepRecord, then: Frame, now: Frame, action: Action
    ) -> tuple[Point | None, bool]:
        """How far the target of an action moved, and whether its description told."""
        target = next(iter(points(action)), None)
        if target is None:
            return None, False
        try:
            return _shifted(then, now, target), False
        except NotFound as error:
            why = f"the target at ({target.x:.0f}, {target.y:.0f}): {error}"
        if self._guide is None:
            raise _Halt(why)
        described = step.thought or self._episode.head.instruction
        try:
            decision = self._guide().decide(Observation(described, now))
        except PolicyError as error:
            raise _Halt(f"{why}, and no model could be asked: {error}") from error
        first = decision.step.actions[0] if decision.step else None
        places = points(first) if isinstance(first, type(action)) else ()
        if not places:
            raise _Halt(f"{why}, and the model does not see {described!r}")
        here = decision.map.to_screen(places[0])
        return Point(here.x - target.x, here.y - target.y), True

    def _await(self, then: Frame) -> tuple[Frame, float]:
        """The screen once it matches, or at the end of patience, and how much of it differs."""
        end = time.monotonic() + self._patience
        while True:
            now = self._eyes.grab()
            differs = difference(then, now)
            if differs <= self._tolerance or time.monotonic() > end:
                return now, differs
            time.sleep(_PERIOD_SECONDS)

    def _perform(self, action: Action) -> None:
        if isinstance(action, ENDING):
            return
        if WITHHELD in str(getattr(action, "text", "")):
            raise _Halt("what was typed here was withheld from the recording")
        verdict = self._guard.check(action)
        if verdict.permission is not Permission.ALLOW:
            raise _Halt(f"not allowed: {verdict.reason}")
        try:
            receipt = self._executor.perform(action)
        except Stopped as stopped:
            raise _Halt(str(stopped)) from stopped
        if receipt.outcome in (Outcome.REFUSED, Outcome.FAILED):
            raise _Halt(f"{receipt.outcome}: {receipt.message}")


def layout(episode: Episode) -> tuple[Size, Box]:
    """The size of a display that holds the recorded screen, and the part of it that was looked at.

    Raises:
        BrokenEpisode: the episode has no steps, or its screen does not begin at (0, 0).
    """
    if not episode.steps:
        raise BrokenEpisode(f"{episode.path} has no steps to replay")
    region = episode.steps[0].frame.box
    shown = [region, *(Box(*box) for box in episode.head.display.get("monitors", []))]
    if min(min(box.left, box.top) for box in shown) < 0:
        raise BrokenEpisode(
            f"{episode.path} was recorded on monitors that a display cannot imitate"
        )
    return Size(max(box.right for box in shown), max(box.bottom for box in shown)), region


def difference(one: Frame, other: Frame) -> float:
    """Share 0..1 of the pixels that differ visibly, by more than 8 of 255 in a channel."""
    if one.pixels.shape != other.pixels.shape:
        return 1.0
    apart = np.abs(one.pixels.astype(np.int16) - other.pixels)
    return float((apart.max(axis=2) > 8).mean())


def _shifted(then: Frame, now: Frame, target: Point) -> Point | None:
    """How far the pixels around a target moved since; None when they are in their place.

    Raises:
        NotFound: they are nowhere, or in several places.
    """
    x, y = int(target.x - then.box.left), int(target.y - then.box.top)
    left, top = max(0, x - _CROP), max(0, y - _CROP)
    crop = then.pixels[top : y + _CROP, left : x + _CROP]
    found = find(crop, now.pixels, Point(left, top))
    shift = Point(found.corner.x - left, found.corner.y - top)
    return None if shift == Point(0, 0) else shift


def _by(shift: Point) -> Callable[[Point], Point]:
    return lambda point: Point(point.x + shift.x, point.y + shift.y)
