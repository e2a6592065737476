"""Episodes in the formats that other people's trainers and scorers read; see `docs/exports.md`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.episodes.errors import EpisodeInUse, RecordingFailed
from agent.episodes.reader import Episode
from agent.exports import agentnet, messages, osworld, tables

EXPORTS: dict[str, Callable[[Sequence[Episode], Path], int]] = {
    "uitars": messages.write_uitars,
    "llamafactory": messages.write_llamafactory,
    "agentnet": agentnet.write,
    "osworld": osworld.write,
    "parquet": tables.write_parquet,
    "lerobot": tables.write_lerobot,
}
"""Format -> what writes it into a new folder and counts the steps that it has no words for."""


def export(paths: Sequence[Path | str], form: str, out: Path) -> int:
    """Write episodes in another format; the number of steps that it could not express.

    Raises:
        EpisodeError: an episode cannot be read, the folder exists, or it cannot be written.
        KeyError: no such format.
    """
    write = EXPORTS[form]
    episodes = [Episode.open(path) for path in paths]
    if out.exists():
        raise EpisodeInUse(f"{out} exists; export into a new folder")
    try:
        out.mkdir(parents=True)
        try:
            return write(episodes, out)
        except BaseException:
            shutil.rmtree(out)  # half an export looks like a whole one
            raise
    except OSError as error:
        raise RecordingFailed(f"cannot write {out}: {error}") from error
