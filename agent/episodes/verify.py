"""Is an episode, byte for byte, what was recorded? If not: where exactly is it not?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from agent.episodes.errors import BrokenEpisode
from agent.episodes.files import Files, PackedFiles, files_of, write_packed
from agent.episodes.format import (
    MANIFEST,
    STEPS,
    Json,
    StepRecord,
    Version,
    digest,
    genesis,
    open_line,
)
from agent.episodes.images import image_name
from agent.episodes.reader import lines, read_manifest, read_step

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Problem:
    """Something that is not as it was written.

    Attributes:
        file: path inside the episode.
        step: index of the step that it belongs to, None for the manifest.
        message: what was expected and what came.
    """

    file: str
    step: int | None
    message: str

    def __str__(self) -> str:
        place = self.file if self.step is None else f"{self.file}, step {self.step}"
        return f"{place}: {self.message}"


@dataclass(frozen=True)
class Report:
    """What `verify` found.

    Attributes:
        path: the episode's folder.
        steps: how many steps are intact from the first on, without a gap.
        end: byte of `steps.jsonl` behind the last intact step.
        torn_bytes: length of an unfinished last line: a step that was never acknowledged.
        closed: whether an ending was written; False after a kill, or while it is being recorded.
        problems: everything that was changed or is missing.
        strays: files that no step refers to, such as the image of a step that was cut off.
    """

    path: Path
    steps: int
    end: int
    torn_bytes: int
    closed: bool
    problems: tuple[Problem, ...]
    strays: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Everything that was acknowledged is there, unchanged."""
        return not self.problems

    def __str__(self) -> str:
        state = "closed" if self.closed else "not closed"
        parts = [f"{self.path}: {self.steps} steps intact up to byte {self.end}, {state}"]
        if self.torn_bytes:
            parts.append(f"an unfinished step of {self.torn_bytes} bytes follows")
        parts += [str(problem) for problem in self.problems]
        parts += [f"{stray}: belongs to no step" for stray in self.strays]
        return "\n".join(parts)


def verify(path: Path | str) -> Report:
    """Check every byte of an episode. A torn last line is reported, and is no problem by itself.

    Raises:
        NotAnEpisode: there is no manifest.
        NewerEpisode: a newer major version wrote it.
    """
    path = Path(path)
    try:
        files = files_of(path)
        manifest, version = read_manifest(files)
    except BrokenEpisode as error:
        problem = Problem(MANIFEST, None, str(error.__cause__ or error))
        return Report(path, 0, 0, 0, False, (problem,), ())
    chain = _follow(files, genesis(manifest["head"]), version)
    problems = [*chain.problems, *_images(files, chain.steps), *_outcome(manifest, chain)]
    known = {image_name(step.frame) for step in chain.steps} | {MANIFEST, STEPS}
    if isinstance(files, PackedFiles) and not problems:
        problems += _packing(files)
    return Report(
        path,
        len(chain.steps),
        chain.end,
        chain.torn_bytes,
        manifest.get("outcome") is not None,
        tuple(problems),
        tuple(name for name in files.names() if name not in known),
    )


@dataclass(frozen=True)
class _Chain:
    """The intact beginning of `steps.jsonl`."""

    steps: tuple[StepRecord, ...]
    end: int
    last: str
    torn_bytes: int
    problems: tuple[Problem, ...]


def _follow(files: Files, last: str, version: Version) -> _Chain:
    """Follow the chain from the manifest to its end or to the first line that breaks it."""
    steps: list[StepRecord] = []
    end = 0
    try:
        found = list(lines(files))
    except BrokenEpisode as error:
        return _Chain((), 0, last, 0, (Problem(STEPS, 0, str(error)),))
    for line in found:
        if not line.whole:
            return _Chain(tuple(steps), end, last, len(line.data), ())
        try:
            raw, seal = open_line(line.data, last)
            where = f"{files.path / STEPS}, step {len(steps)}"
            steps.append(read_step(where, len(steps), raw, version))
        except (ValueError, RecursionError, BrokenEpisode) as error:
            message = f"line {line.number}, bytes {line.start} to {line.end}: {error}"
            return _Chain(tuple(steps), end, last, 0, (Problem(STEPS, len(steps), message),))
        last, end = seal, line.end
    return _Chain(tuple(steps), end, last, 0, ())


def _images(files: Files, steps: tuple[StepRecord, ...]) -> list[Problem]:
    """Check each picture once, for the first step that shows it."""
    problems: list[Problem] = []
    first = {image_name(step.frame): step for step in reversed(steps)}
    for name, step in sorted(first.items(), key=lambda item: item[1].index):
        try:
            found = digest(files.read(name))
        except OSError as error:
            problems.append(Problem(name, step.index, f"it cannot be read: {error.strerror}"))
            continue
        if found != step.frame.file:
            message = f"expected the hash {step.frame.file[:12]}…, actually {found[:12]}…"
            problems.append(Problem(name, step.index, message))
    return problems


def _outcome(manifest: Json, chain: _Chain) -> list[Problem]:
    """An ending says how many steps there are and what the last one's hash is."""
    outcome = manifest.get("outcome")
    if outcome is None or chain.problems:
        return []
    if outcome.get("last") == chain.last and not chain.torn_bytes:
        return []
    message = (
        f"the ending tells of {outcome.get('steps')} steps and nothing behind them, actually there "
        f"are {len(chain.steps)} and {chain.torn_bytes} bytes"
    )
    return [Problem(STEPS, len(chain.steps), message)]


def _packing(files: PackedFiles) -> list[Problem]:
    """There is one way to pack an episode, so a byte between the members is found as well."""
    with TemporaryFile() as again, files.path.open("rb") as packed:
        write_packed(files, files.names(), again)
        again.seek(0)
        for part in iter(lambda: again.read(_CHUNK), b""):
            if packed.read(len(part)) != part:
                break
        else:
            if not packed.read(1):
                return []
    message = "its members are intact, but it is not what `eyehand episode pack` writes"
    return [Problem(files.path.name, None, message)]
