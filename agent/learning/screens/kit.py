"""What every widget and scene needs at hand."""

from __future__ import annotations

import random
from dataclasses import dataclass

from agent.learning.screens.canvas import Canvas
from agent.learning.screens.iconsets import DRAWN, Icons
from agent.learning.screens.theme import Theme
from agent.learning.screens.vocabulary import Vocabulary


@dataclass(frozen=True)
class Kit:
    """The means of drawing one screen.

    Attributes:
        rng: decides everything that is left to chance.
        theme: the look.
        canvas: where things are drawn.
        words: labels and running text.
        icons: the design of its icons.
    """

    rng: random.Random
    theme: Theme
    canvas: Canvas
    words: Vocabulary
    icons: Icons = DRAWN

    def px(self, tenths: float) -> int:
        """A length given for a 10-px font, in pixels of this theme."""
        return max(1, round(tenths * self.theme.unit))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.rng.random() < probability
