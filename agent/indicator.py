"""A strip on the user's own display that says who drives and how to stop it.

The model must never see it, and a window that is hidden for every screenshot would flicker and race
with the repainting of what is below. So whoever looks veils its `box` (`agent.veil`).
"""

from __future__ import annotations

import select
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from Xlib import X
from Xlib.display import Display
from Xlib.ext import shape

from actions.backends.x11_listener import listening
from vision.capture import Screen
from vision.geometry import Box

_HEIGHT = 18
_MARGIN = 12
_RAISE_SECONDS = 0.3
"""At most so often it comes to the front again; another window may insist on being there, too."""


class Indicator:
    """The strip, shown inside a `with` block at the lower edge of the primary monitor.

    Clicks go through it to what is below, no window manager touches it, and the X server takes it
    away when this process dies, however it dies.

    Args:
        screen: of the same display.
        display: name of the X display; None means the one in $DISPLAY.
        words: what it says.
    """

    def __init__(self, screen: Screen, display: str | None, words: str) -> None:
        self._image = _drawn(words)
        self._origin = screen.origin
        self._name = display
        self._held = ExitStack()
        monitor = screen.primary.box
        left = int(monitor.left + (monitor.width - self._image.width) / 2)
        top = int(monitor.bottom) - _HEIGHT
        self.box = Box(left, top, left + self._image.width, top + _HEIGHT)

    def __enter__(self) -> Indicator:
        with ExitStack() as stack:
            display = Display(self._name)
            stack.callback(display.display.close_internal, "client")
            stay = partial(_stay_in_front, display, self._open(display))
            stack.enter_context(listening("indicator", stay))
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def _open(self, display: Display) -> Any:
        screen = display.screen()
        size = (self._image.width, self._image.height)
        pixmap = screen.root.create_pixmap(*size, screen.root_depth)
        pixmap.put_pil_image(pixmap.create_gc(), 0, 0, self._image)
        window = screen.root.create_window(
            int(self.box.left + self._origin.x),
            int(self.box.top + self._origin.y),
            *size,
            0,
            screen.root_depth,
            X.InputOutput,
            background_pixmap=pixmap,  # the server repaints it by itself
            override_redirect=True,
            event_mask=X.VisibilityChangeMask,
        )
        window.shape_rectangles(shape.SO.Set, shape.SK.Input, X.Unsorted, 0, 0, [])
        window.map()
        display.sync()
        return window


def _drawn(words: str) -> Image.Image:
    """The words in a strip that is as wide as they are."""
    font = ImageFont.load_default(12)
    image = Image.new("RGB", (int(font.getlength(words)) + 2 * _MARGIN, _HEIGHT), (180, 40, 20))
    ImageDraw.Draw(image).text((_MARGIN, 2), words, (255, 255, 255), font)
    return image


def _stay_in_front(display: Display, window: Any, over: int) -> None:
    """Raise the window when another covers it, until `over` is readable."""
    while True:
        covered = False
        while display.pending_events():
            event = display.next_event()
            covered |= event.type == X.VisibilityNotify and event.state != X.VisibilityUnobscured
        if covered:
            window.raise_window()
            display.flush()
        if over in select.select([over], [], [], _RAISE_SECONDS)[0]:
            return
        if over in select.select([display.fileno(), over], [], [])[0]:
            return
