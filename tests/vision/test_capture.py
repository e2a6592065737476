from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from Xlib.display import Display

from agent.environments.display import VirtualDisplay
from vision.capture import CaptureError, Monitor, Screen
from vision.geometry import Box, Point, Size
from vision.x11_camera import X11Camera

WIDTH, HEIGHT = 640, 480


@pytest.fixture
def x(display: VirtualDisplay) -> Iterator[Display]:
    connection = Display(display.name)
    yield connection
    connection.close()


@pytest.fixture
def painted(x: Display) -> Iterator[Display]:
    """A window over the whole screen: red, with one blue and one green rectangle."""
    window = x.screen().root.create_window(
        0, 0, WIDTH, HEIGHT, 0, x.screen().root_depth, background_pixel=0xFF0000,
        override_redirect=True,
    )  # fmt: skip
    window.map()
    for color, rectangle in ((0x0000FF, (10, 20, 30, 40)), (0x00FF00, (639, 479, 1, 1))):
        window.fill_rectangle(window.create_gc(foreground=color), *rectangle)
    x.sync()
    yield x
    window.destroy()
    x.sync()


def test_pixels_are_rgb_rows_at_their_place(painted: Display, display: VirtualDisplay) -> None:
    with Screen(display.name) as screen:
        frame = screen.grab()
    expected = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    expected[:] = (255, 0, 0)
    expected[20:60, 10:40] = (0, 0, 255)
    expected[479, 639] = (0, 255, 0)
    np.testing.assert_array_equal(frame.pixels, expected)
    assert frame.pixels.flags.c_contiguous
    assert frame.box == Box(0, 0, WIDTH, HEIGHT)


def test_memory_that_the_server_shares_shows_what_a_copy_of_it_shows(
    painted: Display, display: VirtualDisplay
) -> None:
    """With the pointer drawn into it a picture comes from mss, which copies: the slow twin."""
    painted.screen().root.warp_pointer(WIDTH - 1, HEIGHT - 1)
    painted.sync()
    with Screen(display.name, cursor=True) as slow, closing(X11Camera(display.name)) as camera:
        for area in (Box(0, 0, 600, 400), Box(0, 0, 1, 1), Box(5, 15, 50, 30)):
            place = (int(side) for side in (area.left, area.top, area.width, area.height))
            np.testing.assert_array_equal(camera.grab(*place), slow.grab(area).pixels)


def test_a_server_that_shares_no_memory_is_looked_at_all_the_same() -> None:
    """In a process of its own: python-xlib keeps one list of event numbers for all servers."""
    code = """
import sys
from vision.capture import Screen
from vision.x11_camera import X11Camera
try:
    X11Camera(sys.argv[1])
except OSError as error:
    print(error)
with Screen(sys.argv[1]) as screen:
    print(screen.grab().pixels.shape)
"""
    read_end, write_end = os.pipe()
    options = ["-displayfd", str(write_end), "-screen", "0", "64x48x24", "-extension", "MIT-SHM"]
    with (
        subprocess.Popen(
            ["Xvfb", *options, "-nolisten", "tcp", "-noreset"],
            pass_fds=[write_end], stderr=subprocess.DEVNULL,
        ) as server,
        os.fdopen(read_end) as number,
    ):  # fmt: skip
        os.close(write_end)
        try:
            name = f":{number.readline().strip()}"
            shown = subprocess.run(
                [sys.executable, "-c", code, name], capture_output=True, text=True, check=True,
                cwd=Path(__file__).parents[2],
            )  # fmt: skip
        finally:
            server.terminate()
    assert "MIT-SHM" in shown.stdout
    assert "(48, 64, 3)" in shown.stdout


def test_a_closed_camera_says_so(display: VirtualDisplay) -> None:
    camera = X11Camera(display.name)
    with pytest.raises(ValueError, match="no larger"):
        camera.grab(0, 0, WIDTH, HEIGHT + 1)
    for _ in range(2):
        camera.close()
    with pytest.raises(ValueError, match="open camera"):
        camera.grab(0, 0, 1, 1)


