"""What happens in a session, told to everybody who watches it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]
"""A JSON object: `type`, `time` (seconds since the epoch), and facts."""

Listener = Callable[[Event], None]

_KEPT = 400
"""So many of the latest events are told to whoever comes late."""


class Hub:
    """Passes events on to listeners, in order. Any thread may call anything."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[Event] = deque(maxlen=_KEPT)
        self._listeners: list[Listener] = []

    def publish(self, kind: str, *, keep: bool = True, **facts: Any) -> None:
        """Tell everybody now, and those who come later unless `keep` is off.

        Listeners are called in this thread; they must neither wait nor raise.
        """
        event = {"type": kind, "time": time.time(), **facts}
        with self._lock:
            if keep:
                self._kept.append(event)
            for listener in self._listeners:
                listener(event)

    def join(self, listener: Listener) -> None:
        """Tell it what is kept, and from now on everything."""
        with self._lock:
            for event in self._kept:
                listener(event)
            self._listeners.append(listener)

    def leave(self, listener: Listener) -> None:
        """Tell it no more."""
        with self._lock:
            self._listeners.remove(listener)
