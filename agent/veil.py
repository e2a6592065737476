"""Eyes that do not see some of the screen, so that neither the model nor the record ever does."""

from __future__ import annotations

from actions.settle import TILE, Tiles, changed_tiles, differs
from vision.capture import Eyes, Monitor
from vision.frame import Frame
from vision.geometry import Box

GREY = 128
"""The shade of all three channels where a veil is."""


class Veiled:
    """Eyes with veils: rectangles that are flat grey in every picture, as if nothing were there.

    Not thread-safe.

    Args:
        eyes: what looks.
        veils: rectangles in signed screen pixels.
    """

    def __init__(self, eyes: Eyes, *veils: Box) -> None:
        self._eyes = eyes
        self._veils = list(veils)
        self._before: Frame | None = None

    @property
    def box(self) -> Box:
        """The rectangle that a grab without a region shows, in signed screen pixels."""
        return self._eyes.box

    def monitors(self) -> tuple[Monitor, ...]:
        """The monitors."""
        return self._eyes.monitors()

    def grab(self, region: Box | None = None) -> Frame:
        """A picture of that rectangle, by default of the whole `box`."""
        frame = self._eyes.grab(region)
        for veil in self._veils:
            _cover(frame, veil)
        if self._before is not None and region is None and differs(self._before, frame):
            changed, self._before = _areas(changed_tiles(self._before, frame), frame), None
            self._veils += changed
            for veil in changed:
                _cover(frame, veil)
        return frame

    def hide_what_changes_since(self, before: Frame) -> None:
        """Veil, for good, what the first picture shows that is not like this one.

        It is not lifted again: that the secret has left the screen cannot be told from pixels.
        """
        self._before = before


def _areas(tiles: Tiles, frame: Frame) -> list[Box]:
    """For each row of tiles, what lies between its outermost ones, with a tile around it."""
    wide, high = frame.box.width / frame.width, frame.box.height / frame.height
    areas = []
    for row in sorted({row for row, _ in tiles}):
        columns = [column for other, column in tiles if other == row]
        left, right = (min(columns) - 1) * TILE * wide, (max(columns) + 2) * TILE * wide
        top, bottom = (row - 1) * TILE * high, (row + 2) * TILE * high
        x, y = frame.box.left, frame.box.top
        areas.append(Box(x + left, y + top, x + right, y + bottom))
    return areas


def _cover(frame: Frame, veil: Box) -> None:
    """Paint a rectangle of the screen, as far as the picture shows it."""
    box = frame.box
    wide, high = frame.width / box.width, frame.height / box.height
    left, right = (max(0, round((side - box.left) * wide)) for side in (veil.left, veil.right))
    top, bottom = (max(0, round((side - box.top) * high)) for side in (veil.top, veil.bottom))
    frame.pixels[top:bottom, left:right] = GREY
