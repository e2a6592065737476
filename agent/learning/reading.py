"""How well a network reads letters of each height, in words and fonts that it has never seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

import torch
from rich.table import Table as RichTable

from agent.learning.batch import glyph_classes
from agent.learning.samples import Glyphs
from agent.learning.scores import wilson
from agent.learning.screens.canvas import Canvas
from agent.learning.screens.theme import random_theme, resized
from agent.learning.screens.vocabulary import Vocabulary
from agent.model.kimi_vl import KimiVL
from vision.frame import Frame, Pixels
from vision.geometry import Box, Size
from vision.image import ImageConfig, prepare

HEIGHTS = range(9, 17)
"""Pixels per em."""

SIZE = Size(320, 240)

MARGIN = 6


@dataclass(frozen=True)
class Reading:
    """Letters of one height.

    Attributes:
        height: pixels per em.
        right: how many were read right, each in the patch that it is centred in.
        letters: how many there were.
    """

    height: int
    right: int
    letters: int


def evaluate_reading(
    model: KimiVL, pages: int, progress: Callable[[], None] = lambda: None
) -> tuple[Reading, ...]:
    """Read pages of text of the test split with the reading head.

    A letter that no slot is left for in its patch counts as read wrong.

    Args:
        model: has a reading head.
        pages: of `SIZE`, for each of `HEIGHTS`.
        progress: called after each page.

    Raises:
        ValueError: there is no reading head.
    """
    if model.reader is None:
        raise ValueError("expected a model with a reading head, actually: it has none")
    found = []
    for height in HEIGHTS:
        right = letters = 0
        for number in range(pages):
            pixels, glyphs = text_page(height, number)
            right += _read(model, pixels, glyphs)
            letters += len(glyphs.chars)
            progress()
        found.append(Reading(height, right, letters))
    return tuple(found)


def text_page(height: int, number: int) -> tuple[Pixels, Glyphs]:
    """A page full of labels, sentences and codes in one font; the arguments decide."""
    random = Random(f"reading/{height}/{number}")
    theme = random_theme(random, "test", plain=False)
    canvas = Canvas(int(SIZE.width), int(SIZE.height), theme.page)
    words = Vocabulary(random, "test")
    face = resized(random.choice((theme.body, theme.bold, theme.italic)), height)
    y = MARGIN
    while y + face.line <= SIZE.height:
        line = ""
        while (
            face.width(longer := f"{line} {_said(words, random)}".strip()) < SIZE.width - 2 * MARGIN
        ):
            line = longer
        canvas.text(MARGIN, y, line, face, theme.ink)
        y += face.line + random.randint(1, 6)
    return canvas.pixels(), canvas.glyphs()


def _said(words: Vocabulary, random: Random) -> str:
    return random.choice((words.label, words.running, words.running, words.name, words.code))()


@torch.no_grad()
def _read(model: KimiVL, pixels: Pixels, glyphs: Glyphs) -> int:
    """How many of the letters are read right."""
    assert model.reader is not None
    prepared = prepare(Frame(pixels, Box(0, 0, *SIZE)), ImageConfig())
    patches = torch.from_numpy(prepared.patches)
    logits = model.reader(model.vision_tower(patches, [prepared.grid_hw]))
    classes = glyph_classes(glyphs, prepared.grid_hw, model.reader.shape[0])
    return int(((logits.argmax(-1) == classes) & (classes > 0)).sum())


def to_json(readings: Sequence[Reading]) -> dict[str, Any]:
    """Everything, in JSON types."""
    right, letters = totals(readings)
    return {"rate": right / letters, "heights": [asdict(one) for one in readings]}


def totals(readings: Sequence[Reading]) -> tuple[int, int]:
    """Letters read right, and all letters."""
    return sum(one.right for one in readings), sum(one.letters for one in readings)


def to_rich(readings: Sequence[Reading]) -> RichTable:
    """For the terminal."""
    shown = RichTable("pixels per em", caption="test words and fonts; brackets: 95 % intervals")
    shown.add_column("letters", justify="right")
    shown.add_column("read right", justify="right")
    rows = [(str(one.height), one.right, one.letters) for one in readings]
    for name, right, letters in (*rows, ("all", *totals(readings))):
        low, high = wilson(right, letters)
        shown.add_row(name, str(letters), f"{right / letters:.1%} ({low:.1%}–{high:.1%})")
    return shown
