"""Wayland: a real Sway, real programs, and compositors that lack what we need."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

import pytest

from actions.backends.base import BackendError
from actions.backends.wayland import WaylandBackend
from actions.executor import Executor
from actions.receipt import Outcome
from actions.space import Click, Drag, Hotkey, Navigate, Scroll, Swipe, Type
from actions.space import Direction as Way
from agent.environments.browser import find_program
from tests.actions.page_stage import journalling_server
from tests.actions.wayland_stage import open_sway, open_wayland_stage
from vision.capture import CaptureError
from vision.geometry import Point
from vision.wayland import Compositor, WaylandError
from vision.wayland_screen import WaylandScreen

if TYPE_CHECKING:
    from tests.actions.wayland_stage import WaylandStage

BARE = Path(__file__).with_name("bare_compositor.py")
MIXED = "Grüße! Съешь 敏捷的 نص 😀👩‍💻 ~^{}|\\"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def compositor(wayland_stage: WaylandStage) -> Iterator[Compositor]:
    with Compositor(wayland_stage.display) as opened:
        yield opened


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[str]:
    """The socket of a compositor without the protocols of wlroots."""
    with subprocess.Popen(
        [sys.executable, BARE, "bare-0"], stdout=subprocess.PIPE, text=True,
        env={"XDG_RUNTIME_DIR": str(tmp_path)},
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield str(tmp_path / "bare-0")
        process.terminate()


def test_the_executor_tells_the_truth_on_a_real_window(compositor: Compositor) -> None:
    """The client's left half shows presses, its right half shows nothing."""
    with WaylandBackend(compositor) as backend:
        executor = Executor(backend, WaylandScreen(compositor))
        outcomes = [
            executor.perform(action).outcome
            for action in (
                Click(Point(60, 60)),
                Click(Point(500, 60)),
                Type("ж"),
                Scroll(Way.DOWN, Point(500, 100)),
            )
        ]
    yes, no = Outcome.CONFIRMED, Outcome.NO_VISIBLE_EFFECT
    assert outcomes == [yes, no, yes, no]


def test_text_with_more_characters_than_a_keyboard_has_keys(
    wayland_stage: WaylandStage, compositor: Compositor
) -> None:
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 300))) + "\n" + MIXED
    with WaylandBackend(compositor) as backend:
        backend.type_text(text)
        events = wayland_stage.received()
    typed = [event["text"] for event in events if event["event"] == "key_down"]
    assert "".join(typed).replace("\r", "\n") == text


def test_a_key_that_a_us_keyboard_lacks(
    wayland_stage: WaylandStage, compositor: Compositor
) -> None:
    """The first key after opening: programs have yet to bind to the keyboard that just came."""
    with WaylandBackend(compositor) as backend:
        Executor(backend).perform(Hotkey(("ctrl", "ж")))
        events = [e for e in wayland_stage.received() if e["event"] == "key_down"]
    keys = [(event["key"], event["mods"]) for event in events]
    assert keys == [("Control_L", ["ctrl"]), ("U0436", ["ctrl"])]


def test_a_drag_arrives_as_press_path_and_release(
    wayland_stage: WaylandStage, compositor: Compositor
) -> None:
    with WaylandBackend(compositor) as backend:
        Executor(backend).perform(Drag(Point(0, 0), Point(639, 479)))
        events = wayland_stage.received()
    kinds = [event["event"] for event in events]
    start, end = kinds.index("button_down"), kinds.index("button_up")
    assert [(events[i]["x"], events[i]["y"]) for i in (start, end)] == [(0, 0), (639, 479)]
    assert end - start > 8


