"""How often something may happen."""

from __future__ import annotations

import time
from collections.abc import Callable


class Bucket:
    """A token bucket: full at first, filled again at an even rate, emptied by one per event.

    Args:
        rate: events per second in the long run.
        burst: most events at once.
        clock: seconds.
    """

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._level, self._at = float(burst), clock()

    def take(self) -> float:
        """0 when the event may happen now, else the seconds until it may; nothing is taken then."""
        now = self._clock()
        self._level = min(self._level + (now - self._at) * self._rate, self._burst)
        self._at = now
        if self._level < 1:
            return (1 - self._level) / self._rate
        self._level -= 1
        return 0.0
