"""A thread that listens to an X display for as long as somebody wants to hear."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from Xlib.error import ConnectionClosedError


@contextmanager
def listening(name: str, listen: Callable[[int], None]) -> Iterator[None]:
    """Inside, a thread listens; it has ended when the block is left.

    Args:
        name: of the thread.
        listen: runs on it, with a descriptor that becomes readable when it shall return; a lost
            display ends it, too. Only `listen` may use its display meanwhile.
    """
    over, end = os.pipe()

    def run() -> None:
        with suppress(ConnectionClosedError, OSError):
            listen(over)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.close(end)
        thread.join()
        os.close(over)
