"""The screen as pixels: monitors, the pointer's place, and fast grabs (over mss).

The origin of screen coordinates is the top left corner of the primary monitor on every platform, so
a monitor left of or above it has negative coordinates. Windows and macOS count that way themselves;
X11 counts from the corner of all monitors together, and `Screen.origin` says where that differs.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import Protocol

import mss
from mss.exception import ScreenShotError

from vision.bgrx import to_rgb
from vision.frame import Frame, Pixels
from vision.geometry import Box, Point
from vision.x11_camera import X11Camera

# On a lost connection mss (10.2) trips over the missing answer instead of raising its own error.
_GRAB_ERRORS = (ScreenShotError, AssertionError, ValueError)


class CaptureError(OSError):
    """The screen cannot be captured; the message names the fix."""


@dataclass(frozen=True)
class Monitor:
    """One monitor.

    Attributes:
        box: its rectangle in signed screen pixels; the primary one starts at (0, 0).
        name: the name of its output, such as "HDMI-1"; empty when the system gives none.
        primary: whether it is the primary one; exactly one monitor is.
    """

    box: Box
    name: str
    primary: bool


class Eyes(Protocol):
    """What looks at a screen: `Screen`, or a stand-in that shows prepared frames."""

    @property
    def box(self) -> Box:
        """The rectangle that a grab without a region shows, in signed screen pixels."""

    def monitors(self) -> tuple[Monitor, ...]:
        """The monitors; a point on none of them cannot be clicked."""

    def grab(self, region: Box | None = None) -> Frame:
        """A picture of that rectangle, by default of the whole `box`."""


class Screen:
    """The screen of one display, open until `close`.

    The layout of the monitors is read once, on opening; open a new `Screen` after it changed. Any
    thread may grab.

    Args:
        display: X11 display name such as ":1"; None means the one in $DISPLAY. Other systems have
            one display and take None.
        region: the rectangle to look at, in signed screen pixels; None means all monitors.
        cursor: draw the pointer into the pictures (X11 only).

    Raises:
        CaptureError: there is no such display, or the region is not on it.
    """

    def __init__(
        self, display: str | None = None, region: Box | None = None, cursor: bool = False
    ) -> None:
        self._lock = Lock()
        with ExitStack() as held:
            self._mss = _open(display, cursor, held)
            self._camera = None if cursor else _camera(display, held)
            self._locate = _pointer_reader(display, held)
            self.origin = self._find_origin()
            self._monitors = self._read_monitors()
            self._everything = everything = self._box_of(self._mss.monitors[0])
            self._region = everything if region is None else checked_region(region, everything)
            self._held = held.pop_all()

    @property
    def box(self) -> Box:
        """The rectangle that a grab without a region shows, in signed screen pixels."""
        return self._region

    def monitors(self) -> tuple[Monitor, ...]:
        """Every monitor, in the system's order; never empty."""
        return self._monitors

    @property
    def primary(self) -> Monitor:
        """The primary monitor."""
        return next(monitor for monitor in self._monitors if monitor.primary)

    @property
    def pointer(self) -> Point:
        """The hot spot of the pointer, in signed screen pixels.

        Raises:
            CaptureError: the display is gone.
        """
        with self._lock:
            x, y = self._locate()
        return Point(x - self.origin.x, y - self.origin.y)

    def grab(self, region: Box | None = None) -> Frame:
        """A picture of a rectangle, by default of `box`; fractions widen it to whole pixels.

        Raises:
            CaptureError: the region is not on the screen, or the display is gone.
        """
        box = self._region if region is None else checked_region(region, self._everything)
        left, top = int(box.left + self.origin.x), int(box.top + self.origin.y)
        try:
            pixels = self._pixels(left, top, int(box.width), int(box.height))
        except _GRAB_ERRORS as error:
            raise CaptureError(
                f"cannot grab {tuple(box)}: {error!r}; open the screen again if the display was "
                "restarted or its monitors changed"
            ) from error
        return Frame(pixels, box, time.time(), self.pointer)

    def _pixels(self, left: int, top: int, width: int, height: int) -> Pixels:
        """A rectangle in the system's own coordinates."""
        if self._camera is not None:
            return self._camera.grab(left, top, width, height)
        shot = self._mss.grab((left, top, left + width, top + height))
        return to_rgb(shot.raw, shot.height, shot.width)

    def close(self) -> None:
        """Let go of the display. Safe to repeat."""
        self._held.close()

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _find_origin(self) -> Point:
        """The primary monitor's top left corner, in the system's own coordinates."""
        known = self._mss.monitors
        primary = self._mss.primary_monitor if len(known) > 1 else known[0]
        return Point(primary["left"], primary["top"])

    def _read_monitors(self) -> tuple[Monitor, ...]:
        """Every monitor in our coordinates; where the system lists none, all of the screen."""
        known = self._mss.monitors
        boxes = [(self._box_of(entry), entry) for entry in known[1:] or known]
        first = next(index for index, (box, _) in enumerate(boxes) if (box.left, box.top) == (0, 0))
        return tuple(
            Monitor(box, str(entry.get("output") or entry.get("name") or ""), index == first)
            for index, (box, entry) in enumerate(boxes)
        )

    def _box_of(self, entry: dict[str, int]) -> Box:
        left, top = entry["left"] - self.origin.x, entry["top"] - self.origin.y
        return Box(left, top, left + entry["width"], top + entry["height"])


