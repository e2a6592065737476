"""Makes whole samples: a theme, a scene, questions, and the header that shows one of them."""

from __future__ import annotations

import random
from typing import Literal

from agent.learning.samples import Sample
from agent.learning.screens import scenes
from agent.learning.screens.canvas import Canvas
from agent.learning.screens.header import draw_header
from agent.learning.screens.kit import Kit
from agent.learning.screens.questions import Questioner
from agent.learning.screens.theme import random_theme
from agent.learning.screens.vocabulary import Vocabulary
from vision.geometry import Box, Size

MINIWOB = Size(160, 210)
"""The task area of MiniWoB++ in pixels."""

WEB = 0.55
"""Share of screens with an instruction at the top, as MiniWoB++ has."""

CURSOR = 0.12
"""Share of screens with a mouse pointer."""

Split = Literal["train", "validation", "test"]


class ScreenGenerator:
    """An endless, reproducible supply of labelled screens.

    Args:
        seed: another seed gives other screens.
        size: width and height of the screens in pixels.
        split: screens of different splits share neither content words nor fonts.
        questions: how many questions each screen has.
    """

    def __init__(
        self,
        seed: int,
        size: Size = MINIWOB,
        split: Split = "train",
        questions: int = 6,
    ) -> None:
        self._seed = seed
        self._size = size
        self._split = split
        self._questions = questions

    def sample(self, index: int) -> Sample:
        """The sample of this number: the same for the same seed, size, split and index."""
        rng = random.Random(f"{self._seed}/{self._split}/{index}")
        width, height = round(self._size.width), round(self._size.height)
        web = rng.random() < WEB
        theme = random_theme(rng, self._split, plain=web and rng.random() < 0.7)
        canvas = Canvas(width, height, theme.page)
        kit = Kit(rng, theme, canvas, Vocabulary(rng, self._split))
        top = (50 if rng.random() < 0.8 else rng.randint(40, 60)) if web else 0
        scenes.draw(kit, Box(0, top, width, height))
        questions = Questioner(kit).ask(self._questions)
        if top:
            draw_header(kit, Box(0, 0, width, top), rng.choice(questions).instruction)
        if kit.chance(CURSOR):
            canvas.cursor(rng.randrange(width), rng.randrange(height))
        return Sample(canvas.pixels(), questions, canvas.glyphs())
