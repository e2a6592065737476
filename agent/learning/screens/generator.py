"""Makes whole samples: a theme, a scene, questions, and the header that shows one of them."""

from __future__ import annotations

import random
from pathlib import Path

from agent.learning.samples import Sample, Takes
from agent.learning.screens import scenes
from agent.learning.screens.canvas import Canvas
from agent.learning.screens.header import draw_header
from agent.learning.screens.iconsets import icons_of
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

SPLITS = ("train", "validation", "test")

SMALLEST = 120
"""Sides below this many pixels leave no room for a scene."""


class ScreenGenerator:
    """An endless, reproducible supply of labelled screens.

    Args:
        seed: another seed gives other screens.
        size: width and height of the screens in pixels.
        split: "train", "validation" or "test"; they share neither content words nor fonts.
        questions: how many questions each screen has, at least one.
        icons: folder of icon sets, made by `screens.iconpackages`; they belong to one split each.
            None means drawn icons in all splits.

    Raises:
        ValueError: an argument is out of range, or there are no icon sets in the folder.
    """

    def __init__(
        self,
        seed: int,
        size: Size = MINIWOB,
        split: str = "train",
        questions: int = 6,
        icons: Path | None = None,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"expected a split of {', '.join(SPLITS)}, actually {split!r}")
        if min(size) < SMALLEST:
            raise ValueError(f"expected sides of at least {SMALLEST} pixels, actually {size}")
        if questions < 1:
            raise ValueError(f"expected at least one question, actually {questions}")
        self._seed = seed
        self._size = size
        self._split = split
        self._questions = questions
        self._icons = icons
        icons_of(icons, split)  # a folder without sets is told of now

    def sample(self, index: int) -> Sample:
        """The sample of this number: the same for the same arguments and the same fonts."""
        return self.tagged(index)[0]

    def tagged(self, index: int) -> tuple[Sample, tuple[Takes, ...]]:
        """The sample of this number, and what each of its questions takes."""
        rng = random.Random(f"{self._seed}/{self._split}/{index}")
        width, height = round(self._size.width), round(self._size.height)
        web = rng.random() < WEB
        theme = random_theme(rng, self._split, plain=web and rng.random() < 0.7)
        canvas = Canvas(width, height, theme.page)
        designs = icons_of(self._icons, self._split)
        icons = designs[0] if len(designs) == 1 else rng.choice(designs)
        words = Vocabulary(rng, self._split)
        kit = Kit(rng=rng, theme=theme, canvas=canvas, words=words, icons=icons)
        top = (50 if rng.random() < 0.8 else rng.randint(40, 60)) if web else 0
        scenes.draw(kit, Box(0, top, width, height))
        asked = Questioner(kit).ask(self._questions)
        questions = tuple(question for _, question in asked)
        if top:
            draw_header(kit, Box(0, 0, width, top), rng.choice(questions).instruction)
        if kit.chance(CURSOR):
            canvas.cursor(rng.randrange(width), rng.randrange(height))
        sample = Sample(canvas.pixels(), questions, canvas.glyphs())
        return sample, tuple(takes for takes, _ in asked)
