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

from agent.environments.browser import Browser, BrowserError
from agent.environments.display import VirtualDisplay
from agent.episodes.report import write_report
from vision.geometry import Size

_SHOWN = "document.getElementById('picture')?.naturalWidth > 0"


def opened(browser: Browser, report: Path, steps: int, limit_s: float) -> list[float]:
    """Seconds until the first step is shown, everything is read, and the last step is shown."""
    times = []
    begun = time.perf_counter()

    def work(page) -> None:  # type: ignore[no-untyped-def]  # playwright's page
        page.set_default_timeout(limit_s * 1e3)
        page.goto(report.as_uri(), wait_until="commit")
        page.wait_for_function(_SHOWN, polling=20)
        times.append(time.perf_counter() - begun)
        page.wait_for_load_state("load")
        times.append(time.perf_counter() - begun)
        page.keyboard.press("End")
        page.wait_for_function(
            f"document.getElementById('place').textContent === 'Step {steps} of {steps}'"
            " && !document.getElementById('screen').hidden",
            polling=20,
        )
        times.append(time.perf_counter() - begun)

    browser.call(work)
    return times


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
                try:
                    times = opened(browser, report, chosen.steps, chosen.seconds)
                except BrowserError as error:
                    raise SystemExit(f"not within {chosen.seconds:g} s: {error}") from error
                table.add_row(f"{number + 1}.", *(f"{each:.2f} s" for each in times))
        console.print(table)


if __name__ == "__main__":
    main()
