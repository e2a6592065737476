"""Pictures that were decoded lately."""

from __future__ import annotations

import threading
from collections import OrderedDict

from vision.frame import Frame


class FrameCache:
    """The pictures that came last, for clients that send their history again with every step.

    The same text gives the same `Frame` object, whose digest is then known, too. Any thread may
    use it.

    Args:
        pixels: most pixels to keep in all, 3 bytes each.
    """

    def __init__(self, pixels: int) -> None:
        self._room = pixels
        self._lock = threading.Lock()
        self._frames: OrderedDict[bytes, Frame] = OrderedDict()

    def get(self, key: bytes) -> Frame | None:
        """The frame, None when it is not here any more."""
        with self._lock:
            if key in self._frames:
                self._frames.move_to_end(key)
            return self._frames.get(key)

    def put(self, key: bytes, frame: Frame) -> None:
        """Keep a frame; the ones that were used longest ago make room."""
        with self._lock:
            if key not in self._frames:
                self._frames[key] = frame
                self._room -= frame.width * frame.height
            while self._room < 0:
                _, oldest = self._frames.popitem(last=False)
                self._room += oldest.width * oldest.height
