"""How soon an event arrives, what a picture costs, and how soon a killed process is cleaned up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from rich.table import Table

from actions.backends.x11 import X11Backend
from actions.space import Button
from agent.environments.display import VirtualDisplay
from tests.actions.conftest import Stage, open_stage
from vision.geometry import Point, Size

_CAPTURE = """
import json, sys, time
import numpy, pyautogui, torch
from vision.capture import Screen

spent = {"ours": [], "PyAutoGUI": []}
with Screen() as screen:
    for _ in range(int(sys.argv[1])):
        begun = time.perf_counter()
        ours = torch.from_numpy(screen.grab().pixels)
        middle = time.perf_counter()
        theirs = torch.from_numpy(numpy.array(pyautogui.screenshot()))
        spent["ours"].append(middle - begun)
        spent["PyAutoGUI"].append(time.perf_counter() - middle)
assert ours.shape == theirs.shape == (1080, 1920, 3), (ours.shape, theirs.shape)
json.dump(spent, sys.stdout)
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


def measure(tries: int) -> Table:
    """Rows with p50, p99 and, where there is one, the rival."""
    table = Table("what", "p50", "p99", "PyAutoGUI p50", "ratio", title="speed", box=None)
    with tempfile.TemporaryDirectory() as folder, open_stage(Path(folder), Size(640, 480)) as stage:
        with X11Backend(stage.name) as backend:
            keys, presses = _latency(stage, backend, tries)
        table.add_row("key sent to received", *_percentiles(keys))
        table.add_row("button sent to received", *_percentiles(presses))
        table.add_row("kill -9 to released and remapped", *_percentiles(_kills(stage, tries // 20)))
    ours, theirs = _captures(tries // 10)
    ratio = f"{median(theirs) / median(ours):.1f}x"
    table.add_row(
        "1080p screen to tensor", *_percentiles(ours), f"{median(theirs) * 1000:.1f} ms", ratio
    )
    return table


def _percentiles(seconds: list[float]) -> tuple[str, str]:
    ordered = sorted(seconds)
    worst = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"{median(ordered) * 1000:.1f} ms", f"{worst * 1000:.1f} ms"


def _latency(stage: Stage, backend: X11Backend, tries: int) -> tuple[list[float], list[float]]:
    backend.move(Point(500, 200))
    stage.received()
    sent: dict[str, list[float]] = {"key_down": [], "button_down": []}
    for _ in range(tries):
        sent["key_down"].append(time.time())
        backend.key_down("a")
        backend.key_up("a")
        time.sleep(0.01)
        sent["button_down"].append(time.time())
        backend.button_down(Button.LEFT)
        backend.button_up(Button.LEFT)
        time.sleep(0.01)
    events = stage.received()
    found = []
    for name, moments in sent.items():
        arrived = [event["time"] for event in events if event["event"] == name]
        found.append([there - here for here, there in zip(moments, arrived, strict=True)])
    return found[0], found[1]


def _kills(stage: Stage, tries: int) -> list[float]:
    """From kill -9, while a button, Shift and a remapped key are down, to everything as it was."""
    usual, spent = stage.mapping(), []
    for _ in range(tries):
        child = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, stage.name], stdout=subprocess.PIPE, env=os.environ
        )
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        assert stage.mapping() != usual
        begun = time.monotonic()
        child.send_signal(signal.SIGKILL)
        while stage.pressed() != ([], 0) or stage.mapping() != usual:
            time.sleep(0.002)
        spent.append(time.monotonic() - begun)
        child.wait()
        child.stdout.close()
    stage.received()
    return spent


def _captures(tries: int) -> tuple[list[float], list[float]]:
    with VirtualDisplay(Size(1920, 1080)) as display:
        done = subprocess.run(
            [sys.executable, "-c", _CAPTURE, str(tries)],
            env=display.env, stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
    spent = json.loads(done.stdout)
    return spent["ours"], spent["PyAutoGUI"]
