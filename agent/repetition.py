"""Notices that an agent goes in circles."""

from __future__ import annotations

from collections import Counter

from actions.settle import differs
from actions.space import Action
from vision.frame import Frame


class Repetition:
    """Counts how often the same actions were chosen on the same screen.

    Circles of any length count, since a screen that comes back is the same screen. One on which
    only a text cursor blinks is unchanged.
    """

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, tuple[Action, ...]]] = Counter()
        self._screen: Frame | None = None

    def count(self, frame: Frame, actions: tuple[Action, ...]) -> int:
        """How often these actions were now chosen on this screen; 1 for the first time."""
        if self._screen is None or differs(self._screen, frame):
            self._screen = frame
        key = (self._screen.digest, actions)
        self._seen[key] += 1
        return self._seen[key]
