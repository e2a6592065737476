"""Where the files of an episode are read from: its folder, or the one file that it was packed into.

A packed episode is a zip archive that holds what an episode consists of and nothing else, nothing
compressed, so that no name leads anywhere and no member grows when it is read.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from errno import EIO, ENOENT
from pathlib import Path
from typing import IO, Protocol

from agent.episodes.errors import BrokenEpisode
from agent.episodes.format import IMAGES, LOCK, MANIFEST, STEPS

PICTURE = re.compile(rf"{IMAGES}/[0-9a-f]{{64}}(\.delta)?\.png")

_DAMAGED = (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, ValueError)
"""What zipfile raises, from case to case, for an archive that is not as it was written."""


class Files(Protocol):
    """The files of one episode.

    Attributes:
        path: the folder or the packed file, for messages.
    """

    path: Path

    def read(self, name: str) -> bytes:
        """The content of a file, named by its path inside the episode.

        Raises:
            OSError: it is missing or cannot be read.
        """

    def names(self) -> tuple[str, ...]:
        """Every file but the writer's lock, sorted."""


class FolderFiles:
    """An episode as it is recorded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return (self.path / name).read_bytes()

    def names(self) -> tuple[str, ...]:
        """Every file but the lock."""
        files = (file for file in self.path.rglob("*") if not file.is_dir())
        found = {file.relative_to(self.path).as_posix() for file in files}
        return tuple(sorted(found - {LOCK}))


class PackedFiles:
    """An episode in one file."""

    def __init__(self, path: Path) -> None:
        """Read the table of contents.

        Raises:
            BrokenEpisode: it cannot be read, or holds something that is not part of an episode.
            OSError: the file cannot be opened.
        """
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self._sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
                _refuse_foreign(path, archive)
        except _DAMAGED as error:
            raise BrokenEpisode(f"{path} is a damaged archive: {error}") from error

    def read(self, name: str) -> bytes:
        """The content of a member."""
        if name not in self._sizes:
            raise OSError(ENOENT, "No such member")
        try:
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(name)
        except _DAMAGED as error:
            raise OSError(EIO, str(error)) from error

    def names(self) -> tuple[str, ...]:
        """Every member."""
        return tuple(sorted(self._sizes))


def files_of(path: Path) -> Files:
    """The files of an episode's folder or of a packed one.

    Raises:
        BrokenEpisode: it is an archive with something else in it.
    """
    return PackedFiles(path) if path.is_file() and zipfile.is_zipfile(path) else FolderFiles(path)


def write_packed(files: Files, names: Iterable[str], out: IO[bytes]) -> None:
    """Pack these files; the same episode gives the same bytes on every machine.

    Raises:
        OSError: one of them cannot be read, or the output not written.
    """
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(names):
            entry = zipfile.ZipInfo(name)  # dated 1980-01-01
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, files.read(name))


def _refuse_foreign(path: Path, archive: zipfile.ZipFile) -> None:
    """Only files of an episode, each once, as they are."""
    seen: set[str] = set()
    for entry in archive.infolist():
        name = entry.filename
        if name not in (MANIFEST, STEPS) and not PICTURE.fullmatch(name):
            raise BrokenEpisode(f"{path}: {name!r} is no file of an episode; nothing was unpacked")
        if name in seen:
            raise BrokenEpisode(f"{path}: {name!r} is in it twice; nothing was unpacked")
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise BrokenEpisode(f"{path}: {name!r} is compressed; expected it as it is")
        seen.add(name)
