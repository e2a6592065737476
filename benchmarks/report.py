"""How fast the report of a long episode opens in Chromium.

    python benchmarks/report.py [--steps 500] [--seconds 120]

Records 1920x1080 screens as `episodes.py` does, writes the report and opens the file in a browser
of its own. "Shown" is the first picture on the page, "turned" the last one after the key End, both
since navigation began. Nothing waits longer than `--seconds`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from episodes import record
from rich.console import Console
from rich.table import Table

from agent.environments.browser import Browser
from agent.environments.display import VirtualDisplay
from agent.episodes.report import write_report
from vision.geometry import Size

_SHOWN = (
    "document.getElementById('picture')?.naturalWidth > 0"
    " && !document.getElementById('screen').hidden"
)


def opened(browser: Browser, report: Path, steps: int, limit_s: float) -> list[float]:
    """Seconds until the first step is shown, everything is read, and the last step is shown."""
    begun = time.perf_counter()
    browser.call(lambda page: page.goto(report.as_uri(), wait_until="commit"))
    shown = reached(browser, _SHOWN, begun, limit_s)
    read = reached(browser, "document.readyState === 'complete'", begun, limit_s)
    browser.call(lambda page: page.keyboard.press("End"))
    last = f"{_SHOWN} && document.getElementById('place').textContent === 'Step {steps} of {steps}'"
    return [shown, read, reached(browser, last, begun, limit_s)]


def reached(browser: Browser, condition: str, begun: float, limit_s: float) -> float:
    """Seconds from `begun` until a condition holds.

    Playwright's own `wait_for_function` builds its condition inside the page, which the page's
    content security policy forbids; so it is asked from outside.
    """
    while not browser.call(lambda page: page.evaluate(condition)):
        if time.perf_counter() - begun > limit_s:
            raise SystemExit(f"not within {limit_s:g} s: {condition}")
        time.sleep(0.02)
    return time.perf_counter() - begun


def main() -> None:
    """Record, report, open."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=120)
    chosen = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder) / "episode", chosen.steps, 0.0)
        begun, spent = time.perf_counter(), time.process_time()
        report = write_report(Path(folder) / "episode", Path(folder) / "report.html")
        wall, spent = time.perf_counter() - begun, time.process_time() - spent
        size = report.stat().st_size / 1e6
        cost = f"written in {wall:.0f} s ({spent:.0f} s of processor time)"
        console.print(f"{chosen.steps} steps: {size:.1f} MB, {cost}")
        table = Table("opened", "first step shown", "all read", "last step shown")
        with VirtualDisplay(Size(1280, 800)) as display, Browser(display) as browser:
            for number in range(3):
                times = opened(browser, report, chosen.steps, chosen.seconds)
                table.add_row(f"{number + 1}.", *(f"{each:.2f} s" for each in times))
        console.print(table)


if __name__ == "__main__":
    main()
