"""Undoes what a killed process left pressed on an X display.

`kill -9` leaves a process no time to release anything. So it tells a second process beforehand what
it is about to press or to remap; when their pipe breaks, that one puts right what is still listed.
The second process is this file run as a script, with nothing imported until it is needed: it starts
in a few milliseconds and idles in a few megabytes.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_CATCH_UP_SECONDS = 0.2
"""Applications look up keys when they handle them; those on their way still mean what they did."""


class Watchdog:
    """The side of the process that is watched. Not thread-safe.

    Nothing is started before something is told. Without its watchdog (somebody may have ended it)
    the process goes on as if it had one.

    Args:
        display: name of the X display.
    """

    def __init__(self, display: str) -> None:
        self._display = display
        self._process: subprocess.Popen[bytes] | None = None
        self._told: dict[str, object] = {"held": [[], []], "rows": {}, "caps": False}

    def held(self, keycodes: Iterable[int], buttons: Iterable[int]) -> None:
        """Tell what is pressed, in the order of pressing: before a press, after a release."""
        self._tell("held", [list(keycodes), list(buttons)])

    def rows(self, before: Mapping[int, bytes]) -> None:
        """Tell what keys that are about to be remapped were before; none after giving them back."""
        self._tell("rows", {str(code): row.hex() for code, row in before.items()})

    def caps(self, was_on: bool) -> None:
        """Tell that Caps Lock is about to be switched off for a while, or was switched on again."""
        self._tell("caps", was_on)

    def close(self) -> None:
        """End the watchdog; whatever it was told last is undone. Safe to repeat."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.wait()

    def _tell(self, what: str, value: object) -> None:
        if self._told[what] == value:
            return
        self._process = self._process or _start(self._display)
        assert self._process.stdin is not None, "it was started with a pipe"
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({what: value}).encode() + b"\n")
            self._process.stdin.flush()
        self._told[what] = value


def _start(display: str) -> subprocess.Popen[bytes]:
    """The process that watches; a session of its own keeps Ctrl-C and the terminal's end away."""
    script = str(Path(__file__).resolve())
    return subprocess.Popen(
        [sys.executable, "-S", "-P", script, display, json.dumps(sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def _watch(display: str, path: list[str]) -> None:
    """Listen until the pipe breaks, then undo."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    left: dict[str, Any] = {"held": [[], []], "rows": {}, "caps": False}
    for line in sys.stdin.buffer:
        with suppress(ValueError):  # a line that was cut off: what it says was not begun
            left |= json.loads(line)
    if any(left["held"]) or left["rows"] or left["caps"]:
        sys.path[:] = path
        _undo(display, left)


def _undo(name: str, left: Mapping[str, Any]) -> None:
    """Release everything, and give back the keyboard."""
    from Xlib import X
    from Xlib.display import Display
    from Xlib.error import DisplayError
    from Xlib.ext import xtest

    from actions.backends.xkb import Keyboard

    try:
        display = Display(name)
    except DisplayError:  # it is gone, and with it all that was held
        return
    keycodes, buttons = left["held"]
    for code in reversed(keycodes):
        xtest.fake_input(display, X.KeyRelease, code)
    for button in reversed(buttons):
        xtest.fake_input(display, X.ButtonRelease, button)
    display.sync()
    keyboard = Keyboard(display)
    if left["rows"]:
        time.sleep(_CATCH_UP_SECONDS)
        keyboard.write({int(code): bytes.fromhex(row) for code, row in left["rows"].items()})
    if left["caps"]:
        keyboard.lock_caps(True)


if __name__ == "__main__":
    _watch(sys.argv[1], json.loads(sys.argv[2]))
