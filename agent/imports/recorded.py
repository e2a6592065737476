"""An episode whose records came back whole: it is written as it was, not recorded anew."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from agent.episodes.compose import new_folder, write_records
from agent.episodes.errors import BrokenEpisode
from agent.episodes.format import Ending, Head, Json, StepRecord, Version, to_json
from agent.episodes.images import ImageWriter
from agent.episodes.reader import read_ending, read_head, read_step, read_version
from agent.imports.trajectory import Foreign, Picture
from vision.frame import Frame


@dataclass(frozen=True)
class Shown:
    """A row of a table: one step.

    Attributes:
        where: file and row, for messages.
        row: its columns but the picture.
        picture: what was seen.
    """

    where: str
    row: dict[str, Any]
    picture: Picture

    def parsed(self, column: str) -> Json:
        """A column that holds a JSON object.

        Raises:
            Foreign: it holds something else.
        """
        try:
            value = json.loads(self.row[column])
        except (ValueError, TypeError, RecursionError) as error:
            raise Foreign(f"{self.where}: `{column}` is no JSON: {error}") from error
        if not isinstance(value, dict):
            raise Foreign(
                f"{self.where}: expected an object in `{column}`, actually: {value!r:.80}"
            )
        return value

    @property
    def version(self) -> Version:
        """Of the format of its records."""
        try:
            return read_version(self.where, str(self.row["version"]))
        except ValueError as error:
            raise Foreign(f"{self.where}: `version` is none: {error}") from error


@dataclass(frozen=True)
class Recorded:
    """One episode.

    Attributes:
        head: as it was.
        steps: as they were; their pictures' files may be cut differently between keys and
            differences.
        pictures: of the steps.
        ending: None when it was not closed.
    """

    head: Head
    steps: tuple[StepRecord, ...]
    pictures: tuple[Picture, ...]
    ending: Ending | None

    @classmethod
    def of(cls, rows: Sequence[Shown]) -> Recorded:
        """The episode of rows that follow one another.

        Raises:
            Foreign: a column does not hold what it should.
            EpisodeError: a record does not fit the format; the message names the row.
        """
        first, last = rows[0], rows[-1]
        ending = None
        if last.row["outcome"] is not None:
            ending = read_ending(last.where, last.parsed("outcome"))
        return cls(
            read_head(first.where, first.parsed("head"), first.version),
            tuple(
                read_step(row.where, index, row.parsed("record"), row.version)
                for index, row in enumerate(rows)
            ),
            tuple(row.picture for row in rows),
            ending,
        )

    def write(self, folder: Path) -> Path:
        """Write the episode; its folder appears in one piece.

        Raises:
            EpisodeError: a picture is not the recorded one, or the folder cannot be written.
        """
        with new_folder(folder) as made:
            steps = self._stored(ImageWriter(made))
            outcome = None if self.ending is None else to_json(self.ending)
            write_records(made, to_json(self.head), steps, outcome)
        return folder

    def _stored(self, images: ImageWriter) -> Iterator[Json]:
        """The steps as JSON, once their pictures are on the disk."""
        for step, picture in zip(self.steps, self.pictures, strict=True):
            seen, pixels = step.frame, np.asarray(picture.image())
            frame = Frame(pixels, seen.box, seen.time, seen.cursor)
            if frame.digest != seen.digest:
                raise BrokenEpisode(f"{picture.where}: it does not show the recorded pixels")
            yield asdict(replace(step, frame=images.store(frame)))
