"""Releases the mouse buttons that a killed process left pressed on a Wayland compositor.

A compositor releases the keys of a virtual keyboard whose owner dies, but wlroots forgets about the
buttons of a virtual pointer. This file is run by `Watchdog`. Its own virtual pointer is made before
anything is pressed: a seat that loses its last one tells programs that it has none any more, and
they would not hear of the release.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

SCRIPT = Path(__file__)
NOTHING: dict[str, object] = {"buttons": []}
"""By their numbers in the protocol, in the order of pressing."""


def _watch(display: str | None) -> None:
    """Listen until the pipe breaks, then release."""
    from pywayland.protocol.wayland import WlSeat

    from actions.backends.watchdog import say_ready, told_at_last
    from vision.wayland import Compositor, WaylandError
    from vision.wlr import VIRTUAL_POINTER

    with suppress(WaylandError, ValueError, OSError), Compositor(display) as compositor:
        pointers = compositor.bind(VIRTUAL_POINTER, "wlr-virtual-pointer-unstable-v1")
        pointer = pointers.make("create_virtual_pointer", compositor.bind(WlSeat, "wayland"))
        compositor.roundtrip()
        say_ready()
        # What the compositor tells everybody must not pile up.
        left = told_at_last(NOTHING, compositor.roundtrip)
        for button in reversed(left["buttons"]):
            pointer.send("button", int(time.monotonic() * 1000) & 0xFFFFFFFF, button, 0)
            pointer.send("frame")
        compositor.roundtrip()
    os._exit(0)


if __name__ == "__main__":
    sys.path[:] = json.loads(sys.argv[2])
    _watch(sys.argv[1] or None)