def checked_region(region: Box, everything: Box) -> Box:
    """A region in whole pixels, widened where it has fractions.

    Raises:
        CaptureError: it is empty or leaves the screen.
    """
    inside = (
        everything.left <= region.left < region.right <= everything.right
        and everything.top <= region.top < region.bottom <= everything.bottom
    )
    if not inside:
        raise CaptureError(
            f"expected a region of at least one pixel inside {tuple(everything)}, "
            f"actually: {tuple(region)}"
        )
    left, top = math.floor(region.left), math.floor(region.top)
    return Box(left, top, math.ceil(region.right), math.ceil(region.bottom))


def _open(display: str | None, cursor: bool, held: ExitStack) -> mss.MSS:
    """Connect mss to the display; `held` disconnects it."""
    try:
        if sys.platform == "linux":
            connection = mss.MSS(display=display, with_cursor=cursor)
        else:
            connection = mss.MSS()
    except (ScreenShotError, OSError) as error:
        raise _no_display(display, error) from error
    held.callback(_close, connection)
    return connection


def _camera(display: str | None, held: ExitStack) -> X11Camera | None:
    """The quick way to take pictures, where there is one; mss takes them everywhere."""
    if sys.platform == "linux":
        with suppress(OSError):
            camera = X11Camera(display)
            held.callback(camera.close)
            return camera
    return None


def _close(connection: mss.MSS) -> None:
    # Only ever once: mss complains when the display is lost, and on a retry would free it again.
    with suppress(ScreenShotError):
        connection.close()


def _no_display(display: str | None, error: Exception) -> CaptureError:
    wanted = f"the display {display!r}" if display else "a display (none is named in $DISPLAY)"
    return CaptureError(
        f"expected {wanted}, actually it cannot be opened: {error}. "
        "Log in to a desktop, set DISPLAY (and XAUTHORITY when the server wants a cookie), or use "
        "a virtual display"
    )


def _pointer_reader(display: str | None, held: ExitStack) -> Callable[[], tuple[int, int]]:
    """What gives the pointer's place in the system's coordinates; `held` lets go of it."""
    if sys.platform == "linux":
        return _x11_pointer_reader(display, held)
    import pyautogui  # takes its display on import, so not before it is needed

    return pyautogui.position


def _x11_pointer_reader(display: str | None, held: ExitStack) -> Callable[[], tuple[int, int]]:
    from Xlib.display import Display
    from Xlib.error import ConnectionClosedError, DisplayError

    try:
        connection = Display(display)
    except (DisplayError, OSError) as error:
        raise _no_display(display, error) from error
    # Not `close`: it flushes first, and so leaks the socket of a lost display.
    held.callback(connection.display.close_internal, "client")

    def locate() -> tuple[int, int]:
        try:
            answer = connection.screen().root.query_pointer()
        except (ConnectionClosedError, OSError) as error:
            raise CaptureError(f"the display is gone: {error}; open the screen again") from error
        return answer.root_x, answer.root_y

    return locate
