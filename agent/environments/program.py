"""A program that shows its window on a display, and is ended in order."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO

from Xlib import X
from Xlib.display import Display
from Xlib.error import BadWindow

START_SECONDS = 30.0


class ProgramError(OSError):
    """The program is not installed, or showed no window; the message names it."""


@contextmanager
def program(
    command: str | Sequence[str],
    display: str,
    env: Mapping[str, str],
    output: IO[bytes] | int = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block is left; its first window is up when the block begins.

    Args:
        command: the program and its arguments, as a list or as a line split like a shell's.
        display: the X display's name.
        env: the environment; it names the display too.
        output: where it prints to.

    Raises:
        ProgramError: it is not installed, or ended, or showed no window in half a minute.
    """
    words = shlex.split(command) if isinstance(command, str) else list(command)
    path = shutil.which(words[0]) if words else None
    if path is None:
        raise ProgramError(f"expected an installed program, actually not found: {command!r}")
    connection = Display(display)
    try:
        before = _windows(connection)
        with subprocess.Popen(
            [path, *words[1:]], env=dict(env), stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.DEVNULL, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                _await_window(connection, before, process, words[0])
                yield process
            finally:
                _end(process)
    finally:
        connection.close()


def _await_window(
    connection: Display, before: set[int], process: subprocess.Popen[bytes], name: str
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _windows(connection) - before:
        if process.poll() is not None:
            raise ProgramError(f"{name} ended with status {process.returncode} without a window")
        if time.monotonic() > deadline:
            raise ProgramError(f"{name} showed no window in {START_SECONDS:.0f} s")
        time.sleep(0.05)


def _windows(connection: Display) -> set[int]:
    """Every visible child of the root window, or of a window manager's frame."""
    found = set()
    for window in connection.screen().root.query_tree().children:
        with suppress(BadWindow):
            shown = window.get_attributes()
            size = window.get_geometry()
            if shown.map_state == X.IsViewable and min(size.width, size.height) > 10:
                found.add(window.id)
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and what it started, first politely."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(3)
            return
