"""The drawing surface: an image that remembers each glyph and each element put on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from agent.learning.samples import Glyphs
from agent.learning.screens.element import Element
from agent.learning.screens.fonts import Face
from agent.learning.screens.theme import Color
from vision.geometry import Box, Point


class Inventory:
    """What is on a screen.

    Attributes:
        elements: what can be asked for.
        remains: what is half hidden: never an answer, but it can make a question ambiguous.
        texts: every line of text that was ever written.
    """

    def __init__(self) -> None:
        self.elements: list[Element] = []
        self.remains: list[Element] = []
        self.texts: list[str] = []


class Canvas(Inventory):
    """An RGB image of width x height pixels that keeps what was put on it.

    Args:
        width: pixels.
        height: pixels.
        background: colour of the page.
    """

    def __init__(self, width: int, height: int, background: Color) -> None:
        super().__init__()
        self.width = width
        self.height = height
        self._image = Image.new("RGB", (width, height), background)
        self.draw = ImageDraw.Draw(self._image)
        self._chars: list[str] = []
        self._centers: list[tuple[float, float]] = []

    @property
    def box(self) -> Box:
        """The whole surface."""
        return Box(0, 0, self.width, self.height)

    def text(self, x: float, y: float, text: str, face: Face, color: Color) -> Box:
        """Write one line; x, y is its top left corner. Gives the line's box."""
        x, y = round(x), round(y)
        offsets = face.offsets(text)
        self.texts.append(text)
        self._ink(x, y, text, offsets, face, color)
        middle = y + face.line / 2
        for char, left, right in zip(text, offsets, offsets[1:], strict=False):
            center = Point(x + (left + right) / 2, middle)
            if char != " " and self.box.contains(center):
                self._chars.append(char)
                self._centers.append(center)
        return Box(x, y, x + offsets[-1], y + face.line)

    def add(self, element: Element) -> Element:
        """Remember an element; one that is not wholly on the screen cannot be asked for."""
        box = element.box
        if box.left >= 0 and box.top >= 0 and box.right <= self.width and box.bottom <= self.height:
            self.elements.append(element)
        return element

    def cover(self, box: Box) -> None:
        """Forget what a window drawn over `box` hides, and what it touches.

        What stays visible in part can no longer be asked for, but is kept in `remains`, because
        it may still make a question ambiguous.
        """
        kept = [index for index, at in enumerate(self._centers) if not _near(box, at)]
        self._chars = [self._chars[index] for index in kept]
        self._centers = [self._centers[index] for index in kept]
        touched = [element for element in self.elements if _overlap(box, element.box)]
        self.elements = [element for element in self.elements if not _overlap(box, element.box)]
        known = [*self.remains, *touched]
        self.remains = [element for element in known if not _inside(element.box, box)]

    def cursor(self, x: int, y: int) -> None:
        """Draw a mouse pointer whose tip is at x, y; characters under it cannot be read."""
        arrow = [(0, 0), (0, 12), (3, 9), (5, 14), (7, 13), (5, 8), (9, 8)]
        self.draw.polygon([(x + dx, y + dy) for dx, dy in arrow], (255, 255, 255), (0, 0, 0))
        kept = [
            index
            for index, (cx, cy) in enumerate(self._centers)
            if not (x - 3 < cx < x + 9 and y - 4 < cy < y + 16)
        ]
        self._chars = [self._chars[index] for index in kept]
        self._centers = [self._centers[index] for index in kept]

    def paste(self, picture: Image.Image, x: int, y: int) -> None:
        """Put an RGB picture with its top left corner at x, y."""
        self._image.paste(picture, (x, y))

    def stamp(self, mask: Image.Image, x: float, y: float, color: Color) -> None:
        """Put a colour through an "L" mask with its top left corner at x, y."""
        self._image.paste(color, (round(x), round(y)), mask)

    def pixels(self) -> NDArray[np.uint8]:
        """The picture, (H, W, 3)."""
        return np.array(self._image)

    def glyphs(self) -> Glyphs:
        """Every visible printable character with the centre of its advance box and line."""
        order = sorted(range(len(self._chars)), key=lambda k: self._centers[k][::-1])
        centers = np.array([self._centers[k] for k in order], dtype=np.float32).reshape(-1, 2)
        return Glyphs("".join(self._chars[k] for k in order), centers)

    def _ink(
        self, x: int, y: int, text: str, offsets: Sequence[float], face: Face, color: Color
    ) -> None:
        """Blend a line of text whose top left corner is at x, y."""
        cover = face.coverage(text, offsets)
        left, top = x - face.margin, y - face.margin
        if cover.shape[2] == 1:
            self._image.paste(color, (left, top), Image.fromarray(cover[:, :, 0]))
            return
        area = (left, top, left + cover.shape[1], top + cover.shape[0])
        below = np.asarray(self._image.crop(area), dtype=np.int16)
        mixed = below + (np.array(color, dtype=np.int16) - below) * (cover / np.float32(255))
        self._image.paste(Image.fromarray(mixed.astype(np.uint8)), area[:2])


def _near(box: Box, at: Sequence[float]) -> bool:
    margin = 3
    return (
        box.left - margin < at[0] < box.right + margin
        and box.top - margin < at[1] < box.bottom + margin
    )


def _inside(one: Box, other: Box) -> bool:
    return (
        other.left <= one.left
        and other.top <= one.top
        and one.right <= other.right
        and one.bottom <= other.bottom
    )


def _overlap(one: Box, other: Box) -> bool:
    return (
        one.left < other.right
        and other.left < one.right
        and one.top < other.bottom
        and other.top < one.bottom
    )
