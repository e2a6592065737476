"""Eyes and hands agree on a desktop whose second monitor lies left of and above the primary one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from Xlib.display import Display

from actions.backends.x11 import X11Backend
from actions.executor import Executor
from actions.receipt import Outcome
from actions.space import Click, Move
from agent.environments.display import VirtualDisplay
from tests.actions.conftest import add_second_monitor
from vision.capture import Screen
from vision.geometry import Box, CoordinateMap, Point, Size


@pytest.fixture(scope="module")
def desktop() -> Iterator[VirtualDisplay]:
    """On 640x480: 400x300 at the upper left, the primary 240x180 at the lower right, two gaps."""
    with VirtualDisplay(Size(640, 480), window_manager=False) as virtual:
        x = Display(virtual.name)
        add_second_monitor(x)
        root = x.screen().root
        for color, left, top in (0x0000FF, 399, 299), (0x00FF00, 400, 300):
            root.fill_rectangle(root.create_gc(foreground=color), left, top, 1, 1)
        x.sync()
        yield virtual
        x.close()


def test_the_primary_monitor_starts_at_zero(desktop: VirtualDisplay) -> None:
    with Screen(desktop.name) as screen:
        boxes = {monitor.box: monitor.primary for monitor in screen.monitors()}
        assert boxes == {Box(0, 0, 240, 180): True, Box(-400, -300, 0, 0): False}
        assert screen.box == Box(-400, -300, 240, 180)
        around = screen.grab(Box(-1, -1, 1, 1)).pixels
    assert around[0, 0].tolist() == [0, 0, 255]
    assert around[1, 1].tolist() == [0, 255, 0]


@pytest.mark.parametrize("place", [(-400, -300), (-1, -1), (0, 0), (239, 179), (-390, -280)])
def test_hands_go_where_eyes_look(desktop: VirtualDisplay, place: tuple[int, int]) -> None:
    with Screen(desktop.name) as screen, X11Backend(desktop.name) as backend:
        backend.move(Point(*place))
        assert backend.pointer() == Point(*place) == screen.pointer
        x, y = (int(side) for side in place)
        assert screen.grab(Box(x, y, x + 1, y + 1)).cursor == Point(*place)


def test_every_model_coordinate_arrives_within_a_pixel(desktop: VirtualDisplay) -> None:
    """The whole round trip: screen -> 0..1000 -> screen -> pointer."""
    with Screen(desktop.name) as screen, X11Backend(desktop.name) as backend:
        scale = CoordinateMap(screen.box, Size(644, 476))
        for place in (Point(x, y) for x in range(-400, 240, 37) for y in range(-300, 180, 41)):
            model = scale.to_model(place)
            backend.move(scale.to_screen(Point(round(model.x), round(model.y))))
            landed = backend.pointer()
            assert max(abs(landed.x - place.x), abs(landed.y - place.y)) <= 1


def test_a_place_between_the_monitors_is_refused(desktop: VirtualDisplay) -> None:
    with Screen(desktop.name) as screen, X11Backend(desktop.name) as backend:
        executor = Executor(backend, screen)
        for gap in (Point(10, -10), Point(-10, 10)):
            assert executor.perform(Click(gap)).outcome is Outcome.REFUSED
        assert executor.perform(Move(Point(-399, -299))).outcome is Outcome.NO_VISIBLE_EFFECT
