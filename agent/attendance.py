"""What a run needs on a display that somebody sits at: room for that person, and a way to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from actions.backends.x11_human import STOP_KEYS, X11Human
from agent.indicator import Indicator
from vision.capture import Screen

_WORDS = f"Eyehand drives.  {' + '.join(STOP_KEYS)}, or the pointer in a corner, stops it."


class Attendance:
    """The person at an X display, who may take over at any time, and is told so.

    Args:
        screen: of that display.
        display: its name; None means the one in $DISPLAY.
    """

    def __init__(self, screen: Screen, display: str | None) -> None:
        self._halt: Callable[[], None] = lambda: None
        self.human = X11Human(display, lambda: self._halt())
        self.indicator = Indicator(screen, display, _WORDS)

    @contextmanager
    def over(self, halt: Callable[[], None]) -> Iterator[None]:
        """Inside, the person is watched for and the strip is shown.

        Args:
            halt: called on a thread of its own when that person presses the stop keys.

        Raises:
            BackendError: the display cannot be watched.
        """
        self._halt = halt
        with self.human, self.indicator:
            yield
