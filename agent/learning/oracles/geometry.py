"""Tasks of placing a point exactly, then submitting."""

from __future__ import annotations

import math
from collections.abc import Callable

from agent.learning.oracles.page import Move, View, click, click_at
from vision.geometry import Box, Point

_QUERY = 50
"""The drawing begins so many pixels below the page's top."""
_EXACT = 1.5
"""A point that lies so near, in pixels, is good."""
_GRID = [Point(x, y) for x in range(4, 150) for y in range(4, 126)]
_NEAR = 20
"""Points nearer to the vertex, in pixels, make angles too coarse."""


def circle_center(view: View) -> Move:
    """The centre of a circle."""
    return _place(view, _center(view, ".black-circle")[0])


def midpoint(view: View) -> Move:
    """Half way between two points."""
    one, other = _center(view, ".black-circle")
    return _place(view, Point((one.x + other.x) / 2, (one.y + other.y) / 2))


def right_angle(view: View) -> Move:
    """A third point that makes a right angle."""
    end, vertex = _center(view, "#init-black")[0], _center(view, "#init-blue")[0]
    return _best(view, vertex, lambda spot: abs(_angle(end, vertex, spot) - math.pi / 2))


def bisector(view: View) -> Move:
    """A point on the line that halves an angle."""
    one, other = _center(view, ".init-black")
    vertex = _center(view, ".init-blue")[0]
    whole = _angle(one, vertex, other)

    def error(spot: Point) -> float:
        return max(_angle(one, vertex, spot), _angle(other, vertex, spot)) - whole / 2

    return _best(view, vertex, error)


def _best(view: View, vertex: Point, error: Callable[[Point], float]) -> Move:
    """Submit when the point is good enough, else put it where the error is least."""
    for spot in _center(view, "#blue-circle"):
        if error(spot) < 0.03:
            return click(view.one("#subbtn"))
    far = [spot for spot in _GRID if math.dist(spot, vertex) > _NEAR]
    # Of many good points the nearest is plain to see.
    return _point(min(far, key=lambda spot: (round(error(spot), 2), math.dist(spot, vertex))))


def _place(view: View, wanted: Point) -> Move:
    if any(math.dist(spot, wanted) < _EXACT for spot in _center(view, "#blue-circle")):
        return click(view.one("#subbtn"))
    return _point(wanted)


def _point(spot: Point) -> Move:
    x, y = round(spot.x), round(spot.y) + _QUERY
    return click_at(Box(x - 1, y - 1, x + 2, y + 2))


def _center(view: View, selector: str) -> list[Point]:
    """Centres of circles in the drawing's own coordinates."""
    found = view.read(
        f"[...document.querySelectorAll('circle')].filter(c => c.matches({selector!r}))"
        ".map(c => [+c.getAttribute('cx'), +c.getAttribute('cy')])"
    )
    return [Point(*spot) for spot in found]


def _angle(one: Point, vertex: Point, other: Point) -> float:
    first = math.atan2(one.y - vertex.y, one.x - vertex.x)
    second = math.atan2(other.y - vertex.y, other.x - vertex.x)
    between = abs(first - second)
    return min(between, 2 * math.pi - between)


ORACLES: dict[str, Callable[[View], Move]] = {
    "bisect-angle": bisector,
    "circle-center": circle_center,
    "find-midpoint": midpoint,
    "right-angle": right_angle,
}
