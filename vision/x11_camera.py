"""Pictures of an X display out of memory that the X server shares with us.

mss hands out a copy of that memory, from which RGB is a second pass over eight megabytes on a
1080p screen. Here the memory itself is converted. The protocol is spoken through mss's own bindings
of XCB, so this needs nothing that mss does not.
"""

from __future__ import annotations

import os
from contextlib import suppress
from mmap import PROT_READ, mmap
from threading import Lock
from typing import Any

from vision.bgrx import to_rgb
from vision.frame import Pixels

_ALL_PLANES = 0xFFFFFFFF
_BYTES = 4
"""Of a pixel."""


class X11Camera:
    """Takes pictures of one display, open until `close`. Any thread may.

    mss has to have opened the display before: it is what checks that pixels are B, G, R, X bytes.

    Args:
        display: X11 display name such as ":1"; None means the one in $DISPLAY.

    Raises:
        OSError: the server does not share memory (it is another machine's, or an old one), or this
            mss lacks the bindings.
    """

    def __init__(self, display: str | None = None) -> None:
        try:
            from mss.exception import ScreenShotError
            from mss.linux import xcb
        except ImportError as error:
            raise OSError(f"expected mss 10.2 or later, actually: {error}") from error
        self._xcb: Any = xcb
        self._lock = Lock()
        self._memory: mmap | None = None
        self._connection: Any = None
        try:
            self._connection, number = self._xcb.connect(display.encode() if display else None)
        except ScreenShotError as error:
            raise OSError(str(error)) from error
        try:
            screen = self._xcb.setup_roots(self._xcb.get_setup(self._connection))[number]
            self._root = screen.root
            self._share(screen.width_in_pixels * screen.height_in_pixels * _BYTES)
        except (ScreenShotError, OSError) as error:
            self.close()
            raise OSError(f"the X server does not share memory: {error}") from error

    def _share(self, size: int) -> None:
        """Give the server memory for a picture of the whole screen."""
        if not self._xcb.get_extension_data(self._connection, self._xcb.LIB.shm_id).present:
            raise OSError("it lacks the extension MIT-SHM")
        handle = os.memfd_create("eyehand-screen", os.MFD_CLOEXEC)
        try:
            os.ftruncate(handle, size)
            self._memory = mmap(handle, size, prot=PROT_READ)
        except OSError:
            os.close(handle)
            raise
        self._segment = self._xcb.ShmSeg(self._xcb.generate_id(self._connection).value)
        # XCB closes the handle, whether or not this succeeds.
        self._xcb.shm_attach_fd(self._connection, self._segment, handle, read_only=False)

    def grab(self, left: int, top: int, width: int, height: int) -> Pixels:
        """(height, width, 3) RGB of a rectangle, in pixels from the corner of all monitors.

        Raises:
            mss's ScreenShotError: the display is gone, or the rectangle is not on it.
            ValueError: it is closed, or the screen has grown since it was opened.
        """
        with self._lock:
            if self._memory is None or width * height * _BYTES > len(self._memory):
                raise ValueError("expected an open camera and a screen no larger than it was")
            self._xcb.shm_get_image(
                self._connection, self._root, left, top, width, height, _ALL_PLANES,
                self._xcb.ImageFormat.ZPixmap, self._segment, 0,
            )  # fmt: skip
            return to_rgb(self._memory, height, width)

    def close(self) -> None:
        """Let go of the display. Safe to repeat."""
        with self._lock:
            if self._memory is not None:
                self._memory.close()
                self._memory = None
            connection, self._connection = self._connection, None
            if connection is not None:
                with suppress(self._xcb.XError):  # freed all the same, when the display is lost
                    self._xcb.disconnect(connection)
