"""MiniWoB++ tasks in a real browser window: reset with a seed, read the reward.

The pages come from the package `miniwob` and are opened as files. Scripts only seed the page and
read its reward; looking and acting go through the display like everybody else's.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeVar

from playwright.sync_api import Page
from Xlib.display import Display

from actions.executor import Executor
from actions.space import ENDING, Action
from agent.environments.base import Environment, Transition
from agent.environments.browser import Browser
from agent.environments.display import VirtualDisplay
from agent.policies.base import Observation
from vision.capture import Screen
from vision.frame import Frame
from vision.geometry import Box, Point, Size

T = TypeVar("T")

WINDOW = Size(500, 320)
"""The benchmark's own window; Chromium cannot be narrower."""

AREA = Box(0, 0, 160, 210)
"""The task in screen pixels; what lies right of it shows the reward and is never looked at."""

PARKED = Point(10, 10)
"""Where the pointer waits at reset: on the instruction, over nothing that reacts."""

NOTCH = 30.8
"""Pixels by which one notch of the wheel moves a page."""

SETTLE_SECONDS = 2.0
"""Pages that still move after this long (animated tasks) are taken as they are."""

_STILL_SECONDS = 0.03

# Page scripts that draw random numbers while they load must be as repeatable as the task itself.
FIXED_RANDOM = """
(() => {
  let state = 1;
  Math.random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
})();
"""

START = """
async seed => {
  core.EPISODE_MAX_TIME = 3600000;
  Math.seedrandom(seed);
  core.startEpisodeReal();
  await document.fonts.ready;
  const frame = () => new Promise(done => requestAnimationFrame(done));
  await frame();
  await frame();
  const said = core.getUtterance();  // some tasks give {utterance, fields}
  return said.utterance ?? said;
}
"""

READ_REWARD = "() => [WOB_RAW_REWARD_GLOBAL, WOB_DONE_GLOBAL]"


class TaskError(ValueError):
    """There is no such task, or its program is not installed."""


@dataclass(frozen=True)
class Reward:
    """What the page says about the episode.

    Attributes:
        raw: -1..1 without time penalty, 0 while the episode runs.
        done: whether the page has ended the episode.
    """

    raw: float
    done: bool


class Camera(Protocol):
    """What can take a picture of the task."""

    def grab(self) -> Frame:
        """The task area."""


class Pages(Protocol):
    """What shows the pages: `MiniWob`, or its quick twin without a display.

    Attributes:
        task: what the next reset shows.
    """

    task: str

    @property
    def screen(self) -> Camera:
        """What an agent may look at."""

    def reset(self, seed: int) -> str:
        """Show a fresh episode; its instruction."""

    def reward(self) -> Reward:
        """The page's own verdict."""

    def inspect(self, work: Callable[[Page], T]) -> T:
        """Run `work(page)`, for labels at training time."""


class MiniWob:
    """One browser window that shows one task after the other, alive inside a `with` block.

    Args:
        display: where the window appears, at least as large as `WINDOW`; None means a virtual
            display of its own.
        task: what the next reset shows.

    Attributes:
        task: may be changed at any time; the next reset shows it.
        display: where the window is, inside the `with` block.
        screen: what an agent may look at: the task area, inside the `with` block.
    """

    def __init__(self, display: VirtualDisplay | None = None, task: str = "click-test") -> None:
        self.task = task
        self._given = display
        self._held = ExitStack()

    def __enter__(self) -> MiniWob:
        with ExitStack() as stack:
            self.display = self._given or stack.enter_context(VirtualDisplay(WINDOW))
            self._browser = stack.enter_context(Browser(self.display))
            self.screen = stack.enter_context(Screen(self.display.name, AREA))
            self._pointer = Display(self.display.name)
            stack.callback(self._pointer.close)
            self._browser.call(lambda page: page.add_init_script(FIXED_RANDOM))
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def reset(self, seed: int) -> str:
        """Show a fresh episode; the same task and seed give the same pixels.

        Returns:
            The instruction, as the page words it.

        Raises:
            TaskError: there is no such task.
            BrowserError: the browser has died.
        """
        url = task_page(self.task).as_uri()

        def start(page: Page) -> str:
            page.goto(url)
            return str(page.evaluate(START, seed))

        self._browser.call(lambda page: page.goto("about:blank"))  # nothing to hover over
        self._pointer.screen().root.warp_pointer(int(PARKED.x), int(PARKED.y))
        self._pointer.sync()
        instruction = self._browser.call(start)
        self._settle()
        return instruction

    def reward(self) -> Reward:
        """The page's own verdict.

        Raises:
            BrowserError: the browser has died.
        """
        raw, done = self._browser.call(lambda page: page.evaluate(READ_REWARD))
        return Reward(float(raw), bool(done))

    def inspect(self, work: Callable[[Page], T]) -> T:
        """Run `work(page)`: for labels at training time and for tests, never for an agent.

        Raises:
            BrowserError: the browser has died, or the page refused.
        """
        return self._browser.call(work)

    def _settle(self) -> None:
        """Wait until the screen shows what the page has drawn."""
        before = self.screen.grab().digest
        start = still_since = time.monotonic()
        while (now := time.monotonic()) < start + SETTLE_SECONDS:
            if now - still_since >= _STILL_SECONDS:
                return
            time.sleep(0.01)
            after = self.screen.grab().digest
            if after != before:
                before, still_since = after, time.monotonic()


class MiniWobEnvironment(Environment):
    """The task that a `MiniWob` shows, as something to act in with real mouse and keyboard.

    World and executor stay the caller's to close; the executor must act on the world's display.
    """

    def __init__(self, world: MiniWob, executor: Executor) -> None:
        self._world = world
        self._executor = executor
        self._instruction = ""

    def reset(self, seed: int) -> Observation:
        """Show a fresh episode.

        Raises:
            TaskError: the world's task does not exist.
            BrowserError: the browser has died.
        """
        self._instruction = self._world.reset(seed)
        return self._look()

    def step(self, action: Action) -> Transition:
        """Act once; the page ends the episode, or the action does (`Finished`, `CallUser`).

        Raises:
            BrowserError: the browser has died.
        """
        self._executor.perform(action)
        verdict = self._world.reward()
        over = verdict.done or isinstance(action, ENDING)
        return Transition(self._look(), verdict.raw, terminated=over)

    def _look(self) -> Observation:
        return Observation(self._instruction, self._world.screen.grab())


def tasks() -> tuple[str, ...]:
    """The names of all tasks, sorted."""
    return tuple(sorted(page.stem for page in _folder().glob("*.html")))


def task_page(task: str) -> Path:
    """The HTML file of a task.

    Raises:
        TaskError: there is no such task.
    """
    if task not in tasks():
        raise TaskError(f"expected a MiniWoB++ task such as click-test, actually {task!r}")
    return _folder() / f"{task}.html"


def _folder() -> Path:
    # Importing the package would load Selenium and Gymnasium; only its files are wanted.
    spec = importlib.util.find_spec("miniwob")
    assert spec is not None and spec.origin is not None, "pyproject.toml lists miniwob"
    return Path(spec.origin).parent / "html" / "miniwob"
