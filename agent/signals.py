"""SIGINT and SIGTERM end things in order instead of leaving keys pressed and programs running."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def on_signals(react: Callable[[], None]) -> Iterator[None]:
    """Inside, both signals call `react` in the main thread, which alone may enter.

    Afterwards they do what they did before.
    """

    def handle(_number: int, _frame: FrameType | None) -> None:
        react()

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupt_main() -> None:
    """Send SIGINT to the main thread, so that it waits for nothing any more. Any thread."""
    main = threading.main_thread().ident
    assert main is not None, "it has started"
    signal.pthread_kill(main, signal.SIGINT)


def keyboard_interrupt() -> None:
    """React as Ctrl-C does by default: unwind, and close everything on the way.

    Raises:
        KeyboardInterrupt: always.
    """
    raise KeyboardInterrupt
