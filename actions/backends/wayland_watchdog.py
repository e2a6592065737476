"""Releases the mouse buttons that a killed process left pressed on a Wayland compositor.

A compositor releases the keys of a virtual keyboard whose owner dies, but wlroots forgets about the
buttons of a virtual pointer. This file is run as a script by `x11_watchdog.Watchdog`, and told what
is held, as there. Its own virtual pointer is made before anything is pressed: a seat that loses its
last one tells programs that it has none any more, and they would not hear of the release.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import suppress


def _watch(display: str | None, path: list[str]) -> None:
    """Listen until the pipe breaks, then release."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.path[:] = path
    from pywayland.protocol.wayland import WlSeat

    from vision.wayland import Compositor, WaylandError
    from vision.wlr import VIRTUAL_POINTER

    buttons: list[int] = []
    with suppress(WaylandError, ValueError, OSError), Compositor(display) as compositor:
        pointers = compositor.bind(VIRTUAL_POINTER, "wlr-virtual-pointer-unstable-v1")
        pointer = pointers.make("create_virtual_pointer", compositor.bind(WlSeat, "wayland"))
        compositor.roundtrip()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for line in sys.stdin.buffer:
            with suppress(ValueError):  # a line that was cut off: what it says was not begun
                buttons = json.loads(line)["held"][1]
            compositor.roundtrip()  # what the compositor tells everybody must not pile up
        for button in reversed(buttons):
            pointer.send("button", int(time.monotonic() * 1000) & 0xFFFFFFFF, button, 0)
            pointer.send("frame")
        compositor.roundtrip()
    os._exit(0)


if __name__ == "__main__":
    _watch(sys.argv[1] or None, json.loads(sys.argv[2]))
