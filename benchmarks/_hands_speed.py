"""How soon an event arrives, what a picture costs, and how soon a killed process is cleaned up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from actions.backends.x11 import X11Backend
from actions.space import Button
from agent.environments.display import VirtualDisplay
from benchmarks._hands_sheet import Sheet, rounds
from tests.actions.conftest import Stage, open_stage
from tests.actions.page_stage import PageStage, open_page_stage
from tests.actions.wayland_stage import WaylandStage, open_wayland_stage
from vision.geometry import Point, Size

COLUMNS = ("what", "tries", "p50", "p99", "PyAutoGUI p50", "ratio")
TRIES = 300
_LATE_SECONDS = 10.0
"""What takes longer than that does not happen at all."""
_START_SECONDS = 60.0
"""Torch takes its time to come up."""

_RUN = """
import signal, sys, time
from agent.stopping import announced

def stop(*_):
    print(time.time(), flush=True)
    sys.exit()

with announced():
    signal.signal(signal.SIGINT, stop)
    print("ready", flush=True)
    time.sleep(60)
"""
_PRESSES = """
backend.move(Point(500, 200))
backend.button_down(Button.LEFT)
for key in ("shift", "a"):
    backend.key_down(key)
print("ready", flush=True)
time.sleep(60)
"""
_PAGE_HOLDER = f"""
import sys, time
from actions.backends.cdp import CdpBackend
from actions.space import Button
from vision.cdp import CdpPage
from vision.geometry import Point

backend = CdpBackend(CdpPage(sys.argv[1]))
{_PRESSES}
"""
_WAYLAND_HOLDER = f"""
import sys, time
from actions.backends.wayland import WaylandBackend
from actions.space import Button
from vision.geometry import Point
from vision.wayland import Compositor

backend = WaylandBackend(Compositor(sys.argv[1]))
{_PRESSES}
"""
_HOLDER = """
import sys, time
from actions.backends.x11 import X11Backend
from actions.space import Button

backend = X11Backend(sys.argv[1])
backend.button_down(Button.LEFT)
for key in ("shift", "ж"):
    backend.key_down(key)
