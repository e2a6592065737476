"""The display of the door's benchmark: what draws on it, and what listens to its input."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import numpy as np
from Xlib import X
from Xlib.display import Display
from Xlib.ext import record
from Xlib.protocol import rq


@dataclass
class Painter:
    """Draws pictures on the display, as fast as it is asked to."""

    display: str
    width: int
    height: int
    x: Display = field(init=False)

    def __post_init__(self) -> None:
        self.x = Display(self.display)
        root = self.x.screen()
        self.window = root.root.create_window(
            0, 0, self.width, self.height, 0, root.root_depth, override_redirect=True
        )
        self.window.map()
        self.gc = self.window.create_gc()
        self.noise = self._pixmaps(root.root_depth)
        self.x.sync()

    def _pixmaps(self, depth: int) -> list[object]:
        """Two blurred colour pictures: what a photograph or a film costs to encode."""
        made = []
        for seed in (0, 1):
            small = np.random.default_rng(seed).integers(
                0, 256, (self.height // 8, self.width // 8, 4)
            )
            large = np.kron(small, np.ones((8, 8, 1))).astype(np.uint8)
            pixmap = self.window.create_pixmap(self.width, self.height, depth)
            for top in range(0, large.shape[0], 8):  # a request has a largest size
                rows = large[top : top + 8]
                pixmap.put_image(
                    self.gc,
                    0,
                    top,
                    rows.shape[1],
                    rows.shape[0],
                    X.ZPixmap,
                    depth,
                    0,
                    rows.tobytes(),
                )
            made.append(pixmap)
        return made

    def paint(self, number: int) -> None:
        """Show one of the two pictures."""
        source = self.noise[number % 2]
        self.window.copy_area(self.gc, source, 0, 0, self.width, self.height, 0, 0)
        self.x.sync()

    def fill(self, bright: bool) -> None:
        """One colour everywhere."""
        self.gc.change(foreground=0xFFFFFF if bright else 0)
        self.window.fill_rectangle(self.gc, 0, 0, self.width, self.height)
        self.x.sync()

    def close(self) -> None:
        """Take the window away."""
        self.window.destroy()
        self.x.sync()
        self.x.close()


class Events:
    """When events reach the display (X RECORD)."""

    def __init__(self, display: str) -> None:
        self.last = 0.0
        self.held = 0
        self._control, self._data = Display(display), Display(display)
        names = ("core_requests", "core_replies", "delivered_events", "errors")
        spans = dict.fromkeys(names, (0, 0))
        extension = dict.fromkeys(("ext_requests", "ext_replies"), (0, 0, 0, 0))
        wanted = {**spans, **extension, "device_events": (X.KeyPress, X.MotionNotify)}
        self._context = self._control.record_create_context(
            0, [record.AllClients], [{**wanted, "client_started": False, "client_died": False}]
        )
        self._control.sync()  # the other connection must find it
        self._thread = threading.Thread(
            target=self._data.record_enable_context, args=(self._context, self._take)
        )
        self._thread.start()

    def _take(self, reply: object) -> None:
        now, data = time.time(), getattr(reply, "data", b"")
        if getattr(reply, "category", None) != record.FromServer:
            return
        while len(data) >= 32:
            event, data = rq.EventField(None).parse_binary_value(
                data, self._data.display, None, None
            )
            self.last = now
            self.held += {X.ButtonPress: 1, X.ButtonRelease: -1}.get(event.type, 0)

    def close(self) -> None:
        """Record no more."""
        self._control.record_disable_context(self._context)
        self._control.flush()
        self._thread.join()
        self._control.close()
        self._data.close()
