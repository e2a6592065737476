"""Waiting for the screen to be still, and telling whether an action changed it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vision.capture import Eyes
from vision.frame import Frame
from vision.geometry import Box, Point

TILE = 16
"""Side of the squares, in pixels, by which restless parts of the screen are known."""
_RESTLESS_TILES = 9
"""Motion within so many tiles is a blinking or spinning thing, not the screen changing."""
_LEAST_MOVES = 3
"""What moved less often may be two steps of one change."""
_CARET = (3, 64)
"""Width and height, in pixels, up to which a lone change is a text cursor that blinked."""
_SHORTEST_SECONDS = 0.001
_CROP = 20
"""Pixels around a target, to each side, that must be what the model saw."""

Tiles = frozenset[tuple[int, int]]


@dataclass(frozen=True)
class Patience:
    """How long to wait for the screen; all in seconds.

    Attributes:
        poll: between two looks.
        still: unchanged for so long before an action, the screen is still.
        restless: a small area that moves for longer than this is a blinking or spinning thing; what
            stops sooner, such as a button that lights up under the pointer, is waited for.
        quiet: unchanged for so long after an action had an effect, the screen is still.
        reaction: an effect that has not begun by then is not waited for.
        blink: a small change is believed to be an effect when it has lasted so long, unless its
            place was looked at for so long before and did not move; 0 believes it at once.
        cap: after so long any wait ends.
    """

    poll: float = 0.012
    still: float = 0.036
    restless: float = 0.3
    quiet: float = 0.1
    reaction: float = 0.3
    blink: float = 1.1
    cap: float = 3.0


@dataclass(frozen=True)
class Stillness:
    """What waiting for a still screen found.

    Attributes:
        frame: the last picture.
        restless: (row, column) of the tiles that kept moving.
    """

    frame: Frame
    restless: Tiles


class Watcher:
    """Looks at the screen until it is still, and learns which parts of it never are.

    Args:
        eyes: what looks.
        pause: sleeps for some seconds; it may raise to break off.
        patience: how long to wait.
        clock: seconds that pass while it pauses.
    """

    def __init__(
        self,
        eyes: Eyes,
        pause: Callable[[float], None],
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._eyes = eyes
        self._clock = clock
        self._pause = pause
        self._patience = patience or Patience()
        self._restless = self._suspected = self._doubted = Tiles()
        self._watched = False

    def still(self, seen: Frame | None = None) -> Stillness:
        """Wait until nothing but small restless areas moves, or the cap is reached.

        A screen that is still at once is believed soon. One that changes as a whole has to be quiet
        for as long as after an action, since pages change in steps with pauses between them.

        Args:
            seen: a picture taken before, with no action between; when the screen is another one by
                now, it changes. None when there is none.
        """
        motion = self._motion()
        begun = calm_since = self._clock()
        enough = self._patience.still
        frame = self._eyes.grab()
        if seen is not None and seen.pixels.shape == frame.pixels.shape:
            motion.goes_on(seen, frame, begun)
        while True:
            self._until(calm_since + enough)
            previous, frame = frame, self._eyes.grab()
            now = self._clock()
            if motion.goes_on(previous, frame, now):
                calm_since = now
            if motion.was_large:
                enough = self._patience.quiet
            if now - calm_since >= enough or now - begun >= self._patience.cap:
                self._remember(motion, begun, now)
                return Stillness(frame, motion.restless)

    def learn(self, seen: Frame, now: Stillness) -> Stillness:
        """Compare with a picture taken before, with no action between.

        What changed a little, and for the second time, is restless too: a spinner too slow for
        `still`, or a block cursor.
        """
        if seen.pixels.shape == now.frame.pixels.shape:
            own = changed_tiles(seen, now.frame)
            self._doubted |= own
            if len(own) <= _RESTLESS_TILES:
                self._restless |= own & self._suspected
                self._suspected |= own
            else:
                self._suspected = Tiles()
        return Stillness(now.frame, now.restless | self._restless)

    def effect(self, before: Stillness) -> bool:
        """Wait until an action's effect is over, or has not begun in time.

        A small thing that the action set in motion for good is an effect that is not waited for,
        unless it has moved by itself before. A small change that may be something that blinks
        slowly is waited for until it is undone, or has lasted; see `Patience.blink`.

        Args:
            before: the screen before the action.

        Returns:
            Whether the screen is another one now; what moved before does not count.
        """
        motion = self._motion()
        begun = calm_since = self._clock()
        frame = before.frame
        patience = self._patience
        changed, enough = False, patience.reaction
        while True:
            self._until(calm_since + enough)
            previous, frame = frame, self._eyes.grab()
            now = self._clock()
            if differs(previous, frame, before.restless):
                if motion.goes_on(previous, frame, now):
                    calm_since = now
                own = before.restless | (motion.restless & self._suspected)
                changed = differs(before.frame, frame, own)
                enough = self._proof(before.frame, frame, own) if changed else patience.reaction
            if now - calm_since >= enough or now - begun >= patience.cap:
                self._remember(motion, begun, now)
                return changed

    def _until(self, moment: float) -> None:
        """Sleep until the next look, which comes early when that may be the last one."""
        left = moment - self._clock()
        self._pause(max(_SHORTEST_SECONDS, min(self._patience.poll, left)))

    def _proof(self, before: Frame, frame: Frame, own: Tiles) -> float:
        """Seconds for which a change has to last before it is believed to be an effect."""
        changed = changed_tiles(before, frame) - own
        doubtful = changed & self._doubted if self._watched else changed
        if len(changed) > _RESTLESS_TILES or differs(before, frame, own | doubtful):
            return self._patience.quiet
        times = 2 if doubtful & self._suspected else 1
        return max(self._patience.quiet, times * self._patience.blink)

    def _remember(self, motion: _Motion, begun: float, now: float) -> None:
        """Learn from a look at the screen which parts of it can be trusted to move for a reason."""
        self._restless = motion.restless
        if now - begun >= self._patience.blink:
            self._watched = True
            self._doubted = motion.since(now - self._patience.blink)
        else:
            self._doubted |= motion.large

    def _motion(self) -> _Motion:
        return _Motion(self._patience.restless, self._restless)


class _Motion:
    """Tells a screen that changes from a small thing on it that blinks or spins.

    Args:
        bound: seconds after which a small thing that still moves is restless.
        restless: the tiles that are known to be.
    """

    def __init__(self, bound: float, restless: Tiles) -> None:
        self._bound = bound
        self._moves: dict[tuple[int, int], list[float]] = {}
        self._large_at = -math.inf
        self.restless = restless
        self.large = Tiles()

    @property
    def was_large(self) -> bool:
        """Whether the screen changed as a whole."""
        return bool(self.large)

    def goes_on(self, previous: Frame, frame: Frame, now: float) -> bool:
        """Whether anything but restless things changed between two looks; learns from them."""
        moving = changed_tiles(previous, frame)
        if len(moving) > _RESTLESS_TILES:
            self.large |= moving
            self._large_at = now
            self._moves.clear()
            self.restless = Tiles()  # whatever it was, it may be elsewhere now
            return True
        for tile in moving:
            self._moves.setdefault(tile, []).append(now)
        self.restless |= {tile for tile in moving if self._lasts(self._moves[tile])}
        return bool(moving - self.restless)

    def _lasts(self, moves: list[float]) -> bool:
        return len(moves) >= _LEAST_MOVES and moves[-1] - moves[0] >= self._bound

    def since(self, moment: float) -> Tiles:
        """The tiles that have moved since then."""
        small = Tiles(tile for tile, moves in self._moves.items() if moves[-1] > moment)
        return small | self.large if self._large_at > moment else small


def changed_tiles(one: Frame, other: Frame) -> Tiles:
    """(row, column) of every tile in which two pictures differ; all of them when the sizes do."""
    if one.pixels.shape != other.pixels.shape:
        changed: npt.NDArray[np.bool_] | None = np.ones(other.pixels.shape[:2], np.bool_)
    else:
        changed = _changed(one, other)
    if changed is None:
        return Tiles()
    rows, columns = (-(-side // TILE) for side in changed.shape)
    padded = np.zeros((rows * TILE, columns * TILE), np.bool_)
    padded[: changed.shape[0], : changed.shape[1]] = changed
    tiles = padded.reshape(rows, TILE, columns, TILE).any(axis=(1, 3))
    return frozenset((int(row), int(column)) for row, column in np.argwhere(tiles))


def differs(one: Frame, other: Frame, restless: Tiles = frozenset()) -> bool:
    """Whether two pictures show different things.

    Args:
        one: a picture.
        other: another one.
        restless: (row, column) of tiles that do not count.

    Returns:
        False also when all that changed is a text cursor.
    """
    if one.pixels.shape != other.pixels.shape:
        return True
    changed = _changed(one, other)
    return changed is not None and _counts(_without(changed, restless))


def differs_around(point: Point, one: Frame, other: Frame, restless: Tiles = frozenset()) -> bool:
    """Whether two pictures of the screen differ around a point in screen pixels; see `differs`."""
    if one.pixels.shape != other.pixels.shape or one.box != other.box:
        return differs(crop_around(one, point), crop_around(other, point))
    changed = _changed(one, other)
    rows, columns = one.slices(_around(one.box, point))
    return changed is not None and _counts(_without(changed, restless)[rows, columns])


def crop_around(frame: Frame, point: Point) -> Frame:
    """The part of a picture around a point in screen pixels, cut off at the picture's edge."""
    return frame.crop(_around(frame.box, point))


def _around(box: Box, point: Point) -> Box:
    """The area around a point that is inside the box."""
    return Box(
        max(box.left, point.x - _CROP),
        max(box.top, point.y - _CROP),
        min(box.right, point.x + _CROP),
        min(box.bottom, point.y + _CROP),
    )


def _without(changed: npt.NDArray[np.bool_], restless: Tiles) -> npt.NDArray[np.bool_]:
    """The mask itself, cleared where restless tiles are."""
    for row, column in restless:
        top, left = row * TILE, column * TILE
        changed[top : top + TILE, left : left + TILE] = False
    return changed


def _counts(changed: npt.NDArray[np.bool_]) -> bool:
    """Whether more than a text cursor changed."""
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if not rows.size:
        return False
    return bool(columns[-1] - columns[0] >= _CARET[0] or rows[-1] - rows[0] >= _CARET[1])


def _changed(one: Frame, other: Frame) -> npt.NDArray[np.bool_] | None:
    """(height, width): where two pictures of the same size differ; None when nowhere."""
    if np.array_equal(one.pixels, other.pixels):
        return None
    red, green, blue = (one.pixels[..., i] != other.pixels[..., i] for i in range(3))
    return red | green | blue
