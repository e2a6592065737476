"""SIGINT and SIGTERM end a run in order: stop, release, close the record."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Inside, the signals call `stop`; afterwards they do what they did before.

    Only the main thread may enter (Python delivers signals to it alone).
    """

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
