"""The screen that a command looks at, and the hands on it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actions.backends.base import Backend
    from vision.capture import Screen
    from vision.geometry import Size


class Where(StrEnum):
    """Which display the agent works on."""

    VIRTUAL = "virtual"
    REAL = "real"


@contextmanager
def desk(where: Where, url: str | None, size: Size) -> Iterator[tuple[Screen, Backend]]:
    """A screen to look at and the hands on it."""
    from agent.environments.browser import Browser
    from agent.environments.display import VirtualDisplay
    from vision.capture import Screen

    with ExitStack() as stack:
        name = None
        if where is Where.VIRTUAL:
            virtual = stack.enter_context(VirtualDisplay(size))
            name = virtual.name
            if url is not None:
                browser = stack.enter_context(Browser(virtual))
                browser.call(lambda page: page.goto(url))
        screen = stack.enter_context(Screen(name))
        yield screen, stack.enter_context(hands(name))


def hands(display: str | None) -> Backend:
    """The backend for an X display, or for the desktop of a system that has none."""
    if sys.platform == "linux":
        from actions.backends.x11 import X11Backend

        return X11Backend(display)
    from actions.backends.desktop import DesktopBackend

    return DesktopBackend()
