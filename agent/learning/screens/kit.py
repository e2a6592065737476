"""What every widget and scene needs at hand."""

from __future__ import annotations

import random
from dataclasses import dataclass

from agent.learning.screens.canvas import Canvas, Inventory
from agent.learning.screens.iconsets import DRAWN, Icons
from agent.learning.screens.theme import Theme
from agent.learning.screens.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A screen that can be asked about, whoever made it.

    Attributes:
        rng: decides everything that is left to chance.
        canvas: what is on it.
        words: of labels that it does not have, and of texts to type.
        icons: knows what its icons are called.
    """

    rng: random.Random
    canvas: Inventory
    words: Vocabulary
    icons: Icons = DRAWN

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.rng.random() < probability


@dataclass(frozen=True, kw_only=True)
class Kit(Subject):
    """The means of drawing one screen.

    Attributes:
        canvas: where things are drawn.
        theme: the look.
    """

    canvas: Canvas
    theme: Theme

    def px(self, tenths: float) -> int:
        """A length given for a 10-px font, in pixels of this theme."""
        return max(1, round(tenths * self.theme.unit))
