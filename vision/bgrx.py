"""From the bytes that screens are made of to those that pictures are made of."""

from __future__ import annotations

from mmap import mmap

import numpy as np

from vision.frame import Pixels


def to_rgb(raw: bytearray | mmap, height: int, width: int) -> Pixels:
    """Contiguous (height, width, 3) RGB from rows of B, G, R, X bytes; more bytes may follow.

    Byte by byte the memory is walked three times, by words once. A word that begins one byte before
    its pixel reads X, B, G, R; turned round it is R, G, B, X. Such words are written three bytes
    apart and in order, so that the next one begins where the X is.
    """
    rgb = np.empty(3 * height * width, np.uint8)
    inner = max(0, height * width - 2)
    source = np.ndarray((inner,), "<u4", raw, offset=3, strides=(4,))
    target = np.ndarray((inner,), ">u4", rgb, offset=3 if inner else 0, strides=(3,))
    target[...] = source
    # Words of the first and the last pixel would reach beyond the memory.
    pixels = np.ndarray((height * width, 4), np.uint8, raw)
    rgb[:3], rgb[-3:] = pixels[0, 2::-1], pixels[-1, 2::-1]
    return rgb.reshape(height, width, 3)
