"""Settling: a page of scripted delays, our executor beside fixed sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from statistics import median

from playwright.sync_api import Page
from rich.table import Table

from actions.backends.x11 import X11Backend
from actions.executor import Executor
from actions.receipt import Outcome
from actions.settle import Patience, Watcher
from actions.space import Button, Click
from agent.environments.browser import Browser
from agent.environments.display import VirtualDisplay
from vision.capture import Screen
from vision.geometry import Point, Size

SLEEPS = (0.2, 1.0, 2.0)
BUSY_MS = 650
TARGET = Point(60, 60)

PAGE = """
<style>
body { margin: 0; font: 20px sans-serif; overflow: hidden }
#hot { position: absolute; left: 20px; top: 20px; width: 80px; height: 80px; background: #ccd }
#out { position: absolute; left: 200px; top: 20px; width: 400px; height: 400px }
#own { position: absolute; left: 20px; top: 300px; width: 24px; height: 24px }
.spinner { border: 4px solid #ccc; border-top-color: #06c; border-radius: 50%;
  box-sizing: border-box; animation: turn .8s linear infinite }
.throbber { border: 4px solid #ccc; border-top-color: #06c; border-radius: 50%;
  box-sizing: border-box; animation: turn .8s steps(8) infinite }
.caret { border-left: 1px solid; animation: blink 1.06s step-end infinite }
.block { width: 10px !important; background: black; animation: blink 1.06s step-end infinite }
@keyframes turn { to { transform: rotate(1turn) } }
@keyframes blink { 50% { visibility: hidden } }
</style>
<div id=hot></div><div id=out></div><div id=own></div>
<script>
let plan = [];
window.clicked = window.finished = 0;
function show(n) { out.textContent = n; out.style.background = `hsl(${n * 47 % 360} 80% 80%)` }
function begin() {
  plan.forEach((at, index) => setTimeout(() => {
    show(index + 1);
    if (index + 1 == plan.length) window.finished = performance.now();
  }, at));
}
hot.onmousedown = () => { window.clicked = performance.now(); begin() };
function arm(times, own) {
  plan = times; window.clicked = window.finished = 0; own_.className = own; show(0);
}
const own_ = document.getElementById("own");
</script>
"""


@dataclass
class Score:
    """How often one way of waiting was right, and how long it took in seconds."""

    right: int = 0
    tries: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, right: bool, seconds: float) -> None:
        self.right += right
        self.tries += 1
        self.seconds.append(seconds)

    def __str__(self) -> str:
        return f"{self.right}/{self.tries}  {median(self.seconds) * 1000:.0f} ms"


class Stage:
    """The page in a browser, and hands on it."""

    def __init__(self, browser: Browser, screen: Screen, backend: X11Backend) -> None:
        self.browser = browser
        self.screen = screen
        self.backend = backend
        self.random = Random(6)
        self.executor = Executor(backend, screen, fail_safe=False)

    def arm(self, times: list[int], own: str) -> None:
        """What a press will do (change at these milliseconds), and what moves by itself."""
        self.browser.call(lambda page: page.evaluate(f"arm({times}, '{own}')"))
        self.backend.move(Point(150, 150))
        time.sleep(0.3 + self.random.random())  # a model thinks

    def finished(self) -> bool:
        return bool(self.browser.call(lambda page: page.evaluate("window.finished > 0")))

    def ours(self, expected: Callable[[Outcome], bool], times: list[int], own: str) -> Score:
        """One action by the executor."""
        score = Score()
        self.arm(times, own)
        seen = self.screen.grab()
        time.sleep(0.3 + self.random.random())
        receipt = self.executor.perform(Click(TARGET), seen)
        score.add(expected(receipt.outcome), receipt.settle_ms / 1000)
        return score

    def sleeps(self, times: list[int], own: str) -> list[tuple[bool, bool]]:
        """One press, looked at after each of the fixed sleeps: did it change, was it over."""
        self.arm(times, own)
        self.backend.move(TARGET)
        time.sleep(0.3)
        before = self.screen.grab()
        begun = time.monotonic()
        self.backend.button_down(Button.LEFT)
        self.backend.button_up(Button.LEFT)
        found = []
        for seconds in SLEEPS:
            time.sleep(max(0.0, begun + seconds - time.monotonic()))
            over = self.finished()
            found.append((self.screen.grab().digest != before.digest, over))
        return found


def steps(random: Random, total: int = BUSY_MS) -> list[int]:
    """Moments, in milliseconds, of a change that goes on for `total`: 16 to 80 ms apart."""
    moments = [16]
    while moments[-1] < total - 80:
        moments.append(moments[-1] + random.randint(16, 80))
    return [*moments, total]


def measure(tries: int) -> Table:
    """Everything about waiting; 7 rows."""
    table = Table("case", "ours", *(f"sleep {s:g} s" for s in SLEEPS), title="settle", box=None)
    size = Size(640, 480)
    with (
        VirtualDisplay(size) as display,
        Browser(display) as browser,
        Screen(display.name) as screen,
        X11Backend(display.name) as backend,
    ):
        browser.call(lambda page: page.set_content(PAGE))
        stage = Stage(browser, screen, backend)
        table.add_row(*_still(stage, tries))
        table.add_row(*_busy_before(stage, tries))
        table.add_row(*_busy_after(stage, tries))
        for delay in (0, 100, 250):
            table.add_row(*_effect(stage, tries // 4, delay))
        for own in ("", "spinner", "throbber", "caret", "block"):
            table.add_row(*_nothing(stage, tries // 4, own))
    return table


def _still(stage: Stage, tries: int) -> tuple[str, ...]:
    """A still screen, before an action."""
    stage.arm([], "")
    score = Score()
    for _ in range(tries):
        begun = time.monotonic()
        Watcher(stage.screen, time.sleep).still()
        score.add(True, time.monotonic() - begun)
    worst = max(score.seconds) * 1000
    return f"wait, still screen (worst {worst:.0f} ms)", str(score), "", "", ""


def _busy_before(stage: Stage, tries: int) -> tuple[str, ...]:
    """The page is changing when the agent wants to act; right is to go on when it is over."""
    score, fixed = Score(), [Score() for _ in SLEEPS]
    for _ in range(tries):
        stage.arm(steps(stage.random), "")
        seen = stage.screen.grab()
        begun = time.monotonic()
        stage.browser.call(_begin)
        time.sleep(0.05)
        Watcher(stage.screen, time.sleep).still(seen)
        score.add(stage.finished(), time.monotonic() - begun)
    for sleep, one in zip(SLEEPS, fixed, strict=True):
        one.add(sleep * 1000 > BUSY_MS, sleep)  # it needs no trial
    slow = sum(seconds > 0.8 for seconds in score.seconds)
    worst = max(score.seconds) * 1000
    name = f"wait, page changes for {BUSY_MS} ms (worst {worst:.0f} ms, {slow} over 800)"
    return name, str(score), *(f"{'always' if s.right else 'never'}" for s in fixed)


def _begin(page: Page) -> None:
    page.evaluate("begin()")


def _busy_after(stage: Stage, tries: int) -> tuple[str, ...]:
    """A press makes the page change for a while; right is confirmed, when it is over."""
    total, fixed = Score(), [Score() for _ in SLEEPS]
    for _ in range(tries):
        one = stage.ours(
            lambda o: o is Outcome.CONFIRMED and stage.finished(), steps(stage.random), ""
        )
        total.add(bool(one.right), one.seconds[0])
    for _ in range(max(1, tries // 10)):
        for score, (changed, over), sleep in zip(
            fixed, stage.sleeps(steps(stage.random), ""), SLEEPS, strict=True
        ):
            score.add(changed and over, sleep)
    slow = sum(seconds > 0.8 for seconds in total.seconds)
    worst = max(total.seconds) * 1000
    name = f"effect lasts {BUSY_MS} ms (worst {worst:.0f} ms, {slow} over 800)"
    return name, str(total), *map(str, fixed)


def _effect(stage: Stage, tries: int, delay: int) -> tuple[str, ...]:
    """A press has an effect after a while; right is confirmed."""
    total, fixed = Score(), [Score() for _ in SLEEPS]
    for _ in range(tries):
        one = stage.ours(lambda o: o is Outcome.CONFIRMED, [delay], "")
        total.add(bool(one.right), one.seconds[0])
        for score, (changed, _), sleep in zip(
            fixed, stage.sleeps([delay], ""), SLEEPS, strict=True
        ):
            score.add(changed, sleep)
    return f"effect after {delay} ms", str(total), *map(str, fixed)


def _nothing(stage: Stage, tries: int, own: str) -> tuple[str, ...]:
    """A press does nothing, and something moves by itself; right is no visible effect."""
    stage.executor = Executor(stage.backend, stage.screen, Patience(), fail_safe=False)
    total, fixed = Score(), [Score() for _ in SLEEPS]
    for _ in range(tries):
        one = stage.ours(lambda o: o is Outcome.NO_VISIBLE_EFFECT, [], own)
        total.add(bool(one.right), one.seconds[0])
        for score, (changed, _), sleep in zip(fixed, stage.sleeps([], own), SLEEPS, strict=True):
            score.add(not changed, sleep)
    return f"no effect, {own or 'still page'}", str(total), *map(str, fixed)
