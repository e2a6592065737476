"""Films a session's screen while somebody watches, and no faster than they can take it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from actions.backends.base import BackendError
from server.control.desk import Desk
from server.control.tiles import Tiles
from vision.capture import CaptureError

_PERIOD = 1 / 25
"""Seconds between two pictures at least; what is left of a core belongs to the model."""
_POINTER_SECONDS = 1 / 25


class Camera:
    """Takes pictures into tiles on a thread of its own, one for every time that one is wanted.

    A picture that no viewer can take yet is not taken: encoding it would cost the viewers' machine,
    or the model, what it needs.

    Args:
        desk: what is filmed.
        tiles: where the pictures go.
    """

    def __init__(self, desk: Desk, tiles: Tiles) -> None:
        self._desk = desk
        self._tiles = tiles
        self._state = threading.Condition()
        self._viewers: list[Callable[[], None]] = []
        self._wanted = False
        self._closed = False
        self._thread = threading.Thread(target=self._film, name="camera", daemon=True)
        self._thread.start()

    def add(self, viewer: Callable[[], None]) -> None:
        """Call this after every new picture; it must neither wait nor raise."""
        with self._state:
            self._viewers.append(viewer)
        self.want()

    def want(self) -> None:
        """A viewer has room for the next picture; it never waits."""
        with self._state:
            self._wanted = True
            self._state.notify()

    def remove(self, viewer: Callable[[], None]) -> None:
        """Call it no more."""
        with self._state:
            self._viewers.remove(viewer)

    def close(self) -> None:
        """Stop filming; the display may be closed after that. Safe to repeat."""
        with self._state:
            self._closed = True
            self._state.notify()
        self._thread.join()

    def _film(self) -> None:
        try:
            while self._wait_until_wanted():
                start = time.monotonic()
                if self._look():
                    with self._state:
                        for viewer in self._viewers:
                            viewer()
                    time.sleep(max(0.0, start + _PERIOD - time.monotonic()))
        except (CaptureError, BackendError):  # the display died; the agent's run says so
            return

    def _wait_until_wanted(self) -> bool:
        """Whether it goes on."""
        with self._state:
            self._state.wait_for(lambda: (self._viewers and self._wanted) or self._closed)
            return not self._closed

    def _look(self) -> bool:
        """Whether there is something new."""
        moved = self._desk.motion.wait(_POINTER_SECONDS) or self._tiles.number == 0
        with self._state:
            self._wanted = False  # before the picture: who asks from here on means the next one
        if moved:
            new = self._tiles.update(self._desk.screen.grab())
        else:
            new = self._tiles.point_at(self._desk.backend.pointer())
        if not new:
            self.want()
        return new
