"""A Wayland desktop as something to look at, with the second output left of and above the first."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actions.wayland_stage import open_wayland_stage
from vision.capture import CaptureError
from vision.geometry import Box, Point
from vision.wayland import Compositor
from vision.wayland_screen import WaylandScreen

GRAY, GREEN, WHITE, BLACK = [128] * 3, [0, 128, 0], [255] * 3, [0] * 3


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compositor]:
    outputs = (("640x480 0,0", 1), ("600x450 -300,-225", 2))
    with (
        open_wayland_stage(tmp_path_factory.mktemp("screens"), outputs) as stage,
        Compositor(stage.display) as compositor,
    ):
        await_a_square_on_both(WaylandScreen(compositor))
        yield compositor


def await_a_square_on_both(screen: WaylandScreen) -> None:
    """Until the compositor has put the windows on its outputs."""
    boxes = [Box(x + 60, y + 60, x + 61, y + 61) for x, y in ((0, 0), (-300, -225))]
    deadline = time.monotonic() + 20
    while not all(screen.grab(box).pixels[0, 0].tolist() == GRAY for box in boxes):
        assert time.monotonic() < deadline, "no window on one of the outputs"
        time.sleep(0.05)


def test_every_output_is_a_monitor(desktop: Compositor) -> None:
    screen = WaylandScreen(desktop)
    monitors = {m.name: (m.box, m.primary) for m in screen.monitors()}
    assert monitors == {
        "HEADLESS-1": (Box(0, 0, 640, 480), True),
        "HEADLESS-2": (Box(-300, -225, 0, 0), False),
    }
    assert screen.box == Box(-300, -225, 640, 480)


def test_the_picture_is_as_sharp_as_the_sharpest_output(desktop: Compositor) -> None:
    """The client's squares, 40..80 on each output, are where they belong."""
    frame = WaylandScreen(desktop).grab()
    assert (frame.width, frame.height) == (2 * 940, 2 * 705)

    def at(x: float, y: float) -> list[int]:
        rgb: list[int] = frame.pixels[int(2 * (y + 225)), int(2 * (x + 300))].tolist()
        return rgb

    for corner in (Point(0, 0), Point(-300, -225)):
        assert at(corner.x + 40, corner.y + 40) == at(corner.x + 79, corner.y + 79) == GRAY
        assert at(corner.x + 38, corner.y + 60) == at(corner.x + 82, corner.y + 60) == WHITE
        assert at(corner.x + 4, corner.y + 110) == GREEN
    assert at(100, -100) == at(-100, 100) == BLACK


def test_a_region_is_the_part_of_the_whole(desktop: Compositor) -> None:
    part = WaylandScreen(desktop).grab(Box(39.5, 40, 41, 42))
    assert part.box == Box(39, 40, 41, 42)
    assert part.pixels.shape == (4, 4, 3)
    assert part.pixels[0, -1].tolist() == GRAY


@pytest.mark.parametrize("region", [Box(0, 0, 641, 5), Box(-301, 0, 5, 5), Box(5, 5, 5, 9)])
def test_a_region_off_the_screen_is_refused(desktop: Compositor, region: Box) -> None:
    with pytest.raises(CaptureError, match="inside"):
        WaylandScreen(desktop).grab(region)


def test_without_the_package_the_fix_is_named() -> None:
    code = """
import sys
sys.modules["pywayland"] = None
from agent.cli.desk import real_desk
try:
    with real_desk():
        pass
except OSError as error:
    print(error)
"""
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"WAYLAND_DISPLAY": "wayland-9"}, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert "pip install 'eyehand[wayland]'" in shown.stdout
