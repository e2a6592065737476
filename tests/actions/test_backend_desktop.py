"""PyAutoGUI takes its display once per process, so each test lets another process do the work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.actions.conftest import Stage

SETUP = """
from actions.backends.base import BackendError
from actions.backends.desktop import DesktopBackend
from actions.space import Button, Direction, Navigate, Scroll
from vision.geometry import Point
"""
ROOT = Path(__file__).parents[2]


def run(code: str, env: dict[str, str]) -> str:
    """What the code prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", SETUP + code], env=env, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_does_on_the_default_display_what_every_backend_does(stage: Stage) -> None:
    code = """
with DesktopBackend() as desk:
    desk.move(Point(639, 0))
    assert desk.pointer() == Point(639, 0)
    desk.move(Point(0, 0))
    for button in Button:
        desk.button_down(button)
        desk.button_up(button)
    for direction in Direction:
        desk.scroll(direction, 2)
    for key in ("ctrl", "a", "enter", "super", "menu"):
        desk.key_down(key)
    desk.release_all()
    desk.type_text("Ab! ~")
    assert desk.supports(Scroll) and not desk.supports(Navigate)
    desk.key_down("shift")
    desk.button_down(Button.LEFT)
"""
    run(code, stage.env)
    assert stage.becomes_free()
    events = stage.received()
    places = [(e["x"], e["y"]) for e in events if e["event"] == "motion"]
    assert list(dict.fromkeys(places)) == [(639, 0), (0, 0)]  # PyAutoGUI moves again to press
    buttons = [e["button"] for e in events if e["event"] == "button_down"]
    assert buttons == [1, 2, 3, *(4, 4, 5, 5), *(4, 4, 5, 5), 1]
    keys = [(e["key"], e["text"]) for e in events if e["event"] == "key_down"]
    assert [key for key, _ in keys[:5]] == ["Control_L", "a", "Return", "Super_L", "Menu"]
    assert "".join(text for _, text in keys[5:]) == "Ab! ~"


def test_it_says_what_it_cannot_type_or_press(stage: Stage) -> None:
    code = """
with DesktopBackend() as desk:
    for act, what in (desk.type_text, "aä"), (desk.key_down, "ж"), (desk.key_up, "x y"):
        try:
            act(what)
        except BackendError as error:
            print(error)
"""
    first, second, third = run(code, stage.env).splitlines()[-3:]  # python-xlib chats before
    assert "'ä'" in first
    assert "x11 backend" in first
    assert "no key 'ж'" in second
    assert "expected a key name" in third
    assert stage.received() == []


@pytest.mark.parametrize(
    ("prelude", "change", "fix"),
    [
        ("", {"DISPLAY": None}, "$DISPLAY is not set"),
        ("", {"DISPLAY": ":4321"}, "check $DISPLAY"),
        ("import sys; sys.modules['tkinter'] = None", {}, "apt-get install python3-tk"),
    ],
)
def test_what_pyautogui_lacks_is_named_with_its_fix(
    stage: Stage, prelude: str, change: dict[str, str | None], fix: str
) -> None:
    env = {name: value for name, value in (stage.env | change).items() if value is not None}
    code = f"""
{prelude}
try:
    DesktopBackend()
except BackendError as error:
    print(error)
"""
    assert fix in run(code, env)


def test_importing_it_needs_no_display() -> None:
    env = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    assert run("print('ok')", env) == "ok\n"
