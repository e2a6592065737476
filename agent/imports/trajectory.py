"""What every foreign format amounts to, and how it becomes an episode."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from actions.dialects import Dialect, ParseError, find
from actions.receipt import Outcome, Receipt
from actions.space import Action, on_points
from agent.episodes.errors import EpisodeError
from agent.episodes.format import Ending, Head
from agent.episodes.images import decode_png
from agent.episodes.writer import EpisodeWriter
from agent.policies.base import Decision
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, GeometryError, Size


class Foreign(EpisodeError):
    """A file is not of the format that it was said to be; the message names it."""


@dataclass(frozen=True)
class Picture:
    """A PNG that lies somewhere.

    Attributes:
        where: it lies, for messages.
        read: its bytes; may raise OSError.
    """

    where: str
    read: Callable[[], bytes]

    def image(self) -> Image.Image:
        """The picture in RGB.

        Raises:
            EpisodeError: it cannot be read or decoded.
        """
        try:
            data = self.read()
        except OSError as error:
            raise Foreign(f"{self.where} cannot be read: {error.strerror}") from error
        return decode_png(data, self.where).convert("RGB")


@dataclass(frozen=True)
class Taken:
    """One step of a trajectory.

    Attributes:
        picture: what was seen.
        text: the model's words, in the trajectory's dialect.
        time: when the picture was taken, seconds since the epoch; 0 when nobody knows.
        error: why the words are no step, when the source says so.
        feedback: what the model was told about the step.
        outcomes: of its actions, as far as they are known.
    """

    picture: Picture
    text: str
    time: float = 0.0
    error: str | None = None
    feedback: str = ""
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True)
class Trajectory:
    """One run.

    Attributes:
        form: the format that it comes from.
        id: its name there; empty when it has none.
        instruction: the task; empty when the source does not tell.
        dialect: of every text.
        steps: in order.
        ending: None when the source does not tell.
    """

    form: str
    id: str
    instruction: str
    dialect: str
    steps: tuple[Taken, ...]
    ending: Ending | None = None

    def write(self, folder: Path) -> Path:
        """Write it as an episode; the folder.

        Raises:
            EpisodeError: a picture cannot be read, or the folder cannot be written.
        """
        about = {"policy": "imported", "from": self.form}
        head = Head(self.instruction, self.dialect, policy=about, rules=())
        head = replace(head, id=self.id or head.id)
        dialect = find(self.dialect)
        with EpisodeWriter(folder, head) as writer:
            for step in self.steps:
                frame = _frame(step)
                decision = _decision(step, frame, dialect)
                actions = _on_screen(decision)
                done = zip(actions, step.outcomes, strict=False)
                receipts = [Receipt(action, outcome) for action, outcome in done]
                # Without receipts it is not known whether an action was ever performed.
                writer.append(frame, decision, actions[: len(receipts)], receipts, step.feedback)
            if self.ending is not None:
                writer.close(self.ending)
        return folder


def rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, object) of each line of a file of JSON objects.

    Raises:
        Foreign: a line is no such object.
        OSError: the file cannot be read.
    """
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Foreign(f"{where} is no JSON: {error}") from error
        if not isinstance(row, dict):
            raise Foreign(f"{where}: expected an object, actually: {type(row).__name__}")
        yield where, row


def member(row: dict[str, Any], name: str, kind: type, where: str) -> Any:
    """A member of an object, of the type that it must have.

    Raises:
        Foreign: it is missing or of another type.
    """
    value = row.get(name)
    if not isinstance(value, kind):
        raise Foreign(f"{where}: expected `{name}` ({kind.__name__}), actually: {value!r:.80}")
    return value


def inside(folder: Path, name: str, where: str) -> Picture:
    """The picture in the file of a relative name below a folder.

    Raises:
        Foreign: the name leads out of it.
    """
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise Foreign(f"{where}: the picture {name!r} lies outside {folder}")
    return Picture(str(file), file.read_bytes)


def _frame(step: Taken) -> Frame:
    image = step.picture.image()
    return Frame(np.asarray(image), Box(0, 0, image.width, image.height), step.time)


def _decision(step: Taken, frame: Frame, dialect: Dialect) -> Decision:
    size = Size(frame.width, frame.height)
    space = CoordinateMap(frame.box, size, dialect.extent or size)
    if step.error is not None:
        return Decision(step.text, space, error=step.error)
    try:
        return Decision(step.text, space, step=dialect.parse(step.text))
    except ParseError as error:
        return Decision(step.text, space, error=str(error))


def _on_screen(decision: Decision) -> list[Action]:
    """Its actions in screen pixels, up to the first that lies outside."""
    found: list[Action] = []
    for action in decision.step.actions if decision.step else ():
        try:
            found.append(on_points(action, decision.map.to_screen))
        except GeometryError:
            break
    return found
