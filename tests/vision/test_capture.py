from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest
from Xlib.display import Display
from Xlib.protocol import rq

from agent.environments.display import VirtualDisplay
from vision.capture import CaptureError, Monitor, Screen
from vision.geometry import Box, Point, Size

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


class SetMonitor(rq.Request):  # type: ignore[misc]
    """RRSetMonitor (RANDR 1.5) without outputs; python-xlib 0.33 cannot pack its own."""

    _request = rq.Struct(
        rq.Card8("opcode"), rq.Opcode(43), rq.RequestLength(), rq.Window("window"),
        rq.Card32("name"), rq.Bool("primary"), rq.Bool("automatic"), rq.Card16("outputs"),
        rq.Int16("x"), rq.Int16("y"), rq.Card16("width"), rq.Card16("height"),
        rq.Card32("width_mm"), rq.Card32("height_mm"),
    )  # fmt: skip


def _add_monitor(x: Display, name: str, box: Box, primary: bool) -> None:
    SetMonitor(
        display=x.display, opcode=x.display.get_extension_major("RANDR"),
        window=x.screen().root.id, name=x.intern_atom(name), primary=primary, automatic=False,
        outputs=0, x=int(box.left), y=int(box.top), width=int(box.width), height=int(box.height),
        width_mm=100, height_mm=100,
    )  # fmt: skip
    x.sync()


def test_a_monitor_left_of_and_above_the_primary_has_negative_coordinates() -> None:
    """400x300 at the left, 240x180 primary at the right and lower, both of 640x480."""
    with VirtualDisplay(Size(WIDTH, HEIGHT), window_manager=False) as virtual:
        x = Display(virtual.name)
        _add_monitor(x, "side", Box(0, 0, 400, 300), primary=False)
        _add_monitor(x, "main", Box(400, 300, 640, 480), primary=True)
        root = x.screen().root
        root.fill_rectangle(root.create_gc(foreground=0x0000FF), 399, 299, 1, 1)
        root.fill_rectangle(root.create_gc(foreground=0x00FF00), 400, 300, 1, 1)
        root.warp_pointer(10, 20)
        x.sync()
        with Screen(virtual.name) as screen:
            boxes = {monitor.box: monitor.primary for monitor in screen.monitors()}
            assert boxes[Box(0, 0, 240, 180)]
            assert not boxes[Box(-400, -300, 0, 0)]
            assert screen.box == Box(-400, -300, 240, 180)
            assert screen.pointer == Point(-390, -280)
            corner = screen.grab(Box(-1, -1, 1, 1)).pixels
        x.close()
    assert corner[0, 0].tolist() == [0, 0, 255]
    assert corner[1, 1].tolist() == [0, 255, 0]


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
