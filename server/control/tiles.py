"""A screen as parts, each with the number of the picture in which it last changed.

A viewer names the last picture that it has and gets what changed since, always in its newest form.
So nothing queues up for a slow one, and a late one simply starts at 0.
"""

from __future__ import annotations

import io
import json
import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from vision.frame import Frame, Pixels
from vision.geometry import Point

TILE = 256
"""Side of a tile in pixels; small ones cost more per pixel, large ones carry more that is old."""
_DENSE = 0.5
"""Changed tiles that fill so much of their bounding box travel as one picture: decoding forty small
pictures costs a browser many times more than one large one."""
_MOST_PARTS = 128
_QUALITY = 85
_WORD = 8


@dataclass(frozen=True)
class Part:
    """A rectangle of tiles: place and size in pixels of the picture, and its JPEG (4:4:4)."""

    left: int
    top: int
    width: int
    height: int
    number: int
    data: bytes

    def covers(self, other: Part) -> bool:
        """Whether nothing of the other one can be seen under this one."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.left + self.width >= other.left + other.width
            and self.top + self.height >= other.top + other.height
        )


class Tiles:
    """The newest picture of one screen. Any thread may call anything; one thread updates."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frame: Frame | None = None
        self._parts: list[Part] = []
        self._number = 0
        self._pointer: Point | None = None

    @property
    def number(self) -> int:
        """Of the newest picture; 0 before the first."""
        return self._number

    def update(self, frame: Frame) -> bool:
        """Take in a picture; whether it, or the pointer's place, is a new one."""
        before = self._frame
        if before is not None and before.pixels.shape == frame.pixels.shape:
            dirty = changed(before.pixels, frame.pixels)
        else:
            dirty = np.ones((-(-frame.height // TILE), -(-frame.width // TILE)), np.bool_)
        if not dirty.any() and self._pointer == frame.cursor:
            return False
        number = self._number + 1
        if len(self._parts) > _MOST_PARTS:
            dirty[:] = True
        fresh = [_part(frame.pixels, place, number) for place in _places(dirty)]
        with self._lock:
            for part in fresh:
                self._parts = [old for old in self._parts if not part.covers(old)] + [part]
            self._frame, self._pointer, self._number = frame, frame.cursor, number
        return True

    def point_at(self, pointer: Point) -> bool:
        """Take in the pointer's place alone; whether it is a new one."""
        with self._lock:
            moved = self._pointer != pointer
            self._number += moved
            self._pointer = pointer
        return moved

    def since(self, number: int) -> tuple[int, bytes]:
        """What changed after that picture, as one message, and the number that it brings up to.

        The message is the length of its head (4 bytes, big-endian), the head in JSON, and the JPEG
        files of the parts one after the other. The head names the picture's number, the screen's
        size and box, the pointer, and left, top, width, height and length of every part; a later
        part lies over an earlier one.
        """
        with self._lock:
            frame, pointer, newest = self._frame, self._pointer, self._number
            parts = [part for part in self._parts if part.number > number]
        assert frame is not None, "asked only when there is a picture"
        head = {
            "number": newest,
            "size": [frame.width, frame.height],
            "box": list(frame.box),
            "pointer": None if pointer is None else list(pointer),
            "tiles": [[t.left, t.top, t.width, t.height, len(t.data)] for t in parts],
        }
        text = json.dumps(head, separators=(",", ":")).encode()
        return newest, b"".join([len(text).to_bytes(4), text, *(part.data for part in parts)])


def changed(one: Pixels, other: Pixels) -> npt.NDArray[np.bool_]:
    """(rows, columns) of tiles: where two pictures (height, width, 3) differ."""
    rows, columns = (range(0, side, TILE) for side in one.shape[:2])
    step = one.shape[2]
    if one.shape[1] * step % _WORD == 0:  # eight bytes at a time
        lines = [np.ascontiguousarray(each).reshape(one.shape[0], -1) for each in (one, other)]
        differ = lines[0].view(np.uint64) != lines[1].view(np.uint64)
        starts = [column * step // _WORD for column in columns]
    else:
        differ = (one != other).reshape(one.shape[0], -1)
        starts = [column * step for column in columns]
    bands = np.logical_or.reduceat(differ, list(rows), axis=0)
    return np.logical_or.reduceat(bands, starts, axis=1)


def _places(dirty: npt.NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Top, left, bottom, right (in tiles) of the rectangles that shall hold all dirty tiles."""
    rows, columns = np.nonzero(dirty)
    if not rows.size:
        return []
    top, left, bottom, right = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
    if rows.size >= _DENSE * (bottom - top) * (right - left):
        return [(int(top), int(left), int(bottom), int(right))]
    return [(int(r), int(c), int(r) + 1, int(c) + 1) for r, c in zip(rows, columns, strict=True)]


def _part(pixels: Pixels, place: tuple[int, int, int, int], number: int) -> Part:
    top, left, bottom, right = (TILE * side for side in place)
    cut = np.ascontiguousarray(pixels[top:bottom, left:right])
    file = io.BytesIO()
    Image.fromarray(cut).save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return Part(left, top, cut.shape[1], cut.shape[0], number, file.getvalue())
