"""Where something that was seen earlier is on the screen now: normalised cross-correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vision.frame import Pixels
from vision.geometry import Point

SURE = 0.9
"""Correlation from which two crops show the same; 1 is equal up to brightness and contrast."""
_RIVAL = 0.04
"""A second place that correlates within this of the best one makes the finding ambiguous."""
_FLAT = 4.0
"""Standard deviation (of 255) below which a crop has nothing to be recognised by."""

Gray = npt.NDArray[np.float64]


class NotFound(Exception):
    """The crop is nowhere, or in several places; the text says so."""


@dataclass(frozen=True)
class Found:
    """Where a crop is.

    Attributes:
        corner: its top left corner, in picture pixels.
        score: the correlation, -1..1.
    """

    corner: Point
    score: float


def find(crop: Pixels, picture: Pixels, expected: Point) -> Found:
    """The place of a crop (h, w, 3) in a picture (H, W, 3), at least as large.

    Args:
        crop: what is looked for.
        picture: where.
        expected: the corner where it was; there it need not be unique.

    Raises:
        NotFound: it is not in the picture, or in several places, or there is nothing to tell it by.
    """
    small, large = _gray(crop), _gray(picture)
    x, y = int(expected.x), int(expected.y)
    here = large[y : y + small.shape[0], x : x + small.shape[1]]
    if small.shape == here.shape and _same(small, here):
        return Found(Point(x, y), 1.0)
    if small.std() < _FLAT:
        raise NotFound("its place changed, and it shows nothing to find it by")
    scores = correlate(small, large)
    row, column = np.unravel_index(int(np.argmax(scores)), scores.shape)
    best = float(scores[row, column])
    if best < SURE:
        raise NotFound(f"it is nowhere on the screen (best correlation {best:.2f})")
    if scores.shape[0] > y >= 0 and scores.shape[1] > x >= 0 and scores[y, x] >= best - _RIVAL:
        return Found(Point(x, y), float(scores[y, x]))
    height, width = (side // 2 for side in small.shape)
    scores[
        max(0, row - height) : row + height + 1, max(0, column - width) : column + width + 1
    ] = -1
    if float(scores.max()) >= best - _RIVAL:
        raise NotFound(f"it is in several places (correlations {best:.2f} and {scores.max():.2f})")
    return Found(Point(int(column), int(row)), best)


def correlate(crop: Gray, picture: Gray) -> Gray:
    """Normalised cross-correlation at every corner, (H - h + 1, W - w + 1), each -1..1.

    J. P. Lewis, "Fast Normalized Cross-Correlation" (1995): products by FFT, the picture's local
    mean and energy by sums over windows.
    """
    height, width = crop.shape
    shape = picture.shape
    zero = crop - crop.mean()
    spectrum = np.fft.rfft2(picture) * np.conj(np.fft.rfft2(zero, shape))
    rows, columns = shape[0] - height + 1, shape[1] - width + 1
    product = np.fft.irfft2(spectrum, shape)[:rows, :columns]
    mean = _windows(picture, height, width) / crop.size
    energy = _windows(picture**2, height, width) - crop.size * mean**2
    norm = np.sqrt(np.maximum(energy, 0) * (zero**2).sum())
    flat = norm < 1e-3 * crop.size
    return np.clip(np.where(flat, 0, product / np.where(flat, 1, norm)), -1, 1)


def _windows(values: Gray, height: int, width: int) -> Gray:
    """The sum of every window of that size."""
    total = np.pad(values, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    return (
        total[height:, width:]
        - total[:-height, width:]
        - total[height:, :-width]
        + total[:-height, :-width]
    )


def _same(one: Gray, other: Gray) -> bool:
    """Equal but for a few pixels, such as a blinking caret."""
    return bool((np.abs(one - other) > 8).mean() < 0.02)


def _gray(pixels: Pixels) -> Gray:
    """Luma (ITU-R BT.601), 0..255."""
    return pixels.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
