"""A screen as tiles, each with the number of the picture in which it last changed.

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
_QUALITY = 85
_WORD = 8


@dataclass(frozen=True)
class Tile:
    """One tile: place and size in pixels of the picture, and its JPEG (4:4:4)."""

    left: int
    top: int
    width: int
    height: int
    number: int
    data: bytes


class Tiles:
    """The newest picture of one screen. Any thread may call anything; one thread updates."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frame: Frame | None = None
        self._tiles: dict[tuple[int, int], Tile] = {}
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
        fresh = {
            (int(row), int(column)): _tile(frame.pixels, int(row), int(column), number)
            for row, column in np.argwhere(dirty)
        }
        with self._lock:
            if before is not None and before.pixels.shape != frame.pixels.shape:
                self._tiles.clear()
            self._tiles.update(fresh)
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
        files of the tiles one after the other. The head names the picture's number, the screen's
        size and box, the pointer, and left, top, width, height and length of every tile.
        """
        with self._lock:
            frame, pointer, newest = self._frame, self._pointer, self._number
            tiles = [tile for tile in self._tiles.values() if tile.number > number]
        assert frame is not None, "asked only when there is a picture"
        head = {
            "number": newest,
            "size": [frame.width, frame.height],
            "box": list(frame.box),
            "pointer": None if pointer is None else list(pointer),
            "tiles": [[t.left, t.top, t.width, t.height, len(t.data)] for t in tiles],
        }
        text = json.dumps(head, separators=(",", ":")).encode()
        return newest, b"".join([len(text).to_bytes(4), text, *(tile.data for tile in tiles)])


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


def _tile(pixels: Pixels, row: int, column: int, number: int) -> Tile:
    top, left = row * TILE, column * TILE
    part = np.ascontiguousarray(pixels[top : top + TILE, left : left + TILE])
    file = io.BytesIO()
    Image.fromarray(part).save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return Tile(left, top, part.shape[1], part.shape[0], number, file.getvalue())
