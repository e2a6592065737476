from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from actions.settle import (
    Patience,
    Stillness,
    Watcher,
    changed_tiles,
    crop_around,
    differs,
    differs_around,
)
from vision.capture import Monitor
from vision.frame import Frame
from vision.geometry import Box, Point

SIZE = 160
BOX = Box(0, 0, SIZE, SIZE)


def blank() -> Frame:
    return Frame(np.full((SIZE, SIZE, 3), 255, np.uint8), BOX)


def painted(box: Box, shade: int = 0) -> Frame:
    frame = blank()
    left, top, right, bottom = (int(side) for side in box)
    frame.pixels[top:bottom, left:right] = shade
    return frame


class Film:
    """Eyes that show one frame after the other, then the last one for ever."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self._shown = blank()
        self.looks = 0

    @property
    def box(self) -> Box:
        return BOX

    def monitors(self) -> tuple[Monitor, ...]:
        return (Monitor(BOX, "film", True),)

    def grab(self, region: Box | None = None) -> Frame:
        self.looks += 1
        self._shown = next(self._frames, self._shown)
        return self._shown


def watcher(frames: list[Frame] | Iterator[Frame], patience: Patience | None = None) -> Watcher:
    """Every look takes a millisecond."""
    film = Film(iter(frames))
    return Watcher(film, lambda seconds: None, patience, clock=lambda: film.looks / 1000)


class Stage:
    """A screen on which time passes only while it is looked at, with the default patience.

    Attributes:
        now: seconds since it began.
        acted: when the action was sent; never, so far.
        watcher: looks at it.
    """

    def __init__(self, draw: Callable[[float, float], Frame]) -> None:
        """`draw` gives the picture now, and so many seconds after the action."""
        self.now, self.acted = 0.0, math.inf
        self._draw = draw
        self.watcher = Watcher(self, self.wait, clock=lambda: self.now)

    @property
    def box(self) -> Box:
        return BOX

    def monitors(self) -> tuple[Monitor, ...]:
        return (Monitor(BOX, "stage", True),)

    def grab(self, region: Box | None = None) -> Frame:
        return self._draw(self.now, self.now - self.acted)

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def act(self, think: float = 0.2) -> tuple[bool, float]:
        """As the executor does: whether there was an effect, and the seconds until that was known.

        Args:
            think: seconds for which nobody looks, before.
        """
        self.acted = math.inf
        seen = self.grab()
        self.wait(think)
        before = self.watcher.learn(seen, self.watcher.still(seen))
        before = self.watcher.still()
        begun = self.acted = self.now
        return self.watcher.effect(before), self.now - begun


QUICK = Patience(0, still=0.002, restless=0.01, quiet=0.005, reaction=0.02, blink=0.02, cap=0.5)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (Box(50, 50, 51, 65), False),  # a text cursor
        (Box(50, 50, 53, 114), False),  # a thick, tall one
        (Box(50, 50, 54, 65), True),  # as narrow as a letter
        (Box(50, 50, 51, 115), True),  # a line
        (Box(0, 0, SIZE, SIZE), True),
    ],
)
def test_only_a_text_cursor_does_not_count(box: Box, expected: bool) -> None:
    assert differs(blank(), painted(box)) is expected


def test_two_far_changes_count_however_thin() -> None:
    both = painted(Box(50, 50, 51, 65))
    both.pixels[50:65, 120] = 0
    assert differs(blank(), both)


def test_a_change_of_one_channel_by_one_counts() -> None:
    other = blank()
    other.pixels[3:9, 3:9, 2] -= 1
    assert differs(blank(), other)


def test_pictures_of_different_sizes_differ() -> None:
    assert differs(blank(), Frame(blank().pixels[:-1], BOX))


def test_restless_tiles_do_not_count() -> None:
    spinner = painted(Box(32, 48, 48, 64))
    assert changed_tiles(blank(), spinner) == {(3, 2)}
    assert not differs(blank(), spinner, frozenset({(3, 2)}))
    assert differs(blank(), spinner, frozenset({(2, 2)}))


def test_tiles_reach_to_the_last_pixel_of_any_size() -> None:
    one, other = (np.zeros((33, 50, 3), np.uint8) for _ in range(2))
    other[32, 49] = 1
    box = Box(0, 0, 50, 33)
    assert changed_tiles(Frame(one, box), Frame(other, box)) == {(2, 3)}


def test_stillness_is_found_after_the_last_large_change() -> None:
    frames = [painted(Box(0, 0, SIZE, SIZE), shade) for shade in range(0, 200, 10)]
    found = watcher(frames, QUICK).still()
    assert found.frame is frames[-1]
    assert found.restless == frozenset()


def test_a_blinking_thing_does_not_block_stillness_and_is_told() -> None:
    def blink() -> Iterator[Frame]:
        while True:
            yield blank()
            yield painted(Box(64, 64, 96, 96))

    found = watcher(blink(), QUICK).still()
    assert found.restless == {(4, 4), (4, 5), (5, 4), (5, 5)}


def test_what_moves_for_a_moment_only_is_waited_for_and_not_restless() -> None:
    """A check box that fades in a new colour under the pointer."""
    box = Box(64, 64, 78, 78)
    frames = [blank(), *(painted(box, shade) for shade in (200, 150, 100))]
    found = watcher(frames, Patience(poll=0, still=0.02, restless=9)).still()
    assert found == Stillness(frames[-1], frozenset())


def test_a_screen_that_changed_as_a_whole_has_to_be_quiet_for_longer() -> None:
    """A page that changes in steps with pauses between them."""
    page = painted(Box(0, 0, SIZE, SIZE), 9)
    patience = Patience(poll=0.004, still=0.001, quiet=0.08)
    frames = [blank(), page, page, page, blank()]
    assert watcher(frames, patience).still().frame is frames[-1]


def test_a_screen_that_is_not_the_one_seen_has_to_be_quiet_for_longer() -> None:
    """The first look falls into a pause between two steps of the change."""
    page = painted(Box(0, 0, SIZE, SIZE), 9)
    patience = Patience(poll=0.004, still=0.001, quiet=0.08)
    frames = [page, page, page, page, blank()]
    assert watcher(frames, patience).still(page).frame is page
    assert watcher(frames, patience).still(blank()).frame is frames[-1]


def test_what_spins_slowly_is_learned_from_the_picture_before() -> None:
    """Too slow to be seen moving before the action; it does not count as an effect of it."""
    one, other = blank(), painted(Box(64, 64, 80, 80))
    looker = watcher([other, other, other, one, other, one, other], QUICK)
    now = looker.still()
    assert looker.learn(one, now).restless == frozenset()  # once may be a page that was late
    before = looker.learn(one, now)
    assert before.restless == {(4, 4)}
    assert not looker.effect(before)


def test_a_page_that_changed_is_not_learned_to_be_restless() -> None:
    looker = watcher([painted(BOX)], QUICK)
    assert looker.learn(blank(), looker.still()).restless == frozenset()


def test_what_is_restless_is_forgotten_when_the_screen_becomes_another_one() -> None:
    looker = watcher([blank(), painted(BOX)], QUICK)
    for _ in range(2):
        looker.learn(painted(Box(64, 64, 80, 80)), Stillness(blank(), frozenset()))
    assert looker.still().restless == frozenset()


def test_an_effect_that_spins_for_ever_is_one_and_not_waited_for() -> None:
    def spin() -> Iterator[Frame]:
        while True:
            yield painted(Box(64, 64, 80, 80))
            yield painted(Box(64, 64, 80, 72))

    patience = Patience(poll=0, restless=0.01, quiet=0.005, reaction=0.02, blink=0.05, cap=60)
    assert watcher(spin(), patience).effect(Stillness(blank(), frozenset()))


def test_only_what_is_near_a_point_is_compared_and_restless_things_not() -> None:
    other = painted(Box(64, 64, 80, 80))
    assert differs_around(Point(90, 90), blank(), other)
    assert not differs_around(Point(120, 120), blank(), other)
    assert not differs_around(Point(90, 90), blank(), other, frozenset({(4, 4)}))
    assert differs_around(Point(90, 90), blank(), Frame(other.pixels[:-1], BOX))


def test_waiting_ends_at_the_cap_on_a_screen_that_never_rests() -> None:
    def film() -> Iterator[Frame]:
        while True:
            yield blank()
            yield painted(BOX)

    looker = watcher(film(), Patience(poll=0, still=9, quiet=9, reaction=9, cap=0.05))
    assert looker.still().frame.pixels.shape == (SIZE, SIZE, 3)
    looker.effect(Stillness(blank(), frozenset()))


@pytest.mark.parametrize("delay", [0, 1, 5])
def test_an_effect_is_seen_when_it_comes(delay: int) -> None:
    after = painted(Box(10, 10, 20, 20))
    patience = Patience(poll=0, still=0, quiet=0.002, reaction=5, blink=0, cap=9)
    frames = [blank()] * delay + [after]
    assert watcher(frames, patience).effect(Stillness(blank(), frozenset()))


def test_no_effect_is_told_apart_from_a_blinking_cursor() -> None:
    def blink() -> Iterator[Frame]:
        while True:
            yield painted(Box(64, 64, 65, 80))
            yield blank()

    assert not watcher(blink(), QUICK).effect(Stillness(blank(), frozenset()))


def test_a_screen_that_comes_back_was_not_changed() -> None:
    frames = [painted(BOX), painted(BOX), blank()]
    assert not watcher(frames, QUICK).effect(Stillness(blank(), frozenset()))


def test_a_pause_may_break_off() -> None:
    def stop(seconds: float) -> None:
        raise InterruptedError

    calls: list[Callable[[], object]] = [
        Watcher(Film(iter([])), stop).still,
        lambda: Watcher(Film(iter([])), stop).effect(Stillness(blank(), frozenset())),
    ]
    for call in calls:
        with pytest.raises(InterruptedError):
            call()


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        (Point(80, 80), Box(60, 60, 100, 100)),
        (Point(0, 0), Box(0, 0, 20, 20)),
        (Point(159, 10), Box(139, 0, 160, 30)),
    ],
)
def test_a_crop_is_cut_off_at_the_edge(point: Point, expected: Box) -> None:
    crop = crop_around(painted(Box(0, 0, 80, 80)), point)
    assert crop.box == expected
    assert crop.pixels.shape == (expected.height, expected.width, 3)


def test_a_crop_knows_scaled_and_shifted_pictures() -> None:
    """A picture of 320x320 pixels of a screen of 160x160 that starts at (-100, -50)."""
    pixels = np.zeros((320, 320, 3), np.uint8)
    pixels[200:240, 120:160] = 7  # the screen pixels (-40..-20, 50..70)
    crop = crop_around(Frame(pixels, Box(-100, -50, 60, 110)), Point(-30, 60))
    assert crop.box == Box(-50, 40, -10, 80)
    assert crop.pixels.shape == (80, 80, 3)
    assert (crop.pixels[20:60, 20:60] == 7).all()
    assert crop.pixels.sum() == 7 * 40 * 40 * 3


def blinks(period: float, phase: float, since: float = 0.0) -> Callable[[float, float], Frame]:
    """A thing of 24 pixels that is there for half of its period; nothing else ever changes."""

    def draw(now: float, _acted: float) -> Frame:
        there = now >= since and (now + phase) % period < period / 2
        return painted(Box(20, 120, 44, 144)) if there else blank()

    return draw


@pytest.mark.parametrize("phase", [tenth / 10 for tenth in range(22)])
@pytest.mark.parametrize("period", [0.4, 1.06, 2.0, 2.15])
def test_what_blinks_slowly_is_never_an_effect(period: float, phase: float) -> None:
    """From the first action on, however the moment of the action falls into its period."""
    stage = Stage(blinks(period, phase))
    assert not any(stage.act()[0] for _ in range(8))


@pytest.mark.parametrize("phase", [tenth / 10 for tenth in range(10)])
def test_a_clock_is_no_effect(phase: float) -> None:
    """It changes once a second and never comes back."""

    def draw(now: float, _acted: float) -> Frame:
        return painted(Box(20, 120, 44, 144), int(now + phase) * 10)

    stage = Stage(draw)
    assert not any(stage.act(think=1.3)[0] for _ in range(8))


@pytest.mark.parametrize("phase", [tenth / 10 for tenth in range(20)])
@pytest.mark.parametrize("period", [3.0, 4.0, 7.0])
def test_what_was_seen_to_blink_is_no_effect_later(period: float, phase: float) -> None:
    """It is too slow to be told in one look, but the model takes its time between two actions."""
    stage = Stage(blinks(period, phase))
    for _ in range(12):
        stage.act(think=1.7)
    assert not any(stage.act(think=1.7)[0] for _ in range(12))


def test_a_small_effect_is_doubted_once_and_then_believed_soon() -> None:
    ticked = False

    def draw(_now: float, acted: float) -> Frame:
        shown = ticked if acted >= 0.05 else not ticked
        return painted(Box(50, 50, 64, 64)) if shown else blank()

    stage, spent = Stage(draw), []
    for _ in range(4):
        ticked = not ticked
        found, seconds = stage.act()
        assert found
        spent.append(seconds)
    assert 1.1 < spent[0] < 1.3
    assert max(spent[1:]) < 0.2


def test_a_large_effect_is_believed_at_once() -> None:
    def draw(_now: float, acted: float) -> Frame:
        return painted(Box(0, 0, SIZE, 100)) if 0.05 <= acted < math.inf else blank()

    found, seconds = Stage(draw).act()
    assert found
    assert seconds < 0.2


@pytest.mark.parametrize("phase", [tenth / 10 for tenth in range(10)])
@pytest.mark.parametrize("delay", [0.0, 0.1, 0.25])
def test_a_small_effect_beside_something_that_blinks_is_one(delay: float, phase: float) -> None:
    ticked = False
    blinking = blinks(1.06, phase)

    def draw(now: float, acted: float) -> Frame:
        frame = blinking(now, acted)
        if ticked if acted >= delay else not ticked:
            frame.pixels[50:64, 50:64] = 0
        return frame

    stage = Stage(draw)
    for _ in range(6):
        ticked = not ticked
        found, seconds = stage.act()
        assert found
        assert seconds < 2.2


def test_what_begins_to_blink_when_it_is_clicked_is_an_effect() -> None:
    """A sign of work that goes round in eight steps."""

    def draw(_now: float, acted: float) -> Frame:
        step = int(acted / 0.1) % 8 if 0.05 <= acted < math.inf else None
        return blank() if step is None else painted(Box(20, 120, 44, 144), 10 * step)

    found, seconds = Stage(draw).act()
    assert found
    assert seconds < 2


def test_a_page_of_another_size_is_an_effect() -> None:
    """A browser's window that grew."""
    small = Frame(np.zeros((SIZE, SIZE - 16, 3), np.uint8), BOX)
    assert watcher([small, small], QUICK).effect(Stillness(blank(), frozenset()))
