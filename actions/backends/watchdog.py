"""A second process that undoes what a killed one left pressed.

`kill -9` leaves a process no time to release anything. So it tells a second process beforehand what
it is about to press; when their pipe breaks, that one puts right what is still listed. What watches
is a script beside each backend. It imports and connects before anything is pressed, since on a busy
machine that takes seconds, and is not to be waited for after a death.
"""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_READY_SECONDS = 5.0
"""A watchdog that is not ready by then will be late, if it is needed at all."""


class Watchdog:
    """The side of the process that is watched, from `start` to `close`. Not thread-safe.

    The first thing that is told waits until the watchdog is ready. Without its watchdog (somebody
    may have ended it) the process goes on as if it had one.

    Args:
        script: the file that watches; it is run with `name` and this process's `sys.path` as JSON.
        name: of the display.
        nothing: what the script takes to be left while it has been told nothing.
    """

    def __init__(self, script: Path, name: str, nothing: Mapping[str, object]) -> None:
        self._command = [sys.executable, "-S", "-P", str(script.resolve()), name]
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False
        self._told = dict(nothing)

    def start(self) -> None:
        """Let it come up beside whatever else its owner has to do.

        A session of its own keeps Ctrl-C and the terminal's end away from it.
        """
        self._process = subprocess.Popen(
            [*self._command, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def tell(self, what: str, value: object) -> None:
        """Tell, as JSON, what would be left by now: before a press, after a release."""
        if self._told[what] == value or self._process is None:
            return
        assert self._process.stdin is not None, "it was started with a pipe"
        self._await_ready(self._process)
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({what: value}).encode() + b"\n")
            self._process.stdin.flush()
        self._told[what] = value

    def close(self) -> None:
        """End the watchdog; whatever it was told last is undone. Safe to repeat."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None and process.stdout is not None, "started with pipes"
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.wait()
            process.stdout.close()

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Once, and not for ever."""
        if not self._is_ready and process.stdout is not None:
            select.select([process.stdout], [], [], _READY_SECONDS)
            self._is_ready = True


def told_at_last(
    nothing: Mapping[str, object], meanwhile: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    """In the script: wait until the pipe breaks; what is left then.

    Args:
        nothing: what is left while nothing was told.
        meanwhile: called whenever something was.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    left = dict(nothing)
    for line in sys.stdin.buffer:
        with suppress(ValueError):  # a line that was cut off: what it says was not begun
            left |= json.loads(line)
        meanwhile()
    return left


def say_ready() -> None:
    """In the script: everything that undoing needs is there."""
    with suppress(OSError):  # nobody may be left to hear it
        sys.stdout.write("ready\n")
        sys.stdout.flush()
