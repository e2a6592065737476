from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mss
import pytest
from Xlib import X
from Xlib.display import Display

from agent.environments.display import DisplayError, VirtualDisplay
from vision.geometry import Size


@contextmanager
def path(folder: Path) -> Iterator[None]:
    before = os.environ["PATH"]
    os.environ["PATH"] = str(folder)
    try:
        yield
    finally:
        os.environ["PATH"] = before


def children() -> str:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text()


def test_the_display_has_the_size_that_was_asked_for() -> None:
    display = VirtualDisplay(Size(160, 210), window_manager=False)
    with display, mss.MSS(display=display.name) as camera:
        assert camera.monitors[0]["width"] == 160
        assert camera.monitors[0]["height"] == 210


def test_the_environment_is_for_children_only(display: VirtualDisplay) -> None:
    assert display.env["DISPLAY"] == display.name
    assert Path(display.env["XAUTHORITY"]).exists()
    assert os.environ.get("DISPLAY") != display.name


def test_programs_do_not_slip_away_to_wayland(display: VirtualDisplay) -> None:
    os.environ["WAYLAND_DISPLAY"] = "wayland-0"
    try:
        assert "WAYLAND_DISPLAY" not in display.env
        assert display.env["XDG_SESSION_TYPE"] == "x11"
    finally:
        del os.environ["WAYLAND_DISPLAY"]


def test_a_child_process_finds_the_display(display: VirtualDisplay) -> None:
    code = "from Xlib.display import Display; print(Display().screen().width_in_pixels)"
    said = subprocess.run([sys.executable, "-c", code], env=display.env, capture_output=True)
    assert said.stdout.splitlines()[-1] == b"640"


def test_only_this_user_is_let_in(display: VirtualDisplay) -> None:
    client = Display(display.name)
    try:
        answer = client.list_hosts()
    finally:
        client.close()
    assert answer.mode == X.EnableAccess
    assert [bytes(host.name) for host in answer.hosts] == [f"localuser\0#{os.geteuid()}".encode()]


def test_two_displays_live_side_by_side(display: VirtualDisplay) -> None:
    with VirtualDisplay(window_manager=False) as other:
        assert other.name != display.name


def test_windows_get_the_focus_and_no_decoration(display: VirtualDisplay) -> None:
    client = Display(display.name)
    try:
        window = client.screen().root.create_window(
            0, 0, 200, 100, 0, client.screen().root_depth, event_mask=X.FocusChangeMask
        )
        window.map()
        event = client.next_event()
        while event.type != X.FocusIn:
            event = client.next_event()
        frame = window.query_tree().parent.get_geometry()
        assert (frame.width, frame.height) == (200, 100)
        window.destroy()
        client.sync()
    finally:
        client.close()


def test_its_processes_end_with_it() -> None:
    before = children()
    with VirtualDisplay() as display:
        assert children() != before
    assert children() == before
    with pytest.raises(DisplayError, match=r"expected an open display"):
        _ = display.name


def test_a_missing_server_is_named_with_its_package(tmp_path: Path) -> None:
    with path(tmp_path), pytest.raises(DisplayError, match=r"Xvfb.*apt-get install xvfb"):
        VirtualDisplay().__enter__()


def test_a_missing_window_manager_ends_the_server_too(tmp_path: Path) -> None:
    (tmp_path / "Xvfb").symlink_to(shutil.which("Xvfb") or "")
    before = children()
    with path(tmp_path), pytest.raises(DisplayError, match=r"openbox.*apt-get install openbox"):
        VirtualDisplay().__enter__()
    assert children() == before


def test_a_server_that_cannot_start_says_why() -> None:
    with pytest.raises(DisplayError, match=r"Xvfb did not start .exit status"):
        VirtualDisplay(Size(0, 0)).__enter__()
