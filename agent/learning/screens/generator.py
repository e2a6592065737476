"""Makes whole samples: a theme, a scene, questions, and the header that shows one of them."""

from __future__ import annotations

import random
from typing import Literal

from agent.learning.samples import Question, Sample
from agent.learning.screens import scenes
from agent.learning.screens.canvas import Canvas
from agent.learning.screens.kit import Kit
from agent.learning.screens.theme import hsv, random_theme, readable
from agent.learning.screens.vocabulary import Vocabulary
from agent.learning.screens.wording import Questioner
from vision.geometry import Box, Size

MINIWOB = Size(160, 210)
"""The task area of MiniWoB++ in pixels."""

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
        web = rng.random() < 0.5
        theme = random_theme(rng, self._split, plain=web and rng.random() < 0.7)
        canvas = Canvas(width, height, theme.page)
        kit = Kit(rng, theme, canvas, Vocabulary(rng, self._split))
        head = Box(0, 0, width, 50 if rng.random() < 0.8 else rng.randint(30, 60)) if web else None
        top = head.bottom if head else 0
        scenes.draw(kit, Box(0, top, width, height))
        questions = Questioner(kit).ask(self._questions)
        if head:
            _header(kit, head, rng.choice(questions))
        return Sample(canvas.pixels(), questions, canvas.glyphs())


def _header(kit: Kit, box: Box, question: Question) -> None:
    """The strip at the top that shows an instruction, yellow as MiniWoB's or another colour."""
    yellow = (255, 255, 0)
    fill = yellow if kit.chance(0.75) else hsv(kit.rng.random(), kit.rng.random(), 0.95)
    kit.canvas.cover(box)
    kit.canvas.draw.rectangle((0, 0, box.right - 1, box.bottom - 1), fill=fill)
    x, y, face = 3.0, 3.0, kit.theme.body
    for word in question.instruction.split(" "):
        if x + face.width(word) > box.right - 2 and x > 3:
            x, y = 3.0, y + face.line
        if y + face.line > box.bottom + 2:
            return
        kit.canvas.text(x, y, word, face, readable(fill))
        x += face.width(word + " ")
