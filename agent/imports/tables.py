"""Parquet: the tables of `agent.exports.tables`, and the LeRobot v3 data sets that it writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actions import codec
from actions.dialects import RenderError, render
from actions.space import Step
from agent.exports.tables import NoTables
from agent.imports.recorded import Recorded, Shown
from agent.imports.trajectory import Foreign, Picture, Taken, Trajectory

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_RECORDS = ("episode_id", "index", "version", "record", "head", "outcome")
_LEROBOT = ("episode_index", "task_index", "action_json", "thought")
_DIALECT = "opencua"
"""Its coordinates are parts of the picture, as those in `action_json` are."""

Row = tuple[str, dict[str, Any]]
"""Where a row stands, for messages, and its columns but the picture."""


def read_parquet(source: Path) -> Iterator[Recorded]:
    """Every episode of a file, or of the `train.parquet` of a folder; rows lie in their order.

    Raises:
        Foreign: the file is no such table, or a row is not of it.
        EpisodeError: a record does not fit the format, or pyarrow is not installed.
    """
    table = Table(source / "train.parquet" if source.is_dir() else source, "image")
    found: list[Shown] = []
    for number, (where, row) in enumerate(table.rows(_RECORDS)):
        if row["index"] == 0 and found:
            yield Recorded.of(found)
            found = []
        found.append(Shown(where, row, table.picture(number)))
    if found:
        yield Recorded.of(found)


def read_lerobot(source: Path) -> Iterator[Trajectory]:
    """Every episode of a data set that Eyehand exported; a robot's has no `action_json`.

    Raises:
        Foreign: the folder is no such data set, or a row is not of it.
        EpisodeError: pyarrow is not installed.
    """
    tasks = _tasks(source / "meta/tasks.parquet")
    files = sorted((source / "data").glob("*/*.parquet"))
    if not files:
        raise Foreign(f"expected a LeRobot data set, actually there is no table in {source}/data")
    rows = (
        (where, row | {"picture": table.picture(number)})
        for table in (Table(file, "observation.image") for file in files)
        for number, (where, row) in enumerate(table.rows(_LEROBOT))
    )
    for _, group in groupby(rows, lambda found: found[1]["episode_index"]):
        steps = list(group)
        where, first = steps[0]
        if first["task_index"] not in tasks:
            raise Foreign(f"{where}: there is no task {first['task_index']}")
        taken = tuple(_taken(place, row) for place, row in steps)
        yield Trajectory("lerobot", "", tasks[first["task_index"]], _DIALECT, taken)


def _tasks(path: Path) -> dict[int, str]:
    """The tasks by their number."""
    return {
        row["task_index"]: str(row["task"]) for _, row in Table(path).rows(("task_index", "task"))
    }


def _taken(where: str, row: dict[str, Any]) -> Taken:
    """A step; actions that the dialect has no words for make it one that cannot be read."""
    picture, written = row["picture"], str(row["action_json"])
    try:
        actions = tuple(codec.from_dict(each) for each in json.loads(written))
    except (ValueError, TypeError, RecursionError) as error:
        raise Foreign(f"{where}: `action_json` holds no actions: {error}") from error
    try:
        return Taken(picture, render(Step(str(row["thought"] or ""), actions), _DIALECT))
    except RenderError as error:
        return Taken(picture, written, error=str(error))


@dataclass(frozen=True)
class Table:
    """A parquet file whose pictures are only read when they are asked for.

    Attributes:
        path: the file.
        image: its column of pictures; empty when it has none.
    """

    path: Path
    image: str = ""

    def rows(self, columns: tuple[str, ...]) -> Iterator[Row]:
        """Every row, without its picture.

        Raises:
            Foreign: the file is no table, or has no such columns.
        """
        missing = {*columns, self.image} - {"", *self._file.schema_arrow.names}
        if missing:
            raise Foreign(f"{self.path}: there is no column {', '.join(sorted(missing))}")
        number = 0
        for batch in self._file.iter_batches(columns=list(columns)):
            for row in batch.to_pylist():
                yield f"{self.path}, row {number}", row
                number += 1

    def picture(self, number: int) -> Picture:
        """The picture of a row, read when it is needed."""
        return Picture(f"{self.path}, row {number}", partial(self._bytes, number))

    def _bytes(self, number: int) -> bytes:
        value = self._group(number)
        found = value.get("bytes") if isinstance(value, dict) else None
        if not isinstance(found, bytes):
            raise Foreign(f"{self.path}, row {number}: there is no picture in the table")
        return found

    def _group(self, number: int) -> Any:
        """The value of the picture column in a row; one row group is kept."""
        for group in range(self._file.num_row_groups):
            count = self._file.metadata.row_group(group).num_rows
            if number < count:
                if self._kept.get("group") != group:
                    column = self._file.read_row_group(group, columns=[self.image])[self.image]
                    self._kept.update(group=group, column=column)
                return self._kept["column"][number].as_py()
            number -= count
        raise IndexError(number)

    @cached_property
    def _kept(self) -> dict[str, Any]:
        return {}

    @cached_property
    def _file(self) -> ParquetFile:
        try:
            from pyarrow.lib import ArrowException
            from pyarrow.parquet import ParquetFile
        except ImportError as error:
            raise NoTables(
                f"parquet needs the libraries of the extra `export`: pip install "
                f"'eyehand[export]' ({error})"
            ) from error
        try:
            return ParquetFile(self.path)
        except ArrowException as error:
            raise Foreign(f"{self.path} is no parquet file: {error}") from error
