"""Learning that a screen changed without looking at it (X11's DAMAGE extension)."""

from __future__ import annotations

import select
import sys
import time
from contextlib import suppress
from typing import Protocol

from vision.capture import CaptureError


class Motion(Protocol):
    """Tells when a screen may have changed."""

    def wait(self, seconds: float) -> bool:
        """Wait at most so long; whether anything may have changed since the last call."""

    def close(self) -> None:
        """Let go of the display. Safe to repeat."""


class Unknown:
    """For displays that do not tell: after every wait something may have changed."""

    def wait(self, seconds: float) -> bool:
        """Wait all of it."""
        time.sleep(seconds)
        return True

    def close(self) -> None:
        """Nothing."""


class Damage:
    """Watches one X display; the pointer's own movement does not count. Not thread-safe.

    Args:
        display: its name, such as ":1"; None means the one in $DISPLAY.

    Raises:
        CaptureError: there is no such display, or it lacks the extension.
    """

    def __init__(self, display: str | None = None) -> None:
        from Xlib.display import Display
        from Xlib.error import DisplayError
        from Xlib.ext import damage

        try:
            self._display = Display(display)
        except (DisplayError, OSError) as error:
            raise CaptureError(
                f"cannot open the display {display or '$DISPLAY'}: {error}"
            ) from error
        if not self._display.has_extension("DAMAGE"):
            self.close()
            raise CaptureError("the X server lacks the DAMAGE extension")
        self._display.damage_query_version()
        root = self._display.screen().root
        self._area = root.damage_create(damage.DamageReportNonEmpty)
        self._display.flush()

    def wait(self, seconds: float) -> bool:
        """Wait at most so long; whether anything was drawn since the last call.

        Raises:
            CaptureError: the display is gone.
        """
        from Xlib.error import ConnectionClosedError

        try:
            if not self._display.pending_events():
                select.select([self._display.fileno()], [], [], seconds)
            drawn = False
            while self._display.pending_events():
                self._display.next_event()
                drawn = True
            if drawn:  # what is drawn from here on is told again
                self._display.damage_subtract(self._area)
                self._display.flush()
        except (ConnectionClosedError, OSError, ValueError) as error:
            raise CaptureError(f"the display is gone: {error}; open it again") from error
        return drawn

    def close(self) -> None:
        """Let go of the display. Safe to repeat."""
        # Not `Display.close`: it flushes first, which a lost display answers with an error.
        with suppress(OSError):
            self._display.display.socket.close()


def motion(display: str | None = None) -> Motion:
    """The best that this display offers."""
    if sys.platform == "linux":
        with suppress(CaptureError):
            return Damage(display)
    return Unknown()
