"""The display of a session: a fresh virtual one, or the real one where that was allowed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field

from actions.backends.base import Backend, BackendError
from agent.attendance import Attendance
from agent.environments.browser import Browser, BrowserError
from agent.environments.display import DisplayError, VirtualDisplay
from server.errors import ApiError
from vision.capture import CaptureError, Eyes, Screen
from vision.damage import Motion, motion
from vision.geometry import Size


class Wish(BaseModel, strict=True):
    """What display a client wants; `url` is opened in Chromium on a virtual one."""

    display: Literal["virtual", "real"] = "virtual"
    width: int = Field(default=1280, ge=320, le=3840)
    height: int = Field(default=800, ge=240, le=2160)
    url: str | None = Field(default=None, max_length=2000, pattern=r"^https?://[!-~]+$")


@dataclass(frozen=True)
class Desk:
    """A display that one session has for itself.

    Attributes:
        kind: "virtual" or "real".
        screen: what looks at it.
        motion: tells when it changed.
        backend: where events go; nothing else sends any.
        attended: a person may sit in front of it, so its corners are the fail-safe.
        close: gives everything back; safe to repeat.
        seat: that person, where one can be told from the agent.
    """

    kind: str
    screen: Eyes
    motion: Motion
    backend: Backend
    attended: bool
    close: Callable[[], None]
    seat: Attendance | None = None


OpenDesk = Callable[[Wish], Desk]


def open_desk(wish: Wish) -> Desk:
    """Start what was wished for; it takes seconds.

    Raises:
        ApiError: 400, a wish that contradicts itself; 503, the display does not come up.
    """
    if wish.display == "real" and wish.url is not None:
        raise ApiError(400, "a page is opened on virtual displays only; leave it out", "url")
    try:
        with ExitStack() as stack:
            return _opened(wish, stack)
    except (DisplayError, BrowserError, CaptureError, BackendError) as error:
        raise ApiError(503, f"the display did not come up: {error}") from error


def _opened(wish: Wish, stack: ExitStack) -> Desk:
    name = None
    if wish.display == "virtual":
        virtual = stack.enter_context(VirtualDisplay(Size(wish.width, wish.height)))
        name = virtual.name
        if (url := wish.url) is not None:
            browser = stack.enter_context(Browser(virtual))
            browser.call(lambda page: page.goto(url, wait_until="commit"))
    screen = stack.enter_context(Screen(name))
    moves = motion(name)
    stack.callback(moves.close)
    backend = stack.enter_context(_hands(name))
    real = wish.display == "real"
    seat = Attendance(screen, None) if real and sys.platform == "linux" else None
    return Desk(wish.display, screen, moves, backend, real, stack.pop_all().close, seat)


def _hands(display: str | None) -> Backend:
    """The backend for an X display, or for the desktop of a system that has none."""
    if sys.platform == "linux":
        from actions.backends.x11 import X11Backend

        return X11Backend(display)
    from actions.backends.desktop import DesktopBackend

    return DesktopBackend()
