"""Reading an episode: everything that was acknowledged, with the chain checked on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from agent.episodes.errors import BrokenEpisode, NewerEpisode, NotAnEpisode
from agent.episodes.files import Files, files_of
from agent.episodes.format import (
    MANIFEST,
    STEPS,
    VERSION,
    Ending,
    FrameRecord,
    Head,
    Json,
    StepRecord,
    Version,
    genesis,
    open_line,
    open_manifest,
)
from agent.episodes.images import read_image
from agent.episodes.migrations import migrate
from vision.frame import Frame

T = TypeVar("T")
_HEAD, _ENDING, _STEP = TypeAdapter(Head), TypeAdapter(Ending), TypeAdapter(StepRecord)


class Line(NamedTuple):
    """One line of `steps.jsonl`: its bytes [start, end) in the file; `data` without line break."""

    number: int
    start: int
    end: int
    data: bytes

    @property
    def whole(self) -> bool:
        """Whether its line break was written: only then was the step acknowledged."""
        return self.end > self.start + len(self.data)


@dataclass(frozen=True)
class Episode:
    """A recorded episode, read.

    Attributes:
        path: its folder, or the file that it was packed into.
        head: what was known before the first step.
        outcome: how it ended, None when the writer was killed (or is still at work).
        steps: the acknowledged steps, in order.
        torn_bytes: length of a last line that was never finished, 0 when there is none.
        files: where its pictures are read from.
    """

    path: Path
    head: Head
    outcome: Ending | None
    steps: tuple[StepRecord, ...]
    torn_bytes: int
    files: Files

    @classmethod
    def open(cls, path: Path | str) -> Episode:
        """Read a folder or a packed file. A torn last line and a newer minor version are tolerated.

        Raises:
            NotAnEpisode: there is no readable manifest.
            NewerEpisode: a newer major version wrote it.
            BrokenEpisode: a step is not as it was written; the message names it.
        """
        files = files_of(path := Path(path))
        manifest, version = read_manifest(files)
        raw, torn = _read_steps(files, genesis(manifest["head"]))
        outcome = manifest.get("outcome")
        return cls(
            path,
            read_head(f"{path / MANIFEST}", manifest["head"], version),
            None if outcome is None else read_ending(f"{path / MANIFEST}", outcome),
            tuple(
                read_step(f"{path / STEPS}, step {index}", index, step, version)
                for index, step in enumerate(raw)
            ),
            torn,
            files,
        )

    def frame(self, step: StepRecord) -> Frame:
        """The screenshot of a step, pixel for pixel as it was seen.

        Raises:
            BrokenEpisode: an image is missing, damaged or not the one that was recorded.
        """
        return read_image(self.files, step.frame, self._key(step), step.index)

    def _key(self, step: StepRecord) -> FrameRecord | None:
        """The key picture of a step's picture: an earlier step shows it as a whole."""
        if step.frame.base is None:
            return None
        for earlier in self.steps[: step.index]:
            if earlier.frame.digest == step.frame.base and earlier.frame.base is None:
                return earlier.frame
        raise BrokenEpisode(
            f"{self.path / STEPS}, step {step.index}: no earlier step shows the key picture "
            f"{step.frame.base}"
        )


def read_manifest(files: Files) -> tuple[Json, Version]:
    """The manifest, its hash checked, and its version.

    Raises:
        NotAnEpisode: there is none.
        NewerEpisode: it is of a newer major version.
        BrokenEpisode: it was changed, or lacks something.
    """
    file = files.path / MANIFEST
    try:
        data = files.read(MANIFEST)
    except OSError as error:
        raise NotAnEpisode(
            f"{files.path} is no episode: {MANIFEST} cannot be read ({error.strerror}); "
            "expected a recorded folder, or what `eyehand episode pack` made of one"
        ) from error
    try:
        manifest = open_manifest(data)
        version = read_version(f"{file}", manifest["version"])
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise BrokenEpisode(f"{file} is not as it was written: {error}") from error
    head, outcome = manifest.get("head"), manifest.get("outcome")
    if not (isinstance(head, dict) and isinstance(outcome, dict | None)):
        raise BrokenEpisode(f"{file} needs an object `head`, and an object or null as `outcome`")
    return manifest, version


def read_version(where: str, stated: str) -> Version:
    """Major and minor of a stated version.

    Raises:
        NewerEpisode: the major one is newer than this reader; the message begins with `where`.
        ValueError: it is no version.
    """
    major, minor = (int(part) for part in stated.split("."))
    if major < 1:
        raise ValueError(f"there was no version {major}.{minor}")
    if major > VERSION[0]:
        raise NewerEpisode(
            f"{where} has format {major}.{minor}, this reader knows up to {VERSION[0]}.x; "
            "update eyehand"
        )
    return major, minor


def read_head(where: str, raw: Json, version: Version) -> Head:
    """The head, migrated and checked against its types.

    Raises:
        BrokenEpisode: it does not fit the format; the message begins with `where`.
    """
    return _valid(_HEAD, migrate("head", raw, version), where)


def read_ending(where: str, raw: Json) -> Ending:
    """The ending, checked against its types.

    Raises:
        BrokenEpisode: it does not fit the format; the message begins with `where`.
    """
    return _valid(_ENDING, raw, where)


def read_step(where: str, index: int, raw: Json, version: Version) -> StepRecord:
    """The record of one step, migrated and checked against its types.

    Raises:
        BrokenEpisode: it does not fit the format, or is not the step that belongs here; the
            message begins with `where`.
    """
    try:
        migrated = migrate("step", raw, version)
    except (KeyError, TypeError, AttributeError) as error:
        raise BrokenEpisode(f"{where} does not fit format {version}: {error!r}") from error
    record = _valid(_STEP, migrated, where)
    if record.index != index:
        raise BrokenEpisode(f"{where} says that it is step {record.index}")
    return record


def lines(files: Files) -> Iterator[Line]:
    """Every line of `steps.jsonl`; the last may be torn. A missing file has none."""
    try:
        data = files.read(STEPS)
    except FileNotFoundError:
        return
    except OSError as error:
        message = f"{files.path / STEPS}: it cannot be read: {error.strerror}"
        raise BrokenEpisode(message) from error
    start = 0
    for number, text in enumerate(data.split(b"\n"), 1):
        end = min(start + len(text) + 1, len(data))
        if end > start:
            yield Line(number, start, end, text)
        start = end


def _read_steps(files: Files, previous: str) -> tuple[list[Json], int]:
    """The steps as JSON, the chain checked, and the length of a torn last line."""
    steps: list[Json] = []
    for line in lines(files):
        if not line.whole:
            return steps, len(line.data)
        try:
            step, previous = open_line(line.data, previous)
        except (ValueError, RecursionError) as error:
            raise BrokenEpisode(
                f"{files.path / STEPS}, step {len(steps)} (line {line.number}, bytes "
                f"{line.start} to {line.end}) is not as it was written: {error}"
            ) from error
        steps.append(step)
    return steps, 0


def _valid(adapter: TypeAdapter[T], value: Json, where: str) -> T:
    """The record, checked against its types; members that this version does not know are left."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        )
        raise BrokenEpisode(f"{where} does not fit the format: {faults}") from error
