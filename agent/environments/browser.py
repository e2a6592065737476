"""A real, visible Chromium that fills a display; scripts reach its page, the agent only sees it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import TypeVar

from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from agent.environments.display import VirtualDisplay

T = TypeVar("T")

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

_ARGUMENTS = (
    # The window is the page: no tabs, no address bar, nothing above (0, 0).
    "--kiosk",
    "--app=about:blank",
    "--window-position=0,0",
    # Quiet on the network and on the screen.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    # Software rendering gives the same pixels on every machine.
    "--disable-gpu",
)


class BrowserError(RuntimeError):
    """The browser is missing, did not start, or died; start a new one."""


class Browser:
    """One Chromium window over a whole display, alive inside a `with` block.

    Playwright runs on a thread of its own, so that any thread may use this object, one call at a
    time, also where an event loop runs.

    Raises:
        BrowserError: on entering, when there is no Chromium or it does not start.
    """

    def __init__(self, display: VirtualDisplay) -> None:
        self._display = display
        self._held = ExitStack()
        self._page: Page | None = None
        self._thread: ThreadPoolExecutor | None = None

    def __enter__(self) -> Browser:
        program = find_program()
        with ExitStack() as stack:
            thread = stack.enter_context(ThreadPoolExecutor(1, "eyehand-browser"))
            profile = stack.enter_context(
                tempfile.TemporaryDirectory("-eyehand-chromium", ignore_cleanup_errors=True)
            )
            session = ExitStack()  # opened and closed on the browser's thread
            stack.callback(lambda: thread.submit(session.close).result())
            launch = thread.submit(_launch, session, program, profile, self._display)
            try:
                self._page = launch.result()
            except PlaywrightError as error:
                raise BrowserError(f"{program} did not start: {error}") from error
            self._thread = thread
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._page = None
        self._held.close()

    def call(self, work: Callable[[Page], T]) -> T:
        """Run `work(page)` on the browser's thread and return what it returns.

        Raises:
            BrowserError: the browser is not open, has died, or the page refused.
        """
        if self._page is None or self._thread is None:
            raise BrowserError("expected an open browser; enter it with `with Browser(display):`")
        try:
            return self._thread.submit(work, self._page).result()
        except PlaywrightError as error:
            raise BrowserError(f"the browser died or its page failed: {error}") from error


def _launch(session: ExitStack, program: str, profile: str, display: VirtualDisplay) -> Page:
    """Start Chromium on the display; `session` ends it."""
    driver: Playwright = session.enter_context(sync_playwright())
    width, height = map(int, display.size)
    context = driver.chromium.launch_persistent_context(
        profile,
        executable_path=program,
        headless=False,
        env={**display.env},
        args=[*_ARGUMENTS, f"--window-size={width},{height}"],
        ignore_default_args=["--enable-automation"],  # its info bar would move the page
        chromium_sandbox=os.geteuid() != 0,  # Chromium refuses its sandbox to root
        no_viewport=True,
        handle_sigint=False,  # on Ctrl-C it is ours to close, after the run has ended in order
    )
    session.callback(_close, context)
    return context.pages[0]


def _close(context: BrowserContext) -> None:
    with suppress(PlaywrightError):  # it may have died before
        context.close()


def find_program() -> str:
    """The path of Chromium, or an error that says how to get it."""
    for name in PROGRAMS:
        if path := shutil.which(name):
            return path
    raise BrowserError(
        f"expected one of {', '.join(PROGRAMS)} on PATH, actually there is none; "
        "install one with `apt-get install chromium`"
    )
