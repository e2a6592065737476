"""`eyehand stop`: how one process finds and stops the runs of the others.

A run keeps a file named after its process locked while it lasts. A lock cannot outlive its process,
so a number in the folder that is locked is a run, and not another program that got its number.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def folder() -> Path:
    """Where the runs of this user are announced."""
    if base := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(base) / "eyehand"
    from tempfile import gettempdir  # slow to import, and a stop is urgent

    return Path(gettempdir()) / f"eyehand-{os.getuid()}"


@contextmanager
def announced(where: Path | None = None) -> Iterator[None]:
    """Inside, `stop_all` sends SIGINT to this process."""
    place = where or folder()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = place / str(os.getpid())
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def stop_all(where: Path | None = None) -> int:
    """Stop every run of this user; how many there were."""
    place = where or folder()
    stopped = 0
    for path in (
        place.glob("[0-9]*") if place.is_dir() and place.stat().st_uid == os.getuid() else ()
    ):
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                os.kill(int(path.name), signal.SIGINT)
                stopped += 1
            else:
                path.unlink(missing_ok=True)  # it was killed
    return stopped


def report_stop() -> None:
    """Stop every run of this user, and say so.

    Raises:
        SystemExit: there was none.
    """
    count = stop_all()
    if not count:
        sys.exit("eyehand: nothing is running")
    sys.stdout.write(f"stopped  {count}\n")
