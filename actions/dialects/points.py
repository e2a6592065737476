"""Points as models write them: every notation seen in the wild, and the range check."""

from __future__ import annotations

import math
import re

from actions.dialects.errors import ParseError, RenderError
from actions.dialects.scanner import Value
from vision.geometry import Box, Point, Size

_NUMBER = re.compile(r"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?(?![\w.+-])", re.ASCII)
_DRESS = re.compile(r"(?:<\|box_(?:start|end)\|>|</?(?:point|bbox|box)>|[\s()\[\]'\"])+")


def read_point(value: Value, source: str, extent: Size | None) -> Point:
    """The point that a value names: two numbers, or the centre of a box of four.

    Brackets, box tokens and tags around the numbers do not matter; between two numbers stands
    white space, a bracket or one comma.

    Raises:
        ParseError: not 2 or 4 numbers, or a number outside 0..extent.
    """
    numbers = _read_numbers(value, source, extent)
    if len(numbers) == 2:
        return Point(_narrow(numbers[0]), _narrow(numbers[1]))
    if len(numbers) == 4:
        center = Box(*numbers).center
        return Point(_narrow(center.x), _narrow(center.y))
    wanted = "2 numbers (a point) or 4 numbers (a box)"
    raise ParseError(f"{wanted}, not {len(numbers)}", source, value.offset)


def write_number(number: float) -> str:
    """A finite number in the shortest form that reads back the same.

    Raises:
        RenderError: the number is not finite.
    """
    if not math.isfinite(number):
        raise RenderError(f"expected a finite number, actually: {number}")
    return str(int(number)) if number == int(number) else repr(float(number))


def in_range(point: Point, extent: Size | None) -> bool:
    """Whether both numbers lie in 0..extent (any finite number >= 0 when the extent is None)."""
    limits = extent or (math.inf, math.inf)
    return all(math.isfinite(n) and 0 <= n <= end for n, end in zip(point, limits, strict=True))


def describe(extent: Size | None) -> str:
    """The range in words, for error messages."""
    if extent is None:
        return "pixels >= 0"
    return f"0..{extent.width} for x and 0..{extent.height} for y"


def _read_numbers(value: Value, source: str, extent: Size | None) -> list[float]:
    """The numbers of a value, each checked against its axis."""
    numbers: list[float] = []
    position, comma_allowed = 0, False
    while position < len(value.text):
        if dress := _DRESS.match(value.text, position):
            position = dress.end()
        elif comma_allowed and value.text[position] == ",":
            position, comma_allowed = position + 1, False
        elif match := _NUMBER.match(value.text, position):
            number = float(match[0])
            axis = len(numbers) % 2
            pair = Point(0, number) if axis else Point(number, 0)
            if not in_range(pair, extent):
                wanted = f"a coordinate in {describe(extent)}"
                raise ParseError(wanted, source, value.offset + position)
            numbers.append(number)
            position, comma_allowed = match.end(), True
        else:
            raise ParseError("a number", source, value.offset + position)
    return numbers


def _narrow(number: float) -> float:
    """A whole number as int, so that JSON and messages show what the model wrote."""
    return int(number) if number.is_integer() else number