print("ready", flush=True)
time.sleep(60)
"""


def measure(sheet: Sheet, seconds: float) -> None:
    """Rows with p50, p99 and, where there is one, the rival."""
    with tempfile.TemporaryDirectory() as folder, open_stage(Path(folder), Size(640, 480)) as stage:
        sheet.row("key sent to received", seconds * 0.2, lambda: _keys(stage, seconds * 0.2))
        sheet.row("button sent to received", seconds * 0.2, lambda: _presses(stage, seconds * 0.2))
        sheet.row(
            "kill -9 to released and remapped", seconds * 0.2, lambda: _kills(stage, seconds * 0.2)
        )
    _measure_kills_elsewhere(sheet, seconds * 0.1)
    sheet.row("eyehand stop to SIGINT", seconds * 0.1, lambda: _commands(seconds * 0.1))
    sheet.row(
        "1080p screen to tensor", seconds * 0.2 + _START_SECONDS, lambda: _captures(seconds * 0.2)
    )


def _measure_kills_elsewhere(sheet: Sheet, seconds: float) -> None:
    """The rows for a page and for Wayland."""
    with tempfile.TemporaryDirectory() as folder:
        with open_page_stage(Path(folder), Size(640, 480)) as page:
            sheet.row(
                "kill -9 to released, page", seconds,
                lambda: _kills_elsewhere(page, _PAGE_HOLDER, page.address, seconds),
            )  # fmt: skip
        with open_wayland_stage(Path(folder)) as sway:
            sheet.row(
                "kill -9 to released, Sway", seconds,
                lambda: _kills_elsewhere(sway, _WAYLAND_HOLDER, sway.display, seconds),
            )  # fmt: skip


def _percentiles(seconds: list[float]) -> tuple[str, str, str]:
    ordered = sorted(seconds)
    worst = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return str(len(ordered)), f"{median(ordered) * 1000:.1f} ms", f"{worst * 1000:.1f} ms"


def _keys(stage: Stage, seconds: float) -> tuple[str, ...]:
    with X11Backend(stage.name) as backend:

        def send() -> None:
            backend.key_down("a")
            backend.key_up("a")

        return _percentiles(_latency(stage, backend, "key_down", send, seconds))


def _presses(stage: Stage, seconds: float) -> tuple[str, ...]:
    with X11Backend(stage.name) as backend:

        def send() -> None:
            backend.button_down(Button.LEFT)
            backend.button_up(Button.LEFT)

        return _percentiles(_latency(stage, backend, "button_down", send, seconds))


def _latency(
    stage: Stage, backend: X11Backend, event: str, send: Callable[[], None], seconds: float
) -> list[float]:
    """From before it was sent to the moment that the app noted it."""
    backend.move(Point(500, 200))
    stage.calm()
    sent = []
    for _ in rounds(TRIES, seconds):
        sent.append(time.time())
        send()
        time.sleep(0.01)
    arrived = [each["time"] for each in stage.received() if each["event"] == event]
    return [there - here for here, there in zip(sent, arrived, strict=True)]


def _kills(stage: Stage, seconds: float) -> tuple[str, ...]:
    """From kill -9, while a button, Shift and a remapped key are down, to everything as it was."""
    spent = [_kill(stage) for _ in rounds(TRIES, seconds)]
    stage.received()
    return _percentiles(spent)


def _kill(stage: Stage) -> float:
    usual = stage.mapping()
    child = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, stage.name], stdout=subprocess.PIPE, env=os.environ
    )
    try:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        assert stage.mapping() != usual
        begun = time.monotonic()
        child.send_signal(signal.SIGKILL)
        while stage.pressed() != ([], 0) or stage.mapping() != usual:
            assert time.monotonic() - begun < _LATE_SECONDS, "not undone"
            time.sleep(0.002)
        return time.monotonic() - begun
    finally:
        child.kill()
        child.communicate()


def _kills_elsewhere(
    stage: PageStage | WaylandStage, holder: str, address: str, seconds: float
) -> tuple[str, ...]:
    """From kill -9, while a button and two keys are down, to the last of their releases."""
    spent = []
    for _ in rounds(TRIES, seconds):
        child = subprocess.Popen([sys.executable, "-c", holder, address], stdout=subprocess.PIPE)
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        stage.received()
        begun, ups = time.time(), list[float]()
        child.kill()
        child.communicate()
        while len(ups) < 3:
            assert time.time() - begun < _LATE_SECONDS, "not undone"
            ups += [e["time"] for e in stage.received() if e["event"].endswith("_up")]
        spent.append(max(ups) - begun)
    return _percentiles(spent)


def _commands(seconds: float) -> tuple[str, ...]:
    """From starting the command, Python and all, to the signal that the run receives."""
    spent = []
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "XDG_RUNTIME_DIR": folder}
        for _ in rounds(TRIES, seconds):
            run = subprocess.Popen(
                [sys.executable, "-c", _RUN], stdout=subprocess.PIPE, text=True, env=env
            )
            assert run.stdout is not None and run.stdout.readline() == "ready\n"
            begun = time.time()
            stop = [sys.executable, "-m", "agent", "stop"]
            subprocess.run(stop, env=env, stdout=subprocess.DEVNULL, check=True)
            spent.append(float(run.communicate()[0]) - begun)
    return _percentiles(spent)


def _captures(seconds: float) -> tuple[str, ...]:
    with VirtualDisplay(Size(1920, 1080)) as display:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks._hands_camera", str(TRIES), str(seconds)],
            env=display.env, stdout=subprocess.PIPE, check=True, timeout=seconds + _START_SECONDS,
        )  # fmt: skip
    spent = json.loads(done.stdout)
    ours, theirs = spent["ours"], spent["PyAutoGUI"]
    rival = median(theirs)
    return *_percentiles(ours), f"{rival * 1000:.1f} ms", f"{rival / median(ours):.1f}x"
