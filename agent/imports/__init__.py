"""Episodes from other people's formats; see `docs/exports.md`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from agent.episodes.errors import EpisodeInUse, RecordingFailed
from agent.imports import agentnet, messages, osworld, tables
from agent.imports.recorded import Recorded
from agent.imports.trajectory import Foreign, Trajectory

IMPORTS: dict[str, Callable[[Path], Iterator[Trajectory | Recorded]]] = {
    "uitars": messages.read_uitars,
    "llamafactory": messages.read_llamafactory,
    "agentnet": agentnet.read,
    "osworld": osworld.read,
    "parquet": tables.read_parquet,
    "lerobot": tables.read_lerobot,
}
"""Format -> what reads a file or folder of it."""


def import_episodes(source: Path, form: str, out: Path) -> list[Path]:
    """Make an episode of each trajectory, in folders 000, 001, ... of a new folder.

    Raises:
        Foreign: the source is not of that format; the message names file and line.
        EpisodeError: a picture cannot be read, `out` exists or cannot be written.
        KeyError: no such format.
    """
    read = IMPORTS[form]
    if out.exists():
        raise EpisodeInUse(f"{out} exists; import into a new folder")
    try:
        found = list(read(source))
    except OSError as error:
        raise Foreign(f"{source} cannot be read: {error.strerror}") from error
    try:
        return [each.write(out / f"{number:03d}") for number, each in enumerate(found)]
    except OSError as error:
        raise RecordingFailed(f"cannot write {out}: {error}") from error
