"""One file for sharing, a folder again, and the beginning of an episode to go on from."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

from agent.episodes.compose import new_folder, write_records
from agent.episodes.errors import BrokenEpisode, EpisodeInUse, RecordingFailed
from agent.episodes.files import Files, files_of, write_packed
from agent.episodes.folder import write_whole
from agent.episodes.format import End, Ending, Json, genesis, open_line, to_json
from agent.episodes.images import image_name
from agent.episodes.migrations import migrate
from agent.episodes.reader import Episode, lines, read_manifest
from agent.episodes.verify import verify


def pack(path: Path | str, out: Path | str) -> Path:
    """Put an episode into one file; the same episode always gives the same bytes.

    Files that belong to no step are left out, a torn last line is kept.

    Raises:
        EpisodeError: the episode is not intact, the output exists, or it cannot be written.
    """
    path, out = Path(path), Path(out)
    files = _intact(path)
    if out.exists():
        raise EpisodeInUse(f"{out} exists; pack into a new file")
    names = set(files.names()) - set(verify(path).strays)
    partial = out.with_name(out.name + ".partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            write_packed(files, names, file)
        partial.replace(out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RecordingFailed(f"cannot write {out}: {error}") from error
    return out


def unpack(packed: Path | str, out: Path | str) -> Path:
    """Make a folder of a packed episode; it appears in one piece or not at all.

    Raises:
        EpisodeError: the file is no intact episode, the folder exists, or cannot be written.
    """
    packed, out = Path(packed), Path(out)
    files = _intact(packed)
    with new_folder(out) as folder:
        for name in files.names():
            write_whole(folder / name, files.read(name))
    return out


def fork(path: Path | str, at: int, out: Path | str) -> Path:
    """A new episode of the first `at` steps, whose `parent` names where they come from.

    Raises:
        EpisodeError: the episode is not intact or shorter, the folder exists, or cannot be written.
    """
    path, out = Path(path), Path(out)
    files = _intact(path)
    episode = Episode.open(path)
    if not 0 <= at <= len(episode.steps):
        raise BrokenEpisode(f"{path} has {len(episode.steps)} steps; it cannot be forked at {at}")
    manifest, version = read_manifest(files)
    parent = {"id": episode.head.id, "step": at}
    new = {"id": uuid.uuid4().hex, "created": time.time(), "parent": parent}
    head = migrate("head", manifest["head"], version) | new  # the chain begins with the old one
    raw = [migrate("step", step, version) for step in _raw_steps(files, manifest)[:at]]
    with new_folder(out) as folder:
        for name in {image_name(step.frame) for step in episode.steps[:at]}:
            write_whole(folder / name, files.read(name))
        ending = Ending(End.FORKED, f"forked at step {at} of {episode.head.id}")
        write_records(folder, head, raw, to_json(ending))
    return out


def _intact(path: Path) -> Files:
    """The files of an episode in which everything is as it was written."""
    report = verify(path)
    if not report.ok:
        raise BrokenEpisode(f"{path} is damaged: {report.problems[0]}")
    return files_of(path)


def _raw_steps(files: Files, manifest: Json) -> list[Json]:
    """The steps as they were written, without what frames them."""
    seal, steps = genesis(manifest["head"]), []
    for line in lines(files):
        if line.whole:
            step, seal = open_line(line.data, seal)
            steps.append(step)
    return steps
