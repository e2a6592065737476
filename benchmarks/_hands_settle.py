"""Settling: a page of scripted delays, our executor beside fixed sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from statistics import median

from playwright.sync_api import Page

from actions.backends.x11 import X11Backend
from actions.executor import Executor
from actions.receipt import Outcome
from actions.settle import Watcher
from actions.space import Button, Click
from agent.environments.browser import Browser
from agent.environments.display import VirtualDisplay
from benchmarks._hands_sheet import Sheet, rounds
from vision.capture import Screen
from vision.geometry import Point, Size

SLEEPS = (0.2, 1.0, 2.0)
SLEEP_TRIES = 3
"""They take long, and hardly vary."""
COLUMNS = ("case", "ours", *(f"sleep {seconds:g} s" for seconds in SLEEPS))
BUSY_MS = 650
TRIES = 100
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
.slow { background: #c33; animation: blink 4s step-end infinite }
#tick { position: absolute; left: 130px; top: 52px; width: 16px; height: 16px; background: #eee }
@keyframes turn { to { transform: rotate(1turn) } }
@keyframes blink { 50% { visibility: hidden } }
</style>
<div id=hot></div><div id=tick></div><div id=out></div><div id=own></div>
<script>
let plan = [], small = false, ticks = 0;
window.clicked = window.finished = 0;
function show(n) {
  if (small) tick.style.background = ++ticks % 2 ? "#060" : "#eee";
  else { out.textContent = n; out.style.background = `hsl(${n * 47 % 360} 80% 80%)` }
}
function begin() {
  plan.forEach((at, index) => setTimeout(() => {
    show(index + 1);
    if (index + 1 == plan.length) window.finished = performance.now();
  }, at));
}
hot.onmousedown = () => { window.clicked = performance.now(); begin() };
function arm(times, own, tiny) {
  plan = times; small = tiny; window.clicked = window.finished = 0; own_.className = own;
  if (!small) show(0);
}
const own_ = document.getElementById("own");
setInterval(() => { own_.textContent = own_.className == "clock" ? seconds++ % 60 : "" }, 1000);
let seconds = 0;
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
        if not self.tries:
            return "not tried"
        return f"{self.right}/{self.tries}  {median(self.seconds) * 1000:.0f} ms"

    @property
    def worst(self) -> str:
        return f"worst {max(self.seconds, default=0) * 1000:.0f} ms"

    def over(self, seconds: float) -> str:
        late = sum(spent > seconds for spent in self.seconds)
        return f"{late} over {seconds * 1000:.0f}"


class Stage:
    """The page in a browser, and hands on it."""

    def __init__(self, browser: Browser, screen: Screen, backend: X11Backend) -> None:
        self.browser = browser
        self.screen = screen
        self.backend = backend
        self.random = Random(6)
        self.executor = Executor(backend, screen, fail_safe=False)

    def arm(self, times: list[int], own: str, small: bool = False) -> None:
        """What a press will do (change at these milliseconds), and what moves by itself."""
        tiny = str(small).lower()
        self.browser.call(lambda page: page.evaluate(f"arm({times}, '{own}', {tiny})"))
        self.backend.move(Point(150, 150))
        self.think(own)

    def think(self, own: str) -> None:
        """As a model does, until any moment in the period of what moves."""
        time.sleep(0.15 + self.random.random() * (1.06 if own else 0.1))

    def finished(self) -> bool:
        return bool(self.browser.call(lambda page: page.evaluate("window.finished > 0")))

    def last_change(self) -> float:
        """When the page changed for the last time, in seconds of the system's clock; 0 not yet."""
        when = "finished && performance.timeOrigin + finished"
        return float(self.browser.call(lambda page: page.evaluate(when))) / 1000

    def ours(
        self, expected: Callable[[Outcome], bool], times: list[int], own: str, small: bool
    ) -> Score:
        """One action by the executor."""
        score = Score()
        self.arm(times, own, small)
        seen = self.screen.grab()
        self.think(own)
        receipt = self.executor.perform(Click(TARGET), seen)
        score.add(expected(receipt.outcome), receipt.settle_ms / 1000)
        return score

    def sleeps(self, times: list[int], own: str, small: bool) -> list[tuple[bool, bool]]:
        """One press, looked at after each of the fixed sleeps: did it change, was it over."""
        self.arm(times, own, small)
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


def measure(sheet: Sheet, seconds: float) -> None:
    """Waits, and actions that have an effect."""
    with _opened() as stage:

        def row(name: str, share: float, cells: Callable[[Stage, float], tuple[str, ...]]) -> None:
            sheet.row(name, seconds * share, lambda: cells(stage, seconds * share))

        row("wait, still screen", 0.05, _still)
        row(f"wait, page changes for {BUSY_MS} ms", 0.4, _busy_before)
        row(f"effect lasts {BUSY_MS} ms", 0.15, _busy_after)
        for delay in (0, 100, 250):
            row(f"effect after {delay} ms", 0.05, partial(_effect, delay=delay))
        for own in ("", "spinner", "block", "slow", "clock"):
            name = f"small effect, {own or 'still page'}"
            row(name, 0.05, partial(_effect, delay=100, own=own, small=True))


