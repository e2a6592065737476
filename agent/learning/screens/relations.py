"""Telling an element by what it is next to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from agent.learning.screens.element import Element
from vision.geometry import Box

REACH = 60
"""How far apart two things may be, in pixels, and still be next to each other."""

CLEAR = 6
"""By how many pixels the nearest must beat the second nearest."""


def direction(target: Element, anchor: Element, others: Iterable[Element]) -> str | None:
    """Where the target lies seen from the anchor, if it is clearly the nearest of its kind there.

    Gives "below", "above", "right" or "left"; None when the words would be ambiguous.
    """
    for way in ("below", "above", "right", "left"):
        gap = _gap(anchor.box, target.box, way)
        if gap is None or gap > REACH:
            continue
        rivals = (_gap(anchor.box, other.box, way) for other in others if other is not target)
        if all(rival is None or rival >= gap + CLEAR for rival in rivals):
            return way
    return None


def _gap(anchor: Box, target: Box, way: str) -> float | None:
    """Pixels between two boxes in a direction; None when they do not line up that way."""
    if way in ("below", "above"):
        shared = min(anchor.right, target.right) - max(anchor.left, target.left)
        aligned = shared >= 0.5 * min(anchor.width, target.width)
        gap = target.top - anchor.bottom if way == "below" else anchor.top - target.bottom
    else:
        shared = min(anchor.bottom, target.bottom) - max(anchor.top, target.top)
        aligned = shared >= 0.5 * min(anchor.height, target.height)
        gap = target.left - anchor.right if way == "right" else anchor.left - target.right
    return gap if aligned and gap >= -1 else None


def in_a_row(peers: Sequence[Element]) -> bool:
    """Whether elements follow each other strictly downwards or strictly to the right."""
    pairs = list(pairwise(peers))
    down = all(a.box.bottom <= b.box.top + 1 for a, b in pairs)
    right = all(
        a.box.right <= b.box.left + 1 and abs(a.box.center.y - b.box.center.y) < 4 for a, b in pairs
    )
    return down or right
