"""The resizing rule of Qwen2.5-VL, which fixes the pixel space that UI-TARS-1.5-7B writes in."""

from __future__ import annotations

import math

FACTOR = 28
MIN_PIXELS = 100 * FACTOR * FACTOR
MAX_PIXELS = 16384 * FACTOR * FACTOR
MAX_RATIO = 200


class SmartResizeError(ValueError):
    """A side is not positive, or one side is more than 200 times the other."""


def smart_resize(
    height: int, width: int, *, min_pixels: int = MIN_PIXELS, max_pixels: int = MAX_PIXELS
) -> tuple[int, int]:
    """(height, width) in pixels after resizing: multiples of 28, area within the limits.

    Halves round to even, as in the servers' Python: a side of 70 becomes 56. JavaScript clients
    round them up and get 84, which shifts every click.

    Args:
        height: rows of the screenshot.
        width: columns of the screenshot.
        min_pixels: smaller areas are scaled up.
        max_pixels: larger areas are scaled down; must equal the limit that the server uses.

    Raises:
        SmartResizeError: a side is not positive, or the picture is too narrow.
    """
    if min(height, width) < 1:
        raise SmartResizeError(f"expected positive sides, actually: {height} x {width}")
    if max(height, width) > MAX_RATIO * min(height, width):
        raise SmartResizeError(
            f"expected an aspect ratio of at most {MAX_RATIO}, actually: {height} x {width}; "
            "crop the picture"
        )
    new_height, new_width = (max(FACTOR, round(side / FACTOR) * FACTOR) for side in (height, width))
    area = new_height * new_width
    if area > max_pixels:
        beta = math.sqrt(height * width / max_pixels)
        new_height, new_width = (
            max(FACTOR, math.floor(side / beta / FACTOR) * FACTOR) for side in (height, width)
        )
    elif area < min_pixels:
        beta = math.sqrt(min_pixels / (height * width))
        new_height, new_width = (
            math.ceil(side * beta / FACTOR) * FACTOR for side in (height, width)
        )
    return new_height, new_width
