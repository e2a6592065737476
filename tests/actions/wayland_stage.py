"""A Sway without a screen, and the journalling client on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

APP = Path(__file__).with_name("journal_wayland.py")
ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 20
NOBODY = 65534
"""Sway refuses to run as root, as which containers run."""

Placed = tuple[str, float]
"""The mode and place of an output, as in "640x480 0,0", and its scale."""


@dataclass(frozen=True)
class WaylandStage:
    """A compositor, and the client on it.

    Attributes:
        display: the compositor's socket.
        journal: the file that the client writes.
        app: the client.
        env: for programs that shall appear on it.
    """

    display: str
    journal: Path
    app: subprocess.Popen[str]
    env: dict[str, str]

    def received(self) -> list[dict[str, Any]]:
        """What the client received since the last call; everything sent before is in it."""
        assert self.app.stdin is not None
        self.app.stdin.write("\n")
        self.app.stdin.flush()
        deadline = time.monotonic() + PATIENCE_SECONDS
        # Perhaps not as the last line: what others do, such as a watchdog, may come after it.
        while '"flush"' not in (text := self.journal.read_text()):
            assert time.monotonic() < deadline and self.app.poll() is None, "the client hangs"
            time.sleep(0.002)
        self.journal.write_text("")
        events = [json.loads(line) for line in text.splitlines()]
        return [event for event in events if event["event"] not in ("ready", "flush")]


@contextmanager
def open_sway(outputs: Sequence[Placed] = (("640x480 0,0", 1),)) -> Iterator[dict[str, str]]:
    """A Sway with these outputs; the environment for its clients."""
    with tempfile.TemporaryDirectory("-eyehand-sway") as name:
        folder = Path(name)
        config = folder / "config"
        config.write_text(_config(outputs))
        ids = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        if ids:
            os.chown(folder, NOBODY, NOBODY)
        folder.chmod(0o700)
        env = {"PATH": os.environ["PATH"], "HOME": name, "XDG_RUNTIME_DIR": name}
        headless = {"WLR_BACKENDS": "headless", "WLR_RENDERER": "pixman"}
        many = {"WLR_LIBINPUT_NO_DEVICES": "1", "WLR_HEADLESS_OUTPUTS": str(len(outputs))}
        with (folder / "log").open("wb") as log:
            sway = subprocess.Popen(
                ["sway", "--config", str(config)], env=env | headless | many, cwd=name,
                stdout=log, stderr=log, **ids,
            )  # fmt: skip
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not (sockets := [p for p in folder.glob("wayland-*") if p.is_socket()]):
                assert sway.poll() is None and time.monotonic() < deadline, (
                    f"sway did not start: {(folder / 'log').read_text()}"
                )
                time.sleep(0.01)
            while not _are_in_use(folder, len(outputs)):
                assert time.monotonic() < deadline, "the outputs do not come up"
                time.sleep(0.05)
            yield env | {"WAYLAND_DISPLAY": str(sockets[0])}
        finally:
            sway.terminate()
            sway.wait(PATIENCE_SECONDS)


def _are_in_use(folder: Path, count: int) -> bool:
    """Whether every output shows its own workspace; a window for one that does not goes elsewhere.

    Sway makes its outputs first, and reads where they shall be afterwards.
    """
    for ipc in folder.glob("sway-ipc.*.sock"):
        asked = ["swaymsg", "--raw", "--socket", str(ipc), "--type", "get_outputs"]
        answer = subprocess.run(asked, capture_output=True, timeout=PATIENCE_SECONDS)
        known = json.loads(answer.stdout or b"[]")
        shown = {output["name"]: output.get("current_workspace") for output in known}
        return shown == {f"HEADLESS-{number}": str(number) for number in range(1, count + 1)}
    return False


def _config(outputs: Sequence[Placed]) -> str:
    lines = ["xwayland disable", "default_border none", "focus_follows_mouse no"]
    for number, (placed, scale) in enumerate(outputs, 1):
        mode, place = placed.split()
        where = place.replace(",", " ")
        lines.append(f"output HEADLESS-{number} mode {mode} position {where} scale {scale}")
        lines.append(f"workspace {number} output HEADLESS-{number}")
        # Alone on its workspace a window fills it. When two ask for the full screen at once, sway
        # 1.7 sometimes goes on showing one output as it was.
        lines.append(f'assign [title="^HEADLESS-{number}$"] workspace number {number}')
    return "\n".join(lines) + "\n"


@contextmanager
def open_wayland_stage(
    folder: Path, outputs: Sequence[Placed] = (("640x480 0,0", 1),)
) -> Iterator[WaylandStage]:
    journal = folder / "wayland.jsonl"
    journal.touch()
    with open_sway(outputs) as env:
        app = subprocess.Popen(
            [sys.executable, str(APP), str(journal)], cwd=ROOT, text=True, stdin=subprocess.PIPE,
            env=env | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            stage = WaylandStage(env["WAYLAND_DISPLAY"], journal, app, env)
            while len(stage.journal.read_text()) == 0:
                assert app.poll() is None and time.monotonic() < deadline, "no client came up"
                time.sleep(0.01)
            stage.received()
            yield stage
        finally:
            app.terminate()
            app.communicate()
