"""MiniWoB++ tasks in a browser without a display: the same pixels for a fraction of the work.

For making training data. Episodes of one task follow each other without loading the page again,
and mouse and keyboard are Chromium's own, without the ways and waits of a hand. Agents are judged
in `MiniWob`, which is the slow, real twin (`tests/agent/test_offscreen.py` compares their pixels).
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import TypeVar

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from actions.space import Action, Click, Direction, Drag, Hotkey, Move, Scroll, Type, Wait
from agent.environments.browser import BrowserError, find_program
from agent.environments.miniwob import (
    AREA,
    FIXED_RANDOM,
    NOTCH,
    PARKED,
    READ_REWARD,
    START,
    WINDOW,
    Reward,
    task_page,
)
from vision.frame import Frame, Pixels

T = TypeVar("T")

LOOKS = 10
"""Pictures after which a page that still moves is taken as it is."""

_PAUSE_MS = 30
_LONGEST_WAIT_MS = 1000
_DRAG_STEPS = 8

_UNLIKE_A_WINDOW = ["--hide-scrollbars", "--font-render-hinting=none"]
"""What Playwright tells a headless Chromium that makes its pixels differ from a window's."""

_PICTURE = {
    "format": "png",
    "optimizeForSpeed": True,  # of the compression: as lossless as ever
    "clip": {
        "x": AREA.left,
        "y": AREA.top,
        "width": AREA.right - AREA.left,
        "height": AREA.bottom - AREA.top,
        "scale": 1,
    },
}

_TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"

_WHEEL = {
    Direction.UP: (0, -1),
    Direction.DOWN: (0, 1),
    Direction.LEFT: (-1, 0),
    Direction.RIGHT: (1, 0),
}
_KEYS = {
    **{"ctrl": "Control", "shift": "Shift", "alt": "Alt", "super": "Meta", "esc": "Escape"},
    **{"left": "ArrowLeft", "right": "ArrowRight", "up": "ArrowUp", "down": "ArrowDown"},
    **{"pageup": "PageUp", "pagedown": "PageDown"},
}


class OffscreenMiniWob:
    """One page that shows one task after the other, alive inside a `with` block.

    Attributes:
        task: what the next reset shows.
        screen: this object, which can be asked to `grab` the task area.
    """

    def __init__(self, task: str = "click-test") -> None:
        self.task = task
        self.screen = self
        self._shown = ""
        self._held = ExitStack()

    def __enter__(self) -> OffscreenMiniWob:
        with ExitStack() as stack:
            self._thread = stack.enter_context(ThreadPoolExecutor(1, "eyehand-offscreen"))
            session = ExitStack()  # opened and closed on the browser's thread
            stack.callback(lambda: self._thread.submit(session.close).result())
            try:
                self._page, self._devtools = self._thread.submit(_open, session).result()
            except PlaywrightError as error:
                raise BrowserError(f"Chromium did not start: {error}") from error
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def restart(self) -> None:
        """Start all over with a new browser."""
        self._held.close()
        self._shown = ""
        self.__enter__()

    def reset(self, seed: int) -> str:
        """Show a fresh episode; its instruction, as the page words it.

        Raises:
            TaskError: there is no such task.
            BrowserError: the browser has died.
        """

        def start(page: Page) -> str:
            if self._shown != self.task:
                page.goto(task_page(self.task).as_uri())
                self._shown = self.task
            page.mouse.move(*PARKED)
            return str(page.evaluate(START, seed))

        instruction = self.inspect(start)
        self._settle()
        return instruction

    def reward(self) -> Reward:
        """The page's own verdict.

        Raises:
            BrowserError: the browser has died.
        """
        raw, done = self.inspect(lambda page: page.evaluate(READ_REWARD))
        return Reward(float(raw), bool(done))

    def inspect(self, work: Callable[[Page], T]) -> T:
        """Run `work(page)`.

        Raises:
            BrowserError: the browser has died, or the page refused.
        """
        try:
            return self._thread.submit(work, self._page).result()
        except PlaywrightError as error:
            raise BrowserError(f"the browser died or its page failed: {error}") from error

    def grab(self) -> Frame:
        """The task area as it was when it last came to rest."""
        return Frame(self._last, AREA)

    def perform(self, action: Action) -> bool:
        """Act at once; whether that changed the picture.

        Raises:
            BrowserError: the browser has died.
            ValueError: an action that no oracle makes.
        """
        before = self._last
        self.inspect(lambda page: _act(page, action))
        self._settle()
        return not np.array_equal(before, self._last)

    def _settle(self) -> None:
        """Keep the first picture that is like the one before."""
        self.inspect(lambda page: page.evaluate(_TWO_FRAMES))
        self._last = self._look()
        for _ in range(LOOKS):
            before = self._last
            self.inspect(lambda page: page.wait_for_timeout(_PAUSE_MS))
            self._last = self._look()
            if np.array_equal(before, self._last):
                return

    def _look(self) -> Pixels:
        taken = self.inspect(lambda _: self._devtools.send("Page.captureScreenshot", _PICTURE))
        png = base64.b64decode(taken["data"])
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def launch(session: ExitStack) -> Browser:
    """Start a Chromium without a display whose pixels are a window's; `session` ends it.

    Raises:
        BrowserError: there is no Chromium.
        playwright.sync_api.Error: it does not start.
    """
    driver = session.enter_context(sync_playwright())
    browser = driver.chromium.launch(
        executable_path=find_program(),
        args=["--disable-gpu", "--disable-background-networking"],
        ignore_default_args=_UNLIKE_A_WINDOW,
        chromium_sandbox=os.geteuid() != 0,  # Chromium refuses its sandbox to root
        handle_sigint=False,
    )
    session.callback(_close, browser)
    return browser


def _open(session: ExitStack) -> tuple[Page, CDPSession]:
    """The page of the tasks, and what takes its picture, with less ado than Playwright."""
    browser = launch(session)
    width, height = map(int, WINDOW)
    page = browser.new_page(viewport={"width": width, "height": height})
    page.add_init_script(FIXED_RANDOM)
    return page, page.context.new_cdp_session(page)


def _close(browser: Browser) -> None:
    with suppress(PlaywrightError):  # it may have died before
        browser.close()


def _act(page: Page, action: Action) -> None:
    mouse, keyboard = page.mouse, page.keyboard
    match action:
        case Click(point, button, count):
            mouse.click(*point, button=str(button), click_count=count)  # type: ignore[arg-type]
        case Move(point):
            mouse.move(*point)
        case Drag(start, end):
            mouse.move(*start)
            mouse.down()
            mouse.move(*end, steps=_DRAG_STEPS)
            mouse.up()
        case Scroll(direction, point, notches):
            if point is not None:
                mouse.move(*point)
            x, y = _WHEEL[direction]
            mouse.wheel(x * notches * NOTCH, y * notches * NOTCH)
        case Type(text, submit, point):
            if point is not None:
                mouse.click(*point)
            keyboard.type(text)
            if submit:
                keyboard.press("Enter")
        case Hotkey(keys):
            keyboard.press("+".join(_KEYS.get(key, key.title()) for key in keys))
        case Wait(seconds):
            page.wait_for_timeout(min(1000 * seconds, _LONGEST_WAIT_MS))
        case _:
            raise ValueError(f"expected an action of an oracle, actually: {action!r}")