def test_a_region_is_the_same_part_of_the_picture(
    painted: Display, display: VirtualDisplay
) -> None:
    with Screen(display.name) as screen:
        whole, part = screen.grab(), screen.grab(Box(5, 15, 50, 30))
    np.testing.assert_array_equal(part.pixels, whole.pixels[15:30, 5:50])
    assert part.box == Box(5, 15, 50, 30)


def test_a_screen_opened_on_a_region_shows_only_that(
    painted: Display, display: VirtualDisplay
) -> None:
    with Screen(display.name, region=Box(9.5, 19.5, 40, 60)) as screen:
        frame = screen.grab()
        assert screen.box == frame.box == Box(9, 19, 40, 60)
    assert (frame.height, frame.width) == (41, 31)
    assert frame.pixels[0, 0].tolist() == [255, 0, 0]
    assert frame.pixels[1, 1].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    "region",
    [
        Box(0, 0, 0, 10),
        Box(10, 10, 5, 20),
        Box(-1, 0, 10, 10),
        Box(0, 0, WIDTH + 1, 10),
        Box(0, 0, float("nan"), 10),
        Box(0, 0, float("inf"), 10),
    ],
)
def test_a_region_off_the_screen_is_refused(region: Box, display: VirtualDisplay) -> None:
    with pytest.raises(CaptureError, match="expected a region of at least one pixel inside"):
        Screen(display.name, region=region)
    with Screen(display.name) as screen, pytest.raises(CaptureError, match="actually"):
        screen.grab(region)


def test_the_pointer_is_found(x: Display, display: VirtualDisplay) -> None:
    with Screen(display.name) as screen:
        for place in ((0, 0), (17, 23), (WIDTH - 1, HEIGHT - 1)):
            x.screen().root.warp_pointer(*place)
            x.sync()
            assert screen.pointer == Point(*place)
            assert screen.grab(Box(0, 0, 1, 1)).cursor == Point(*place)


def test_the_pointer_is_drawn_only_on_request(painted: Display, display: VirtualDisplay) -> None:
    painted.screen().root.warp_pointer(200, 200)
    painted.sync()
    around = Box(180, 180, 230, 230)
    with Screen(display.name) as plain, Screen(display.name, cursor=True) as drawn:
        assert (plain.grab(around).pixels == (255, 0, 0)).all()
        assert (drawn.grab(around).pixels != (255, 0, 0)).any()


def test_one_monitor_is_primary_and_starts_at_zero(display: VirtualDisplay) -> None:
    with Screen(display.name) as screen:
        assert screen.monitors() == (screen.primary,)
        assert screen.primary == Monitor(Box(0, 0, WIDTH, HEIGHT), "screen", True)


def test_no_display_says_how_to_get_one() -> None:
    with pytest.raises(CaptureError, match=r"':4321'.*DISPLAY.*virtual display"):
        Screen(":4321")


def test_a_display_that_went_away_is_an_error_not_a_crash() -> None:
    with VirtualDisplay(Size(64, 48), window_manager=False) as virtual:
        screen = Screen(virtual.name)
        screen.grab()
    with pytest.raises(CaptureError, match="open the screen again"):
        screen.grab()
    with pytest.raises(CaptureError, match="open the screen again"):
        _ = screen.pointer
    screen.close()
    screen.close()


def test_screens_of_two_displays_live_side_by_side(display: VirtualDisplay) -> None:
    with (
        VirtualDisplay(Size(32, 16), window_manager=False) as other,
        Screen(other.name) as small,
        Screen(display.name) as large,
    ):
        assert small.grab().pixels.shape == (16, 32, 3)
        assert large.grab().pixels.shape == (HEIGHT, WIDTH, 3)


def test_the_environment_stays_as_it_is(display: VirtualDisplay) -> None:
    before = dict(os.environ)
    with Screen(display.name) as screen:
        screen.grab()
    assert dict(os.environ) == before
