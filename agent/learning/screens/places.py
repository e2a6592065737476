"""Finding room for things."""

from __future__ import annotations

from collections.abc import Callable

from agent.learning.screens.kit import Kit
from vision.geometry import Box


def inset(box: Box, by: float) -> Box:
    """The box without a margin on each side."""
    return Box(box.left + by, box.top + by, box.right - by, box.bottom - by)


def free(kit: Kit, box: Box, tries: int = 12) -> Callable[[float, float], Box | None]:
    """A chooser of places that do not touch each other inside a box."""
    taken: list[Box] = []

    def place(width: float, height: float) -> Box | None:
        for _ in range(tries):
            if box.width <= width or box.height <= height:
                return None
            x = round(box.left + kit.rng.random() * (box.width - width))
            y = round(box.top + kit.rng.random() * (box.height - height))
            spot = Box(x, y, x + width, y + height)
            apart = (
                spot.right + 2 <= other.left
                or other.right + 2 <= spot.left
                or spot.bottom + 2 <= other.top
                or other.bottom + 2 <= spot.top
                for other in taken
            )
            if all(apart):
                taken.append(spot)
                return spot
        return None

    return place