def test_chromium_reads_what_was_typed_and_where_was_clicked(tmp_path: Path) -> None:
    """A program of the real world, with a toolkit and a keyboard of its own."""
    journal = tmp_path / "page.jsonl"
    with ExitStack() as stack:
        url = stack.enter_context(journalling_server(journal))
        env = stack.enter_context(open_sway())
        flags = [
            "--ozone-platform=wayland", "--kiosk", f"--app={url}", "--no-first-run", "--no-sandbox",
            "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
        ]  # fmt: skip
        chromium = subprocess.Popen(
            [find_program(), *flags], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        stack.callback(chromium.wait)
        stack.callback(chromium.terminate)
        compositor = stack.enter_context(Compositor(env["WAYLAND_DISPLAY"]))
        backend = stack.enter_context(WaylandBackend(compositor))
        executor = Executor(backend, WaylandScreen(compositor))
        until(lambda: "ready" in journal.read_text())
        assert executor.perform(Click(Point(60, 60))).outcome is Outcome.CONFIRMED
        # Chromium 156 cuts keys beyond U+FFFF to 16 bits; the client of the other tests does not.
        plain = "".join(char for char in MIXED if ord(char) <= 0xFFFF)
        executor.perform(Type(plain + "."))
        until(lambda: '"text":"."' in journal.read_text())
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    pressed = [(e["x"], e["y"]) for e in events if e["event"] == "button_down"]
    assert pressed == [(60, 60)]
    assert "".join(e["text"] for e in events if e["event"] == "text") == plain + "."


def test_what_the_compositor_lacks_is_named(bare: str) -> None:
    with Compositor(bare) as compositor:
        with pytest.raises(BackendError, match=r"wlr-virtual-pointer-unstable-v1.*use Sway"):
            WaylandBackend(compositor)
        with pytest.raises(CaptureError, match=r"wlr-screencopy-unstable-v1.*use Sway"):
            WaylandScreen(compositor)


def test_no_compositor_names_the_fix(tmp_path: Path) -> None:
    with pytest.raises(WaylandError, match="WAYLAND_DISPLAY"):
        Compositor(str(tmp_path / "nothing"))


@pytest.mark.parametrize("action", [Navigate, Swipe])
def test_what_a_desktop_cannot_do_is_not_promised(compositor: Compositor, action: type) -> None:
    with WaylandBackend(compositor) as backend:
        assert not backend.supports(action)


def test_a_lost_compositor_is_an_error_and_closing_still_works() -> None:
    with open_sway() as env:
        compositor = Compositor(env["WAYLAND_DISPLAY"])
        backend, screen = WaylandBackend(compositor), WaylandScreen(compositor)
        backend.key_down("ctrl")
    for broken in (
        lambda: backend.move(Point(1, 1)),
        lambda: backend.key_up("ctrl"),
        lambda: backend.type_text("ж"),
    ):
        with pytest.raises(BackendError, match="compositor is gone"):
            broken()
    with pytest.raises(CaptureError, match="compositor is gone"):
        screen.grab()
    backend.release_all()
    for closable in (backend, compositor):
        closable.close()
        closable.close()
    with pytest.raises(BackendError, match="cannot send"):
        backend.move(Point(1, 1))


def test_a_compositor_lost_in_the_middle_of_typing_is_one_clear_failure() -> None:
    with ExitStack() as sways:
        env = sways.enter_context(open_sway())
        with (
            Compositor(env["WAYLAND_DISPLAY"]) as compositor,
            WaylandBackend(compositor) as backend,
        ):
            executor = Executor(backend)
            Timer(0.3, sways.close).start()
            receipt = executor.perform(Type("Жук " * 20_000))
            again = executor.perform(Click(Point(5, 5)))
    assert receipt.outcome is again.outcome is Outcome.FAILED
    assert "the compositor is gone" in receipt.message


def test_a_window_that_closed_since_it_was_seen_is_not_clicked_through(tmp_path: Path) -> None:
    with open_wayland_stage(tmp_path) as stage, Compositor(stage.display) as compositor:
        screen = WaylandScreen(compositor)
        with WaylandBackend(compositor) as backend:
            seen = screen.grab()
            stage.app.terminate()
            stage.app.wait()
            receipt = Executor(backend, screen).perform(Click(Point(60, 60)), seen)
    assert receipt.outcome is Outcome.REFUSED
    assert "looks different" in receipt.message


HOLDER = """
import sys, time
from actions.backends.wayland import WaylandBackend
from actions.space import Button
from vision.geometry import Point
from vision.wayland import Compositor

with Compositor(sys.argv[1]) as compositor:
    backend = WaylandBackend(compositor)
    backend.move(Point(500, 300))
    for button in Button.LEFT, Button.RIGHT:
        backend.button_down(button)
    for key in ("shift", "a"):
        backend.key_down(key)
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_leaves_nothing_pressed(
    wayland_stage: WaylandStage, number: signal.Signals
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, wayland_stage.display], stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, start_new_session=True,
    )  # fmt: skip
    assert child.stdout is not None and child.stdout.readline() == b"ready\n"
    downs = [e for e in wayland_stage.received() if e["event"].endswith("_down")]
    assert len(downs) == 4
    os.killpg(child.pid, number)
    child.communicate()
    ups: list[dict[str, Any]] = []
    deadline = time.monotonic() + 10
    while len(ups) < 4 and time.monotonic() < deadline:
        ups += [e for e in wayland_stage.received() if e["event"].endswith("_up")]
    assert {e.get("button") for e in ups} >= {1, 3}
    assert {e.get("key") for e in ups} >= {"A", "Shift_L"}
