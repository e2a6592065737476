"""How well a network reads letters of each height, in words and fonts that it has never seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

import torch
from rich.table import Table as RichTable
from torch import Tensor
from torch.nn import functional as F

from agent.learning.batch import glyph_classes
from agent.learning.samples import Glyphs
from agent.learning.scores import wilson
from agent.learning.screens.canvas import Canvas
from agent.learning.screens.theme import random_theme, resized
from agent.learning.screens.vocabulary import Vocabulary
from agent.model.kimi_vl import KimiVL
from agent.model.pointer import PRINTABLE
from vision.frame import Frame, Pixels
from vision.geometry import Box, Size
from vision.image import ImageConfig, prepare
from vision.moonvit import Grid
from vision.stem import CELL

HEIGHTS = range(9, 17)
"""Pixels per em."""

SIZE = Size(320, 240)

MARGIN = 6


@dataclass(frozen=True)
class Reading:
    """Letters of one height.

    Attributes:
        height: pixels per em.
        letters: how many there were.
        right: how many the reading head has right, each in the patch that it is centred in.
        spelled: how many the letter tower has right, each in its cell of 2x2 pixels or one that
            touches it, as the middle of a letter is not known better; None: there is no tower.
    """

    height: int
    letters: int
    right: int
    spelled: int | None


def evaluate_reading(
    model: KimiVL, pages: int, progress: Callable[[], None] = lambda: None
) -> tuple[Reading, ...]:
    """Read pages of text of the test split with the reading head, and with the letter tower.

    A letter that no slot is left for in its patch or cell counts as read wrong.

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
        counts = []
        for number in range(pages):
            pixels, glyphs = page_of_height(height, number)
            counts.append((len(glyphs.chars), *_read(model, pixels, glyphs)))
            progress()
        letters, right, spelled = map(sum, zip(*counts, strict=True))
        tower = model.config.vision.letter_blocks > 0
        found.append(Reading(height, letters, right, spelled if tower else None))
    return tuple(found)


def page_of_height(height: int, number: int) -> tuple[Pixels, Glyphs]:
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
def _read(model: KimiVL, pixels: Pixels, glyphs: Glyphs) -> tuple[int, int]:
    """How many letters the head has right, and how many the tower."""
    assert model.reader is not None
    prepared = prepare(Frame(pixels, Box(0, 0, *SIZE)), ImageConfig())
    grid = prepared.grid_hw
    encoded = model.encode(torch.from_numpy(prepared.patches), [grid])
    classes = glyph_classes(glyphs, grid, model.reader.shape[0])
    read = model.reader(encoded.patches).argmax(-1)
    right = int(((read == classes) & (classes > 0)).sum())
    return right, 0 if encoded.letters is None else _spelled(encoded.letters, glyphs, grid)


def _spelled(letters: Tensor, glyphs: Glyphs, grid: Grid) -> int:
    """How many letters are the likeliest in the cell of their centre or in one that touches it."""
    side = ImageConfig().patch_size // CELL
    named = letters.argmax(-1).view(*grid, side, side).transpose(1, 2).flatten(2).flatten(0, 1)
    near = F.pad(named, (1, 1, 1, 1)).unfold(0, 3, 1).unfold(1, 3, 1).flatten(2)
    x, y = torch.from_numpy(glyphs.centers).long().div(CELL, rounding_mode="floor").T
    classes = torch.tensor([PRINTABLE.find(char) + 1 for char in glyphs.chars])
    return int((near[y, x] == classes[:, None]).any(1).sum())


def to_json(readings: Sequence[Reading]) -> dict[str, Any]:
    """Everything, in JSON types."""
    every = total(readings)
    spelled = None if every.spelled is None else every.spelled / every.letters
    heights = [asdict(one) for one in readings]
    return {"rate": every.right / every.letters, "spelled": spelled, "heights": heights}


def total(readings: Sequence[Reading]) -> Reading:
    """All heights together; its own height is 0."""
    spelled = [one.spelled for one in readings if one.spelled is not None]
    letters, right = sum(one.letters for one in readings), sum(one.right for one in readings)
    return Reading(0, letters, right, sum(spelled) if spelled else None)


def to_rich(readings: Sequence[Reading]) -> RichTable:
    """For the terminal."""
    shown = RichTable("pixels per em", caption="test words and fonts; brackets: 95 % intervals")
    for heading in ("letters", "reading head", "letter tower"):
        shown.add_column(heading, justify="right")
    for one in (*readings, total(readings)):
        name = str(one.height) if one.height else "all"
        rates = (_rate(count, one.letters) for count in (one.right, one.spelled))
        shown.add_row(name, str(one.letters), *rates)
    return shown


def _rate(right: int | None, letters: int) -> str:
    if right is None:
        return "–"
    low, high = wilson(right, letters)
    return f"{right / letters:.1%} ({low:.1%}–{high:.1%})"
