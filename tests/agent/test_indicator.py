"""The strip on a real display."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from Xlib import X
from Xlib.display import Display

from actions.backends.x11 import X11Backend
from agent.environments.display import VirtualDisplay
from agent.indicator import Indicator
from agent.veil import GREY, Veiled
from vision.capture import Screen
from vision.geometry import Point, Size

WORDS = "Eyehand drives"


@pytest.fixture(scope="module")
def display() -> Iterator[VirtualDisplay]:
    with VirtualDisplay(Size(320, 200)) as virtual:
        yield virtual


def red(screen: Screen, strip: Indicator) -> bool:
    """Whether the strip is to be seen, its upper left corner at least."""
    pixels = screen.grab(strip.box).pixels
    return bool((pixels[0, :8] == (180, 40, 20)).all())


def becomes_red(screen: Screen, strip: Indicator) -> bool:
    deadline = time.monotonic() + 10
    while not red(screen, strip) and time.monotonic() < deadline:
        time.sleep(0.01)
    return red(screen, strip)


def test_people_see_it_and_the_model_never_does(display: VirtualDisplay) -> None:
    with Screen(display.name) as screen:
        before = screen.grab()
        strip = Indicator(screen, display.name, WORDS)
        eyes = Veiled(screen, strip.box)
        with strip:
            assert becomes_red(screen, strip)
            seen = eyes.grab()
        assert not red(screen, strip)
    box = strip.box
    assert (box.bottom, box.left + box.right) == (200, 320)
    rows, columns = slice(int(box.top), int(box.bottom)), slice(int(box.left), int(box.right))
    assert (seen.pixels[rows, columns] == GREY).all()
    seen.pixels[rows, columns] = before.pixels[rows, columns]
    assert (seen.pixels == before.pixels).all()


def test_it_comes_back_to_the_front(display: VirtualDisplay) -> None:
    with Screen(display.name) as screen, Indicator(screen, display.name, WORDS) as strip:
        assert becomes_red(screen, strip)
        other = Display(display.name)
        window = other.screen().root.create_window(
            0, 0, 320, 200, 0, X.CopyFromParent, override_redirect=True, background_pixel=0xFFFFFF
        )
        window.map()
        other.sync()
        assert becomes_red(screen, strip)
        assert (screen.grab().pixels[0, 0] == 255).all()
        other.close()


def test_clicks_and_questions_go_through_it(display: VirtualDisplay) -> None:
    with (
        Screen(display.name) as screen,
        X11Backend(display.name) as backend,
        Indicator(screen, display.name, WORDS) as strip,
    ):
        assert becomes_red(screen, strip)
        backend.move(Point(strip.box.left + 3, strip.box.top + 3))
        watcher = Display(display.name)
        assert watcher.screen().root.query_pointer().child == 0
        watcher.close()
