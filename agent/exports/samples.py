"""The steps of an episode as a trainer wants them: whole pictures, points as parts of them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from actions import codec
from actions.dialects import RenderError, render
from actions.space import Action, Scroll, Step, on_points
from agent.episodes.format import StepRecord
from agent.episodes.reader import Episode
from vision.frame import Frame
from vision.geometry import Point, Size


@dataclass(frozen=True)
class Sample:
    """One step that parsed.

    Attributes:
        record: the step.
        frame: what was seen.
        actions: the whole decision, points as parts 0..1 of the picture.
    """

    record: StepRecord
    frame: Frame
    actions: tuple[Action, ...]

    def written(self, dialect: str, extent: Size) -> str | None:
        """The decision in a dialect whose far corner is `extent`; None when it has no words."""
        try:
            return render(Step(self.record.thought, self._scaled(extent)), dialect)
        except RenderError:
            pass
        usual = tuple(_usual(action) for action in self._scaled(extent))
        try:
            return render(Step(self.record.thought, usual), dialect)
        except RenderError:
            return None

    def _scaled(self, extent: Size) -> tuple[Action, ...]:
        if extent == Size(1, 1):
            return tuple(on_points(each, _four_digits) for each in self.actions)
        return tuple(
            on_points(a, lambda p: Point(round(p.x * extent.width), round(p.y * extent.height)))
            for a in self.actions
        )


def samples(episode: Episode) -> Iterator[Sample]:
    """Every step that parsed."""
    for step in episode.steps:
        if step.error is None:
            decided = (codec.from_dict(each) for each in step.actions)
            parts = _parts(step.map.extent)
            actions = tuple(on_points(action, parts) for action in decided)
            yield Sample(step, episode.frame(step), actions)


def picture(frame: Frame) -> bytes:
    """The screenshot as PNG."""
    file = io.BytesIO()
    frame.to_image().save(file, "PNG", compress_level=1)
    return file.getvalue()


def save_picture(frame: Frame, folder: Path, name: str = "") -> str:
    """Write the screenshot once, by default under its hash; its file name."""
    file = folder / (name or f"{frame.digest[:24]}.png")
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(frame))
    return file.name


def write_lines(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """JSON objects, one a line."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _parts(extent: Size) -> Callable[[Point], Point]:
    """From a model's coordinates to parts 0..1 of the picture."""
    return lambda point: Point(point.x / extent.width, point.y / extent.height)


def _usual(action: Action) -> Action:
    """UI-TARS scrolls in steps of five notches."""
    return replace(action, clicks=5) if isinstance(action, Scroll) else action


def _four_digits(point: Point) -> Point:
    return Point(round(point.x, 4), round(point.y, 4))
