"""What a process that is killed leaves pressed on a real display."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from actions.backends.base import BackendError
from actions.backends.x11 import X11Backend
from actions.space import Button
from agent.environments.display import VirtualDisplay
from vision.geometry import Point, Size

if TYPE_CHECKING:
    from tests.actions.conftest import Stage

HOLDER = """
import sys, time
from actions.backends.x11 import X11Backend
from actions.space import Button
from vision.geometry import Point

backend = X11Backend(sys.argv[1])
backend.move(Point(320, 240))
backend.button_down(Button.LEFT)
for key in ("shift", "ж"):
    backend.key_down(key)
print("ready", flush=True)
time.sleep(60)
"""

TYPIST = """
import sys
from actions.backends.x11 import X11Backend

backend = X11Backend(sys.argv[1])
backend.key_down("shift")
backend.key_up("shift")
print("ready", flush=True)
backend.type_text("Привет, мир! " * 1000)
"""


def start(program: str, display: str) -> subprocess.Popen[bytes]:
    """Run it in a process group of its own until it says that it is ready."""
    child = subprocess.Popen(
        [sys.executable, "-c", program, display],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    return child


def end(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """A signal to the child and its whole group."""
    os.killpg(child.pid, number)
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


def mapping_becomes(stage: Stage, expected: list[list[int]]) -> bool:
    deadline = time.monotonic() + 10
    while stage.mapping() != expected and time.monotonic() < deadline:
        time.sleep(0.01)
    return stage.mapping() == expected


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_leaves_nothing_pressed_or_remapped(
    stage: Stage, number: signal.Signals
) -> None:
    usual = stage.mapping()
    child = start(HOLDER, stage.name)
    keycodes, mask = stage.pressed()
    assert len(keycodes) == 2
    assert mask
    assert stage.mapping() != usual
    end(child, number)
    assert stage.becomes_free()
    assert mapping_becomes(stage, usual)


def test_a_process_killed_while_it_types_leaves_nothing(stage: Stage) -> None:
    usual = stage.mapping()
    child = start(TYPIST, stage.name)
    while stage.mapping() == usual:
        time.sleep(0.001)
    end(child, signal.SIGKILL)
    assert mapping_becomes(stage, usual)
    assert stage.becomes_free()


def test_what_is_released_in_order_is_not_released_again(stage: Stage) -> None:
    with X11Backend(stage.name) as backend:
        backend.move(Point(320, 240))
        backend.button_down(Button.LEFT)
        backend.button_up(Button.LEFT)
    kinds = [event["event"] for event in stage.received()]
    assert kinds.count("button_up") == 1


def test_a_lost_display_leaves_no_watchdog_behind(capfd: pytest.CaptureFixture[str]) -> None:
    with VirtualDisplay(Size(64, 48), window_manager=False) as virtual:
        backend = X11Backend(virtual.name)
        backend.key_down("ж")
    with pytest.raises(BackendError):
        backend.move(Point(1, 1))
    backend.close()
    assert capfd.readouterr() == ("", "")
