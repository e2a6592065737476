"""Points, boxes, sizes, and the one object that converts between coordinate frames.

Frames used throughout Eyehand, always (x, y) with x to the right and y down:

- *screen*: signed pixels of the virtual desktop; a monitor left of the primary has negative x.
- *image*: pixels of the resized, unpadded picture that the encoder sees.
- *model*: what the model writes, by default 0..1000 on both axes of the unpadded image.

Zero is a coordinate like any other; "missing" is `None`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple


class GeometryError(ValueError):
    """A coordinate is not finite or lies outside its frame."""


class Point(NamedTuple):
    """A position (x, y); the frame is stated where the point is used."""

    x: float
    y: float


class Size(NamedTuple):
    """An extent (width, height), in the unit of its frame."""

    width: float
    height: float


class Box(NamedTuple):
    """A rectangle [left, right) x [top, bottom), in the unit of its frame."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Horizontal extent."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Vertical extent."""
        return self.bottom - self.top

    @property
    def center(self) -> Point:
        """The midpoint."""
        return Point((self.left + self.right) / 2, (self.top + self.bottom) / 2)

    def contains(self, point: Point) -> bool:
        """Whether the point lies inside; the right and bottom edges are outside."""
        return self.left <= point.x < self.right and self.top <= point.y < self.bottom


THOUSAND = Size(1000, 1000)
UNIT = Size(1, 1)


@dataclass(frozen=True)
class CoordinateMap:
    """Converts between model space, image pixels and screen pixels, and back.

    Attributes:
        screen: the captured rectangle in signed screen pixels.
        image: size of the resized, unpadded image in pixels (what the encoder sees).
        extent: the model's coordinate of the far corner: (1000, 1000) for UI-TARS 1.0/2,
            (1, 1) for OpenCUA and Kimi, the smart-resized size for UI-TARS-1.5-7B.
    """

    screen: Box
    image: Size
    extent: Size = THOUSAND

    def __post_init__(self) -> None:
        """Refuse empty frames: every later division relies on this."""
        sides = (self.screen.width, self.screen.height, *self.image, *self.extent)
        if not all(math.isfinite(side) and side > 0 for side in sides):
            raise GeometryError(f"every side must be positive and finite, actually: {sides}")

    def to_screen(self, point: Point) -> Point:
        """Model -> whole screen pixels, clamped to the last pixel inside the captured rectangle.

        Raises:
            GeometryError: the point is not finite or outside 0..extent.
        """
        if not (0 <= point.x <= self.extent.width and 0 <= point.y <= self.extent.height):
            raise GeometryError(
                f"point ({point.x}, {point.y}) is outside 0..{self.extent.width} x "
                f"0..{self.extent.height}"
            )
        x = self.screen.left + _pixel(point.x / self.extent.width, self.screen.width)
        y = self.screen.top + _pixel(point.y / self.extent.height, self.screen.height)
        return Point(x, y)

    def to_model(self, point: Point) -> Point:
        """Screen pixels -> model: the centre of that pixel.

        Raises:
            GeometryError: the point lies outside the captured rectangle.
        """
        if not self.screen.contains(point):
            raise GeometryError(f"point {tuple(point)} is outside the screen {tuple(self.screen)}")
        return Point(
            (point.x - self.screen.left + 0.5) / self.screen.width * self.extent.width,
            (point.y - self.screen.top + 0.5) / self.screen.height * self.extent.height,
        )

    def image_to_model(self, point: Point) -> Point:
        """Continuous image pixels -> model."""
        return Point(
            point.x / self.image.width * self.extent.width,
            point.y / self.image.height * self.extent.height,
        )

    def model_to_image(self, point: Point) -> Point:
        """Model -> continuous image pixels."""
        return Point(
            point.x / self.extent.width * self.image.width,
            point.y / self.extent.height * self.image.height,
        )


def _pixel(fraction: float, side: float) -> int:
    """The whole pixel that holds this fraction of a side; the far edge belongs to the last one."""
    return min(math.floor(fraction * side), math.ceil(side) - 1)
