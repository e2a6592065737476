"""What the screen showed before an event: the last still picture, looked for all the time."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np

from vision.capture import Eyes
from vision.frame import Frame

PERIOD_SECONDS = 0.08
_KEPT_SECONDS = 1.0
_KEPT_LEAST = 2


@dataclass
class _Look:
    """A picture, and whether the next one showed the same."""

    frame: Frame
    still: bool = False


class Watch:
    """Grabs the screen in a thread of its own, alive inside a `with` block.

    A picture counts as still when the next grab showed the same. One second of grabs is kept.

    Args:
        eyes: the screen; may be used by other threads meanwhile.
    """

    def __init__(self, eyes: Eyes) -> None:
        self._eyes = eyes
        self._seen: deque[_Look] = deque()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._blind = False
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
        self.error: Exception | None = None

    def __enter__(self) -> Watch:
        self._keep(self._eyes.grab())
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def before(self, moment: float, after: float) -> Frame:
        """The last still picture of the time between; the last picture when none was still.

        Args:
            moment: when something happened, seconds since the epoch.
            after: when the event before it happened: older pictures show a screen that is gone.
        """
        with self._lock:
            seen = [look for look in self._seen if look.frame.time < moment]
            still = (look for look in reversed(seen) if look.still and look.frame.time > after)
            chosen = next(still, seen[-1] if seen else self._seen[0])
            return chosen.frame

    def look_away(self, blind: bool) -> None:
        """Keep no pictures for a while, and forget those that there are when it is over."""
        with self._lock:
            self._blind = blind
            if not blind:
                self._seen.clear()
        if not blind:
            self._keep(self._eyes.grab())

    def _look(self) -> None:
        while not self._over.wait(PERIOD_SECONDS):
            try:
                self._keep(self._eyes.grab())
            except OSError as error:
                self.error = error
                return

    def _keep(self, frame: Frame) -> None:
        with self._lock:
            if self._blind:
                return
            last = self._seen[-1] if self._seen else None
            if last is not None and np.array_equal(last.frame.pixels, frame.pixels):
                last.still = True
                frame = replace(frame, pixels=last.frame.pixels)  # kept in memory once
            self._seen.append(_Look(frame))
            oldest = time.time() - _KEPT_SECONDS
            while len(self._seen) > _KEPT_LEAST and self._seen[0].frame.time < oldest:
                self._seen.popleft()
