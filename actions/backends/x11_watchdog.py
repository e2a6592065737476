"""Undoes what a killed process left pressed or remapped on an X display; run by `Watchdog`."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__)
NOTHING = {"held": [[], []], "rows": {}, "caps": False}
"""Keycodes and buttons, in the order of pressing; what remapped keys were before, by keycode, in
hex; whether Caps Lock was on."""
_CATCH_UP_SECONDS = 0.2
"""Applications look up keys when they handle them; those on their way still mean what they did."""


def _watch(name: str) -> None:
    """Listen until the pipe breaks, then undo."""
    from actions.backends.watchdog import told_at_last

    repairs = _Repairs(name)
    repairs.start()
    left = told_at_last(NOTHING, repairs.look_away)
    if left != NOTHING:
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

        from actions.backends.watchdog import say_ready
        from actions.backends.xkb import Keyboard

        with suppress(DisplayError, OSError):  # it is gone, and with it all that was held
            display = Display(self._name)
            self._keyboard = Keyboard(display)
            self._display = display
        say_ready()

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
    sys.path[:] = json.loads(sys.argv[2])
    _watch(sys.argv[1])
