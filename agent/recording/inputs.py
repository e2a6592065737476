"""What a person did with mouse and keyboard, event by event."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from actions.space import Button, Direction
from vision.frame import Frame
from vision.geometry import Point


class What(StrEnum):
    """Which kind of event it is."""

    PRESS = "press"
    RELEASE = "release"
    WHEEL = "wheel"
    KEY_DOWN = "key_down"
    KEY_UP = "key_up"


@dataclass(frozen=True)
class Input:
    """One event.

    Attributes:
        what: which of the later fields are set.
        time: seconds on the clock of the display, for distances between events.
        point: where the pointer was, in signed screen pixels.
        frame: what the screen showed before.
        button: of PRESS and RELEASE.
        direction: of WHEEL, one notch.
        key: canonical name of KEY_DOWN and KEY_UP; empty for a key that has none.
        text: what a KEY_DOWN writes, empty when it writes nothing.
        held: modifiers that were down already.
        secret: the keyboard went to a field whose content must not be recorded.
    """

    what: What
    time: float
    point: Point
    frame: Frame | None = None
    button: Button | None = None
    direction: Direction | None = None
    key: str = ""
    text: str = ""
    held: frozenset[str] = frozenset()
    secret: bool = False


WHEEL = {4: Direction.UP, 5: Direction.DOWN, 6: Direction.LEFT, 7: Direction.RIGHT}
"""X's button numbers that are notches of a wheel."""
BUTTONS = {1: Button.LEFT, 2: Button.MIDDLE, 3: Button.RIGHT}
"""X's other button numbers."""
