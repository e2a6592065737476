"""Measure the live view and the stop button: `.venv/bin/python benchmarks/door.py [--quick]`.

A real server, a real display of 1920x1080, and the console in real Chromium on the same machine.

- frames: something draws over the whole screen, or over one window of it, all the time; the console
  counts the pictures that it has drawn on its canvas.
- glass to glass: a patch, or all, of the display changes colour; the time until the console's
  canvas has the new one, found by asking it in a tight loop of the page. One clock for both sides.
- stop: the agent drags without end; the page's stop button is clicked, and X's RECORD extension
  tells when the last event reached the display.

All of it takes about three minutes. What does not happen within `PATIENCE` ends it with an error.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from _door_display import Events, Painter
from _door_page import Page, page
from rich.console import Console
from rich.table import Table

from actions.backends.x11 import X11Backend
from agent.environments.display import VirtualDisplay
from agent.policies.scripted import ScriptedPolicy
from server.app import bind, prepare, spare_the_collector
from server.backend import Backend, PolicyChat
from server.control.desk import Desk, Wish
from server.settings import ControlSettings, Settings
from server.tokens import Tokens
from vision.capture import Screen
from vision.damage import motion
from vision.geometry import Size

TOKEN = Tokens("b" * 43)
SIZE = Size(1920, 1080)
PATIENCE = 30.0
"""Seconds."""
LAST_RESORT = 600
"""Seconds after which the process says where it is, and ends."""
DRAGS = [
    f"Action: drag(start_box='({100 + n % 50},100)', end_box='({900 - n % 50},900)')"
    for n in range(100_000)
]

# Counts pictures as they are drawn, and can wait for a colour in the top left corner.
PROBE = """(() => {
  const canvas = document.querySelector("#canvas"), pen = canvas.getContext("2d");
  window.drawn = 0;
  const draw = pen.drawImage.bind(pen);
  let counted = false;
  pen.drawImage = (...all) => {
    draw(...all);
    if (!counted) { counted = true; window.drawn += 1; queueMicrotask(() => { counted = false; }); }
  };
  window.colour = () => pen.getImageData(20, 20, 1, 1).data[0];
  window.sawAt = (bright) => new Promise((done, fail) => {
    const end = performance.now() + 30000;
    const look = () => {
      if ((window.colour() > 127) === bright) done(performance.timeOrigin + performance.now());
      else if (performance.now() > end) fail(new Error("a flash was never seen"));
      else setTimeout(look, 1);
    };
    look();
  });
  window.stopAt = () => {
    const at = performance.timeOrigin + performance.now();
    document.querySelector("#stop").click();
    return at;
  };
})()"""


@dataclass
class Bench:
    """The server, the page, the display."""

    page: Page
    http: httpx.Client
    session: str
    display: str
    lease: str = ""

    def post(self, what: str, **body: object) -> None:
        """Send a command; a lease in the answer is kept."""
        path = f"/v1/sessions/{self.session}/{what}"
        answer = self.http.post(path, json=body, headers={"X-Eyehand-Lease": self.lease})
        answer.raise_for_status()
        self.lease = answer.json().get("lease", self.lease)

    def becomes(self, state: str) -> None:
        """Wait for a state."""
        path = f"/v1/sessions/{self.session}"
        until(lambda: self.http.get(path).json()["state"] == state, f"the session to be {state}")


def until(condition: Callable[[], object], what: str, pause: float = 0.01) -> None:
    """Wait for it.

    Raises:
        TimeoutError: in vain.
    """
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {PATIENCE:g} s in vain for {what}")
        time.sleep(pause)


@contextmanager
def bench() -> Iterator[Bench]:
    """Everything started, and taken down again."""
    with (
        VirtualDisplay(SIZE) as virtual,
        tempfile.TemporaryDirectory() as folder,
    ):

        def desk(wish: Wish) -> Desk:
            screen, moves = Screen(virtual.name), motion(virtual.name)
            backend = X11Backend(virtual.name)

            def close() -> None:
                backend.close()
                moves.close()
                screen.close()

            return Desk("virtual", screen, moves, backend, False, close)

        settings = Settings(port=0, control=ControlSettings(Path(folder), lease=600))
        policy = ScriptedPolicy(DRAGS)
        listener = bind(settings)
        server = prepare(Backend("b", policy, PolicyChat(policy, 4096)), settings, TOKEN, desk)
        spare_the_collector()  # as `eyehand serve` does
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {TOKEN.secret}"}, timeout=60
        )
        try:
            session = http.post("/v1/sessions", json={}).json()["id"]
            with page(f"{url}/console/#token={TOKEN.secret}", 1360, 860) as console:
                shown = f"document.querySelector('#canvas')?.width === {SIZE.width}"
                until(lambda: console.evaluate(shown), "the first picture", 0.1)
                console.evaluate(PROBE)
                yield Bench(console, http, session, virtual.name)
        finally:
            http.close()
            server.should_exit = True
            thread.join()
            listener.close()


def frames(bench: Bench, width: int, height: int, seconds: float) -> float:
    """Pictures per second that the console draws while an area changes 30 times a second."""
    painter, over = Painter(bench.display, width, height), threading.Event()

    def work() -> None:
        number = 0
        while not over.wait(1 / 30):
            number += 1
            painter.paint(number)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        time.sleep(2)
        first, begun = bench.page.evaluate("window.drawn"), time.perf_counter()
        time.sleep(seconds)
        last = bench.page.evaluate("window.drawn")
        return float(last - first) / (time.perf_counter() - begun)
    finally:
        over.set()
        thread.join()
        painter.close()


def glass(bench: Bench, width: int, height: int, flashes: int) -> list[float]:
    """Milliseconds from a change of an area to the same change on the canvas."""
    painter, times = Painter(bench.display, width, height), []
    painter.fill(False)
    bench.page.evaluate("window.sawAt(false)")
    for number in range(flashes):
        bright = number % 2 == 0
        waiting = f"window.seen = window.sawAt({str(bright).lower()}); 0"
        bench.page.evaluate(waiting)
        time.sleep(0.05 + 0.013 * (number % 7))
        begun = time.time()
        painter.fill(bright)
        times.append(bench.page.evaluate("window.seen") - begun * 1000)
    painter.close()
    return times


def stops(bench: Bench, count: int) -> tuple[list[float], int]:
    """Milliseconds from the click on Stop to the last event, and buttons held at the end."""
    events, times = Events(bench.display), []
    bench.post("lease")
    try:
        for number in range(count):
            bench.post("run", instruction="drag for ever", max_steps=1000)
            until(lambda: events.held, "a drag", 0.001)
            time.sleep(0.007 * (number % 9))
            until(lambda: bench.page.evaluate("!document.querySelector('#stop').disabled"), "Stop")
            until(lambda: events.held, "a drag", 0.001)
            clicked = bench.page.evaluate("window.stopAt()")
            bench.becomes("idle")
            time.sleep(0.1)
            times.append(events.last * 1000 - clicked)
        return times, events.held
    finally:
        events.close()


def idle(bench: Bench) -> float:
    """Share of a core that this process spends while a console watches a still screen."""
    time.sleep(1)
    begun, spent = time.perf_counter(), time.process_time()
    time.sleep(5)
    return (time.process_time() - spent) / (time.perf_counter() - begun)


def row(values: list[float]) -> str:
    """Median, 95th percentile and largest."""
    ordered = sorted(values)
    late = ordered[int(0.95 * (len(ordered) - 1))]
    middle, last = statistics.median(ordered), ordered[-1]
    return f"p50 {middle:.0f} ms, p95 {late:.0f} ms, max {last:.0f} ms"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few of each, to see that it works")
    quick = parser.parse_args().quick
    seconds, flashes, halts = (1.0, 4, 3) if quick else (5.0, 30, 200)
    faulthandler.dump_traceback_later(LAST_RESORT, exit=True)
    load = os.getloadavg()[0]
    table = Table("1920x1080, console in Chromium", "measured", "target")
    with bench() as running:
        table.add_row(
            "whole screen changes, 30/s",
            f"{frames(running, 1920, 1080, seconds):.1f} frames/s",
            ">= 10",
        )
        table.add_row(
            "640x480 of it changes, 30/s",
            f"{frames(running, 640, 480, seconds):.1f} frames/s",
            ">= 10",
        )
        for what, width, height in (("a patch", 200, 200), ("the whole screen", *SIZE)):
            times = glass(running, width, height, flashes)
            table.add_row(f"glass to glass, {what}", row(times), "<= 150 ms")
        table.add_row("CPU while nothing changes", f"{idle(running):.1%} of a core", "")
        times, held = stops(running, halts)
        table.add_row("Stop to last event", row(times), "<= 100 ms")
        table.add_row("buttons held after all stops", str(held), "0")
    Console(width=100).print(table)
    Console(width=100).print(f"load before: {load:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
