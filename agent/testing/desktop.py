"""A throw-away desktop for one test."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType

from actions.backends.x11 import X11Backend
from actions.executor import Executor
from agent.environments.browser import Browser
from agent.environments.display import DEFAULT_SIZE, VirtualDisplay
from agent.environments.program import program
from vision.capture import Screen
from vision.frame import Frame
from vision.geometry import Size


class Desktop:
    """A display of its own with eyes and hands, alive inside a `with` block.

    Every desktop picks a free display, so tests may run side by side in several processes.

    Args:
        size: of its screen, in pixels.
    """

    def __init__(self, size: Size = DEFAULT_SIZE) -> None:
        self._size = size
        self._held = ExitStack()

    def __enter__(self) -> Desktop:
        with ExitStack() as stack:
            self.display = stack.enter_context(VirtualDisplay(self._size))
            self.screen = stack.enter_context(Screen(self.display.name))
            backend = stack.enter_context(X11Backend(self.display.name))
            self.hands = Executor(backend, self.screen, fail_safe=False)
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def start(self, command: str) -> None:
        """Start a program; its window is up when this returns, and it ends with the desktop.

        Raises:
            ProgramError: it is not installed, or shows no window.
        """
        self._held.enter_context(program(command, self.display.name, self.display.env))

    def open(self, url: str) -> None:
        """Show a page in a browser that fills the desktop.

        Raises:
            BrowserError: there is no browser, or it cannot open the page.
        """
        browser = self._held.enter_context(Browser(self.display))
        browser.call(lambda page: page.goto(url))

    def grab(self) -> Frame:
        """What the screen shows now."""
        return self.screen.grab()
