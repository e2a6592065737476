"""Tables of measurements that always come to an end: no row hangs, and one that fails says so."""

from __future__ import annotations

import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from rich.table import Table

_GRACE_SECONDS = 30.0
"""A row that is so much later than it wanted to be is hung, not slow."""
_AGAIN_SECONDS = 2.0
"""An alarm may fall where exceptions are swallowed, so it rings again."""


class OutOfTime(BaseException):
    """A row hangs. Not an Exception, so that nothing on the way takes it for a lost display."""


class Sheet:
    """A table that is filled row by row.

    Args:
        title: what is measured.
        columns: their heads; the first one names the row.

    Attributes:
        table: what was measured so far.
        whole: whether every row could be measured.
    """

    def __init__(self, title: str, *columns: str) -> None:
        self.table = Table(*columns, title=title, box=None)
        self.whole = True

    def row(self, name: str, seconds: float, cells: Callable[[], Sequence[str]]) -> None:
        """Measure one row.

        Args:
            name: of the row.
            seconds: how long it means to take; much later it is given up.
            cells: measures, and returns the other cells.
        """
        begun = time.monotonic()
        try:
            with at_most(seconds + _GRACE_SECONDS):
                found = cells()
        except (Exception, OutOfTime) as error:
            self.fail(name, error)
        else:
            spent = time.monotonic() - begun
            self.table.add_row(name, *found)
            print(f"{name}: {', '.join(filter(None, found))} [{spent:.0f} s]", file=sys.stderr)

    def fail(self, name: str, error: BaseException) -> None:
        """A row that says what went wrong."""
        self.whole = False
        words = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        self.table.add_row(name, f"failed: {words}")
        traceback.print_exception(error)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """In the main thread: break a block off that takes longer.

    Raises:
        OutOfTime: it did.
    """

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise OutOfTime(f"not done after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def rounds(tries: int, seconds: float) -> Iterator[int]:
    """0, 1, 2 and so on: at least one, at most `tries`, none that begins after `seconds`."""
    end = time.monotonic() + seconds
    for number in range(max(1, tries)):
        if number and time.monotonic() >= end:
            return
        yield number