def measure_blinkers(sheet: Sheet, seconds: float) -> None:
    """Actions that have no effect, beside things that move by themselves."""
    with _opened() as stage:
        wrong = tries = 0
        for own in ("", "spinner", "throbber", "caret", "block", "slow", "clock"):

            def cells(own: str = own) -> tuple[str, ...]:
                nonlocal wrong, tries
                score, cells = _nothing(stage, seconds / 7, own)
                wrong, tries = wrong + score.tries - score.right, tries + score.tries
                return cells

            sheet.row(f"no effect, {own or 'still page'}", seconds / 7, cells)
        sheet.row("false confirmed", 0, lambda: (f"{wrong} of {tries}",))


@contextmanager
def _opened() -> Iterator[Stage]:
    size = Size(640, 480)
    with (
        VirtualDisplay(size) as display,
        Browser(display) as browser,
        Screen(display.name) as screen,
        X11Backend(display.name) as backend,
    ):
        browser.call(lambda page: page.set_content(PAGE))
        yield Stage(browser, screen, backend)


def _still(stage: Stage, seconds: float) -> tuple[str, ...]:
    """A still screen, before an action."""
    stage.arm([], "")
    score = Score()
    for _ in rounds(TRIES, seconds):
        begun = time.monotonic()
        Watcher(stage.screen, time.sleep).still()
        score.add(True, time.monotonic() - begun)
    return (f"{score}, {score.worst}, {score.over(0.06)}",)


def _busy_before(stage: Stage, seconds: float) -> tuple[str, ...]:
    """The page is changing when the agent wants to act; right is to go on when it is over."""
    score, page = Score(), Score()
    for _ in rounds(TRIES, seconds):
        stage.arm(steps(stage.random), "")
        seen = stage.screen.grab()
        begun = time.time()
        stage.browser.call(_begin)
        time.sleep(0.05)
        Watcher(stage.screen, time.sleep).still(seen)
        ended, last = time.time(), stage.last_change()
        right = begun < last < ended
        score.add(right, ended - begun)
        if right:
            page.add(right, last - begun)
    # A fixed sleep needs no trial.
    fixed = ("always" if sleep * 1000 > BUSY_MS else "never" for sleep in SLEEPS)
    own = f"the page itself {page}, {page.worst}"
    return f"{score}, {score.worst}, {score.over(0.8)}; {own}", *fixed


def _begin(page: Page) -> None:
    page.evaluate("begin()")


def _busy_after(stage: Stage, seconds: float) -> tuple[str, ...]:
    """A press makes the page change for a while; right is confirmed, when it is over."""

    def is_right(outcome: Outcome) -> bool:
        return outcome is Outcome.CONFIRMED and stage.finished()

    total, fixed = _tried(
        stage, seconds, is_right, lambda changed, over: changed and over,
        lambda: steps(stage.random),
    )  # fmt: skip
    return f"{total}, {total.worst}, {total.over(0.8)}", *fixed


def _effect(
    stage: Stage, seconds: float, delay: int, own: str = "", small: bool = False
) -> tuple[str, ...]:
    """A press has an effect after a while; right is confirmed."""
    stage.executor = Executor(stage.backend, stage.screen, fail_safe=False)
    total, fixed = _tried(
        stage, seconds, lambda outcome: outcome is Outcome.CONFIRMED,
        lambda changed, over: changed, lambda: [delay], own, small,
    )  # fmt: skip
    return f"{total}, {total.worst}", *fixed


def _nothing(stage: Stage, seconds: float, own: str) -> tuple[Score, tuple[str, ...]]:
    """A press does nothing, and something moves by itself; right is no visible effect."""
    stage.executor = Executor(stage.backend, stage.screen, fail_safe=False)
    total, fixed = _tried(
        stage, seconds, lambda outcome: outcome is Outcome.NO_VISIBLE_EFFECT,
        lambda changed, over: not changed, list, own,
    )  # fmt: skip
    return total, (f"{total}, {total.worst}", *fixed)


def _tried(
    stage: Stage,
    seconds: float,
    is_right: Callable[[Outcome], bool],
    sleep_is_right: Callable[[bool, bool], bool],
    plan: Callable[[], list[int]],
    own: str = "",
    small: bool = False,
) -> tuple[Score, list[str]]:
    """One press after the other by the executor, beside the first ones also one for the sleeps.

    Args:
        stage: where.
        seconds: how long.
        is_right: whether the executor's outcome is the truth.
        sleep_is_right: the same of a sleep, from whether it saw a change and whether that was over.
        plan: when the page changes after the press, in milliseconds.
        own: what moves by itself.
        small: whether no more changes than a check box.
    """
    total, fixed = Score(), [Score() for _ in SLEEPS]
    for number in rounds(TRIES, seconds):
        one = stage.ours(is_right, plan(), own, small)
        total.add(bool(one.right), one.seconds[0])
        if number < SLEEP_TRIES:
            found = stage.sleeps(plan(), own, small)
            for score, seen, sleep in zip(fixed, found, SLEEPS, strict=True):
                score.add(sleep_is_right(*seen), sleep)
    return total, [f"{score.right}/{score.tries}" for score in fixed]
