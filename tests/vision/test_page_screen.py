"""A browser's page as something to look at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.environments.headless import HeadlessBrowser
from vision.capture import CaptureError
from vision.cdp import CdpError, CdpPage
from vision.geometry import Box, Size
from vision.page_screen import PageScreen

STRIPES = (
    "data:text/html,<body style='margin:0;height:2000px;"
    "background:linear-gradient(90deg,red 50px,lime 50px)'>"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[HeadlessBrowser]:
    with HeadlessBrowser() as shared:
        yield shared


@pytest.fixture
def page(browser: HeadlessBrowser) -> Iterator[CdpPage]:
    with CdpPage(browser.address, Size(200, 100)) as opened:
        opened.navigate(STRIPES)
        yield opened


def test_the_viewport_is_the_screen(page: CdpPage) -> None:
    screen = PageScreen(page)
    (monitor,) = screen.monitors()
    assert screen.box == monitor.box == Box(0, 0, 200, 100)
    assert monitor.primary
    frame = screen.grab()
    assert frame.pixels.shape == (100, 200, 3)
    assert frame.pixels[50, [49, 50]].tolist() == [[255, 0, 0], [0, 255, 0]]


def test_a_region_is_the_part_of_the_whole(page: CdpPage) -> None:
    part = PageScreen(page).grab(Box(48.5, 10, 52, 12))
    assert part.box == Box(48, 10, 52, 12)
    assert part.pixels[0].tolist() == [[255, 0, 0]] * 2 + [[0, 255, 0]] * 2


@pytest.mark.parametrize("region", [Box(0, 0, 201, 5), Box(-1, 0, 5, 5), Box(5, 5, 5, 9)])
def test_a_region_off_the_page_is_refused(page: CdpPage, region: Box) -> None:
    with pytest.raises(CaptureError, match="inside"):
        PageScreen(page).grab(region)


def test_a_page_that_loads_meanwhile_can_be_looked_at(page: CdpPage) -> None:
    screen = PageScreen(page)
    for _ in range(10):
        page.evaluate("setTimeout(() => location.reload(), 0); 0")
        assert screen.grab().box == Box(0, 0, 200, 100)


def test_a_window_with_scroll_bars_is_measured_whole() -> None:
    """As in a browser of the user's own, whose page we do not resize."""
    with HeadlessBrowser() as browser, CdpPage(browser.address) as page:
        page.navigate(STRIPES)
        screen = PageScreen(page)
        assert page.evaluate("[innerWidth, innerHeight]") == list(screen.box[2:])


def test_a_page_that_throws_says_so(page: CdpPage) -> None:
    with pytest.raises(CdpError, match="throws"):
        page.evaluate("nothing.there")
