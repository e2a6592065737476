"""A picture of the screen, as every other room passes it on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
import numpy.typing as npt
from PIL import Image

from vision.geometry import Box, Point

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Frame:
    """One screenshot.

    Attributes:
        pixels: (height, width, 3) uint8 RGB.
        box: the captured rectangle in signed screen pixels; its size may differ from the picture's
            on a scaled display.
        time: seconds since the epoch.
        cursor: hot spot of the pointer in screen pixels, None when it is not known.
    """

    pixels: Pixels
    box: Box
    time: float = 0.0
    cursor: Point | None = None

    @classmethod
    def of_image(cls, image: Image.Image, box: Box | None = None, time: float = 0.0) -> Frame:
        """A frame from a PIL image of any mode; by default its box starts at (0, 0)."""
        pixels = np.asarray(image.convert("RGB"))
        return cls(pixels, box or Box(0, 0, image.width, image.height), time)

    @property
    def height(self) -> int:
        """Picture height in pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Picture width in pixels."""
        return int(self.pixels.shape[1])

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of size and pixels: the key of content-addressed caches and files."""
        head = f"{self.width}x{self.height}:".encode()
        return sha256(head + np.ascontiguousarray(self.pixels).tobytes()).hexdigest()

    def crop(self, area: Box) -> Frame:
        """The part of the picture that shows an area of the frame's box, in screen pixels."""
        rows, columns = self.slices(area)
        return Frame(np.ascontiguousarray(self.pixels[rows, columns]), area, self.time, self.cursor)

    def slices(self, area: Box) -> tuple[slice, slice]:
        """The rows and columns that show an area of the frame's box, in screen pixels."""
        wide, high = self.width / self.box.width, self.height / self.box.height
        left, right = ((side - self.box.left) * wide for side in (area.left, area.right))
        top, bottom = ((side - self.box.top) * high for side in (area.top, area.bottom))
        rows = slice(math.floor(top), math.ceil(bottom))
        columns = slice(math.floor(left), math.ceil(right))
        return rows, columns

    def to_image(self) -> Image.Image:
        """The picture as a PIL RGB image (a copy)."""
        return Image.fromarray(self.pixels)
