"""Which window a rule is about, on a real Sway."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actions.backends.sway_windows import describe
from actions.backends.wayland import WaylandBackend
from actions.guard import Guard, Permission, Rule
from actions.space import Click, Hotkey
from tests.actions.wayland_stage import WaylandStage, open_sway, open_wayland_stage
from vision.geometry import Point
from vision.wayland import Compositor

OUTPUTS = (("640x480 0,0", 1), ("600x450 -400,-300", 1.5))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WaylandStage]:
    with open_wayland_stage(tmp_path_factory.mktemp("windows"), OUTPUTS) as opened:
        yield opened


@pytest.fixture
def backend(stage: WaylandStage) -> Iterator[WaylandBackend]:
    with Compositor(stage.display) as compositor, WaylandBackend(compositor) as opened:
        yield opened


def tell_sway(stage: WaylandStage, command: str) -> None:
    (ipc,) = Path(stage.display).parent.glob("sway-ipc.*.sock")
    subprocess.run(
        ["swaymsg", "--socket", str(ipc), command], check=True, stdout=subprocess.DEVNULL
    )


@pytest.mark.parametrize(
    ("place", "title"),
    [((0, 0), "HEADLESS-1"), ((639, 479), "HEADLESS-1"), ((-400, -300), "HEADLESS-2"),
     ((-1, -1), "HEADLESS-2"), ((10, -10), "")],
)  # fmt: skip
def test_the_window_at_a_point_has_its_title(
    backend: WaylandBackend, place: tuple[int, int], title: str
) -> None:
    assert backend.window(Point(*place)).strip() == title


def test_the_window_with_the_keyboard(stage: WaylandStage, backend: WaylandBackend) -> None:
    for title in ("HEADLESS-2", "HEADLESS-1"):
        tell_sway(stage, f"[title={title}] focus")
        assert backend.window(None).strip() == title


def test_what_floats_is_on_top(stage: WaylandStage, backend: WaylandBackend) -> None:
    float_it = "move to workspace 1, floating enable, resize set 200 100, move position 100 100"
    tell_sway(stage, f"[title=HEADLESS-2] {float_it}")
    try:
        titles = [backend.window(Point(at, at)).strip() for at in (90, 110, 190, 210)]
        assert titles == ["HEADLESS-1", "HEADLESS-2", "HEADLESS-2", "HEADLESS-1"]
    finally:
        tell_sway(stage, "[title=HEADLESS-2] floating disable, move to workspace 2")


def test_rules_about_windows_hold_on_wayland(stage: WaylandStage, backend: WaylandBackend) -> None:
    rule = Rule(Permission.DENY, "the other screen", window="HEADLESS-2")
    guard = Guard((rule,), window=backend.window)
    tell_sway(stage, "[title=HEADLESS-2] focus")
    assert guard.check(Hotkey(("enter",))).permission is Permission.DENY
    tell_sway(stage, "[title=HEADLESS-1] focus")
    assert guard.check(Hotkey(("enter",))).permission is Permission.ALLOW
    assert guard.check(Click(Point(-5, -5))).permission is Permission.DENY
    assert guard.check(Click(Point(5, 5))).permission is Permission.ALLOW


def test_sway_can_have_stop_keys(stage: WaylandStage, backend: WaylandBackend) -> None:
    """As the usage says: `eyehand stop` by a key of the compositor."""
    folder = Path(stage.display).parent  # where sway, which is another user, may write
    tell_sway(stage, f"bindsym Ctrl+Alt+Escape exec touch {folder}/pressed")
    for key in ("ctrl", "alt", "esc"):
        backend.key_down(key)
    backend.release_all()
    deadline = time.monotonic() + 10
    while not (folder / "pressed").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (folder / "pressed").exists()


def test_a_desktop_without_windows_or_without_sway_knows_none(tmp_path: Path) -> None:
    with open_sway() as env, Compositor(env["WAYLAND_DISPLAY"]) as compositor:
        backend = WaylandBackend(compositor)
        assert (backend.window(None), backend.window(Point(5, 5))) == ("", "")
    assert (backend.window(None), backend.window(Point(5, 5))) == ("", "")
    backend.close()
    with pytest.raises(OSError, match="No such file"):
        describe(tmp_path / "none", None)
