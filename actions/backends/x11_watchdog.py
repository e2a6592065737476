"""Undoes what a killed process left pressed on an X display.

`kill -9` leaves a process no time to release anything. So it tells a second process beforehand what
it is about to press or to remap; when their pipe breaks, that one puts right what is still listed.
The second process is this file run as a script. It imports and connects before anything is pressed,
since on a busy machine that takes seconds, and is not to be waited for after a death.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_CATCH_UP_SECONDS = 0.2
"""Applications look up keys when they handle them; those on their way still mean what they did."""
_READY_SECONDS = 5.0
"""A watchdog that is not ready by then will be late, if it is needed at all."""


class Watchdog:
    """The side of the process that is watched, from `start` to `close`. Not thread-safe.

    The first thing that is told waits until the watchdog is ready. Without its watchdog (somebody
    may have ended it) the process goes on as if it had one.

    Args:
        display: its name.
        script: what watches, if not an X display.
    """

    def __init__(self, display: str, script: Path = Path(__file__)) -> None:
        self._display = display
        self._script = script
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False
        self._told: dict[str, object] = {"held": [[], []], "rows": {}, "caps": False}

    def start(self) -> None:
        """Let it come up beside whatever else its owner has to do."""
        self._process = _start(self._display, self._script)

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
        if process is not None:
            assert process.stdin is not None and process.stdout is not None, "started with pipes"
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.wait()
            process.stdout.close()

    def _tell(self, what: str, value: object) -> None:
        if self._told[what] == value or self._process is None:
            return
        assert self._process.stdin is not None, "it was started with a pipe"
        self._await_ready(self._process)
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({what: value}).encode() + b"\n")
            self._process.stdin.flush()
        self._told[what] = value

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Once, and not for ever."""
        if not self._is_ready and process.stdout is not None:
            select.select([process.stdout], [], [], _READY_SECONDS)
            self._is_ready = True


def _start(display: str, script: Path) -> subprocess.Popen[bytes]:
    """The process that watches; a session of its own keeps Ctrl-C and the terminal's end away."""
    return subprocess.Popen(
        [sys.executable, "-S", "-P", str(script.resolve()), display, json.dumps(sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def _watch(name: str, path: list[str]) -> None:
    """Listen until the pipe breaks, then undo."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.path[:] = path
    repairs = _Repairs(name)
    repairs.start()
    left: dict[str, Any] = {"held": [[], []], "rows": {}, "caps": False}
    for line in sys.stdin.buffer:
        with suppress(ValueError):  # a line that was cut off: what it says was not begun
            left |= json.loads(line)
        repairs.look_away()
    if any(left["held"]) or left["rows"] or left["caps"]:
        repairs.undo(left)
    os._exit(0)  # whoever closes in order does not wait for what is still being imported


class _Repairs(threading.Thread):
    """Imports and connects beside the listening, and then waits to be needed.

    Args:
        name: of the display.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name="repairs", daemon=True)
        self._name = name
        self._display: Any = None
        self._keyboard: Any = None

    def run(self) -> None:
        """Get everything ready."""
        from Xlib.display import Display
        from Xlib.error import DisplayError
        from Xlib.ext import xtest  # noqa: F401  `_release` shall not have to wait for it

        from actions.backends.xkb import Keyboard

        with suppress(DisplayError, OSError):  # it is gone, and with it all that was held
            display = Display(self._name)
            self._keyboard = Keyboard(display)
            self._display = display
        with suppress(OSError):  # nobody may be left to hear it
            sys.stdout.write("ready\n")
            sys.stdout.flush()

    def look_away(self) -> None:
        """Forget what the display tells everybody; it must not pile up."""
        if self._display is None:
            return
        from Xlib.error import ConnectionClosedError

        with suppress(ConnectionClosedError, OSError):
            while self._display.pending_events():
                self._display.next_event()

    def undo(self, left: Mapping[str, Any]) -> None:
        """Release everything, and give back the keyboard."""
        self.join()
        if self._display is None:
            return
        from Xlib.error import ConnectionClosedError

        with suppress(ConnectionClosedError, OSError):
            self._release(*left["held"])
            if left["rows"]:
                time.sleep(_CATCH_UP_SECONDS)
                rows = left["rows"].items()
                # This asks once more what the keys between those write: others may have changed it.
                self._keyboard.write({int(code): bytes.fromhex(row) for code, row in rows})
            if left["caps"]:
                self._keyboard.lock_caps(True)

    def _release(self, keycodes: list[int], buttons: list[int]) -> None:
        from Xlib import X
        from Xlib.ext import xtest

        for code in reversed(keycodes):
            xtest.fake_input(self._display, X.KeyRelease, code)
        for button in reversed(buttons):
            xtest.fake_input(self._display, X.ButtonRelease, button)
        self._display.sync()


if __name__ == "__main__":
    _watch(sys.argv[1], json.loads(sys.argv[2]))
