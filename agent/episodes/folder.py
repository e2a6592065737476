"""Files that survive a crash: a folder lock, whole writes, replacement in one piece.

What `sync` promises: when it returns, the operating system was told to put the bytes on the disk
(`fsync`), so they survive a power cut as far as the drive keeps its word.
"""

from __future__ import annotations

import fcntl
import os
from io import FileIO
from pathlib import Path

from agent.episodes.errors import EpisodeInUse


class FolderLock:
    """An advisory lock on a folder, held until `release` or until the process dies."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            EpisodeInUse: another writer holds it.
        """
        self._path = path
        self._file = path.open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise EpisodeInUse(
                f"{path.parent} is being recorded by another writer; record into a new folder"
            ) from None

    @property
    def released(self) -> bool:
        """Whether this lock was let go."""
        return self._file.closed

    def release(self) -> None:
        """Let the next writer in. Safe to repeat."""
        if not self.released:
            self._path.unlink(missing_ok=True)
            self._file.close()


def write_all(file: FileIO, data: bytes) -> None:
    """Write every byte, though an unbuffered write may take only some; then sync."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())


def write_whole(path: Path, data: bytes) -> None:
    """Put a file in place in one piece: a reader sees the old content or the new, never a part."""
    partial = path.with_name(path.name + ".partial")
    try:
        with FileIO(partial, "w") as file:
            write_all(file, data)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
