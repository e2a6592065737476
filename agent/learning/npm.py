"""Packages of the npm registry, fetched through npm itself; nothing in them is ever run."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

PATIENCE = 300.0
"""Seconds that npm may take for one package."""


class NpmError(RuntimeError):
    """npm is missing, or cannot give the package."""


@contextmanager
def package(name: str) -> Iterator[Path]:
    """The folder of a package's files, there until the block is left.

    Args:
        name: as npm takes it: a name with a version, or a folder of this machine.

    Raises:
        NpmError: npm is missing, does not know the package, or gave something unreadable.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise NpmError("expected npm on PATH, actually missing; `apt-get install npm`")
    with TemporaryDirectory("-eyehand-npm") as held:
        folder = Path(held)
        _pack(npm, name, folder)
        archives = list(folder.glob("*.tgz"))
        try:
            with tarfile.open(archives[0]) as archive:
                _unpack(archive, folder)
        except (IndexError, tarfile.TarError, OSError) as error:
            raise NpmError(f"{name}: npm gave no package that can be read ({error})") from error
        yield folder / "package"


def _unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Write the plain files of an archive; Python before 3.11.4 has no filter that does.

    Raises:
        TarError: a file would lie outside of the folder.
    """
    for member in archive:
        path = (folder / member.name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise tarfile.TarError(f"{member.name} lies outside of the package")
        content = archive.extractfile(member) if member.isfile() else None
        if content is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())


def _pack(npm: str, name: str, folder: Path) -> None:
    """Let npm write the package's archive into a folder."""
    options = ["--silent", "--ignore-scripts", "--pack-destination", str(folder)]
    asked = [npm, "pack", *options, "--", name]
    try:
        done = subprocess.run(asked, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise NpmError(f"{name}: npm took more than {PATIENCE:.0f} s") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[:3]
        raise NpmError(f"npm has no {name}: {' | '.join(said) or done.returncode}")
