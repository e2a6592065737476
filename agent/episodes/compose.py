"""A whole episode at once, from records that exist already: unpacked, forked or imported."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.episodes.errors import EpisodeInUse, RecordingFailed
from agent.episodes.folder import sync_folder, write_whole
from agent.episodes.format import (
    IMAGES,
    MANIFEST,
    STEPS,
    Json,
    genesis,
    new_manifest,
    seal_line,
    seal_manifest,
)


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder beside its place, put there when the block is through.

    Raises:
        EpisodeInUse: something is there already.
        RecordingFailed: it cannot be written.
    """
    if out.exists():
        raise EpisodeInUse(f"{out} exists; choose a new folder")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            partial.chmod(0o755)
            (partial / IMAGES).mkdir()
            yield partial
            partial.rename(out)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        sync_folder(out.parent)
    except OSError as error:
        raise RecordingFailed(f"cannot write {out}: {error}") from error


def write_records(folder: Path, head: Json, steps: Iterable[Json], outcome: Json | None) -> None:
    """The chained lines and their manifest; an outcome gets its count, last hash and time."""
    seal, text, count = genesis(head), bytearray(), 0
    for step in steps:
        line, seal = seal_line(step, seal)
        text += line
        count += 1
    write_whole(folder / STEPS, bytes(text))
    manifest = new_manifest(head)
    if outcome is not None:
        manifest["outcome"] = outcome | {"steps": count, "last": seal, "time": time.time()}
    write_whole(folder / MANIFEST, seal_manifest(manifest))
