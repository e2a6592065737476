"""The screen that a command looks at, and the hands on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actions.backends.base import Backend
    from vision.capture import Eyes
    from vision.geometry import Size


class Where(StrEnum):
    """Which display the agent works on."""

    VIRTUAL = "virtual"
    REAL = "real"


@contextmanager
def desk(where: Where, url: str | None, size: Size) -> Iterator[tuple[Eyes, Backend]]:
    """A screen to look at and the hands on it."""
    from agent.environments.browser import Browser
    from agent.environments.display import VirtualDisplay
    from vision.capture import Screen

    with ExitStack() as stack:
        if where is Where.REAL:
            yield stack.enter_context(real_desk())
            return
        virtual = stack.enter_context(VirtualDisplay(size))
        if url is not None:
            browser = stack.enter_context(Browser(virtual))
            browser.call(lambda page: page.goto(url))
        screen = stack.enter_context(Screen(virtual.name))
        yield screen, stack.enter_context(hands(virtual.name))


@contextmanager
def real_desk() -> Iterator[tuple[Eyes, Backend]]:
    """The desktop that this process belongs to; X11 is only asked where there is no Wayland.

    Raises:
        OSError: on Wayland, without the package that speaks it.
    """
    with ExitStack() as stack:
        if not os.environ.get("WAYLAND_DISPLAY"):
            from vision.capture import Screen

            yield stack.enter_context(Screen()), stack.enter_context(hands(None))
            return
        try:
            from actions.backends.wayland import WaylandBackend
            from vision.wayland import Compositor
            from vision.wayland_screen import WaylandScreen
        except ImportError as error:
            raise OSError(
                "this is a Wayland desktop, and pywayland is missing; install it with "
                "`pip install 'eyehand[wayland]'`"
            ) from error
        compositor = stack.enter_context(Compositor())
        screen = WaylandScreen(compositor)
        yield screen, stack.enter_context(WaylandBackend(compositor))


@contextmanager
def page(url: str | None, cdp: str | None, size: Size) -> Iterator[tuple[Eyes, Backend]]:
    """A page as the screen, and the hands on it.

    Args:
        url: what to open; None leaves the page as it is.
        cdp: the DevTools address of a running Chromium; None starts one without a display.
        size: of the page, when Chromium is started here.
    """
    from actions.backends.cdp import CdpBackend
    from agent.environments.headless import HeadlessBrowser
    from vision.cdp import CdpPage
    from vision.page_screen import PageScreen

    with ExitStack() as stack:
        if cdp is None:
            browser = stack.enter_context(HeadlessBrowser())
            view = stack.enter_context(CdpPage(browser.address, size))
        else:
            view = stack.enter_context(CdpPage(cdp))
        if url is not None:
            view.navigate(url)
        yield PageScreen(view), stack.enter_context(CdpBackend(view))


def hands(display: str | None) -> Backend:
    """The backend for an X display, or for the desktop of a system that has none."""
    if sys.platform == "linux":
        from actions.backends.x11 import X11Backend

        return X11Backend(display)
    from actions.backends.desktop import DesktopBackend

    return DesktopBackend()
