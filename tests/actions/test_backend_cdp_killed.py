"""What a process that is killed leaves pressed in a page."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from actions.backends.cdp import CdpBackend
from actions.space import Button
from agent.environments.headless import HeadlessBrowser
from tests.actions.probes import PageProbe
from vision.cdp import CdpPage
from vision.geometry import Point, Size

if TYPE_CHECKING:
    from tests.actions.page_stage import PageStage

CLIENT = """
import sys, time
from vision.cdp import CdpPage

place = {"x": 200, "y": 100, "button": "left", "buttons": 1}
shift = {"key": "Shift", "code": "ShiftLeft", "windowsVirtualKeyCode": 16, "modifiers": 8}
page = CdpPage(sys.argv[1])
page.call("Input.dispatchMouseEvent", type="mousePressed", clickCount=1, **place)
page.call("Input.dispatchKeyEvent", type="rawKeyDown", **shift)
print("ready", flush=True)
time.sleep(60)
"""

HOLDER = """
import sys, time
from actions.backends.cdp import CdpBackend
from actions.space import Button
from vision.cdp import CdpPage
from vision.geometry import Point

backend = CdpBackend(CdpPage(sys.argv[1]))
for key in ("shift", "ж"):
    backend.key_down(key)
backend.move(Point(20, 20))
backend.button_down(Button.RIGHT)
backend.button_up(Button.RIGHT)
backend.button_down(Button.LEFT)
for step in range(1, 6):
    backend.move(Point(20 + 5 * step, 20 + 5 * step))
print("ready", flush=True)
time.sleep(60)
"""

TYPIST = """
import sys
from actions.backends.cdp import CdpBackend
from vision.cdp import CdpPage

backend = CdpBackend(CdpPage(sys.argv[1]))
backend.key_down("shift")
print("ready", flush=True)
backend.type_text("жук " * 5000)
"""


@pytest.fixture
def probe(page_stage: PageStage) -> Iterator[PageProbe]:
    made = PageProbe(page_stage)
    with made.backend:
        yield made


def kill(program: str, address: str, number: int, seconds: float = 0) -> None:
    """Run it until it says that it is ready, and some seconds more."""
    with subprocess.Popen(
        [sys.executable, "-c", program, address],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(seconds)
        child.send_signal(number)


def soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_the_browser_itself_releases_nothing_of_a_client_that_died(page_stage: PageStage) -> None:
    """What the watchdog is for."""
    kill(CLIENT, page_stage.address, signal.SIGKILL)
    time.sleep(0.5)
    kinds = {event["event"] for event in page_stage.received()}
    assert kinds == {"button_down", "key_down"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_leaves_nothing_pressed(
    page_stage: PageStage, probe: PageProbe, number: int
) -> None:
    kill(HOLDER, page_stage.address, number)
    assert soon(probe.is_free)
    assert probe.arrived()[-3:] == [
        ("key_up", "ж", None, None),
        ("key_up", "shift", None, None),
        ("button_up", Button.LEFT, 45, 45),
    ]


def test_a_process_killed_while_it_types_leaves_nothing(
    page_stage: PageStage, probe: PageProbe
) -> None:
    kill(TYPIST, page_stage.address, signal.SIGKILL, seconds=0.3)
    assert soon(probe.is_free)
    assert 0 < len(probe.text()) < 20_000


def test_what_a_killed_process_dragged_keeps_nobody_from_clicking() -> None:
    """A page where something is being dragged hears nothing of the mouse until that has ended."""
    with HeadlessBrowser() as browser, CdpPage(browser.address, Size(320, 240)) as page:
        page.evaluate(
            "log = [];"
            "document.body.innerHTML = '<div draggable=true style=\"height: 9em\">x</div>';"
            "for (const kind of ['dragstart', 'drop', 'dragend', 'mousedown', 'mouseup'])"
            "  addEventListener(kind, event => log.push(kind), true); 0"
        )
        kill(HOLDER, browser.address, signal.SIGKILL)
        assert soon(lambda: "dragend" in page.evaluate("log"))
        assert "drop" not in page.evaluate("log.splice(0)")
        with CdpBackend(page) as backend:
            backend.move(Point(100, 100))
            backend.button_down(Button.LEFT)
            backend.button_up(Button.LEFT)
            assert page.evaluate("log") == ["mousedown", "mouseup"]


def test_what_is_released_in_order_is_not_released_again(page_stage: PageStage) -> None:
    with CdpBackend(page_stage.page) as backend:
        backend.button_down(Button.LEFT)
        backend.key_down("ctrl")
        backend.key_up("ctrl")
        backend.button_up(Button.LEFT)
        backend.type_text("ж")
    kinds = [event["event"] for event in page_stage.received()]
    assert kinds.count("button_up") == 1
    assert kinds.count("key_up") == 2


def test_a_lost_browser_or_page_leaves_no_watchdog_behind(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with HeadlessBrowser() as browser:
        with CdpPage(browser.address) as closed:
            left = CdpBackend(closed)
            left.key_down("ctrl")
            closed.call("Page.close")
            left.close()
        with HeadlessBrowser() as other, CdpPage(other.address) as page:
            backend = CdpBackend(page)
            backend.key_down("ctrl")
        backend.close()
    assert capfd.readouterr() == ("", "")
