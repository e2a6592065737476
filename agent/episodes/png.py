"""A PNG encoder for screenshots: lossless, fast, and it lets go of the interpreter lock.

Pillow holds the lock while it compresses, so the agent's thread would wait 40 ms for each 1080p
screenshot although another thread does the work; `benchmarks/episodes.py` measures both.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from vision.frame import Pixels

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2
_LEVEL = 3


def encode(pixels: Pixels) -> bytes:
    """(height, width, 3) uint8 RGB as a PNG file, every row as its difference to the row above."""
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, width * 3)
    filtered = np.empty((height, width * 3 + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(filtered.data, _LEVEL)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    """Length, kind, data, checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
