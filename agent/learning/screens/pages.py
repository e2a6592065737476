"""Pages full of small text, to learn reading from: far more letters than a screen of widgets."""

from __future__ import annotations

import random

from agent.learning.samples import Sample
from agent.learning.screens.canvas import Canvas
from agent.learning.screens.fonts import Face, face, families, installed
from agent.learning.screens.kit import Kit
from agent.learning.screens.theme import Color, random_theme, readable
from agent.learning.screens.vocabulary import Vocabulary
from vision.geometry import Size

SIZES = (9, 10, 10, 10, 11, 12, 13, 14, 16, 18, 21)
"""Pixels per em and how often each is used: small text is the hard one."""

PLAIN = 0.4
"""Share of pages that look as MiniWoB++ does: white, 10-px sans-serif."""


def text_page(seed: int, size: Size, split: str, index: int) -> Sample:
    """A page without questions; the same for the same arguments and the same fonts.

    Args:
        seed: another seed gives other pages.
        size: width and height in pixels.
        split: decides which words and font families may appear.
        index: number of the page.
    """
    rng = random.Random(f"{seed}/{split}/text/{index}")
    theme = random_theme(rng, split, plain=rng.random() < PLAIN)
    canvas = Canvas(round(size.width), round(size.height), theme.page)
    kit = Kit(rng=rng, theme=theme, canvas=canvas, words=Vocabulary(rng, split))
    y = rng.randint(-3, 6)
    while y < canvas.height:
        y = _paragraph(kit, split, y)
    return Sample(canvas.pixels(), (), canvas.glyphs())


def _paragraph(kit: Kit, split: str, y: int) -> int:
    """A few lines of one font on one background, from `y` down; gives where the next may begin."""
    rng, canvas = kit.rng, kit.canvas
    font, ink = _font(kit, split), kit.theme.ink
    lines = rng.randint(1, 5)
    step = font.line + rng.choice((0, 0, 1, 3, 6))
    if kit.chance(0.25):
        band = rng.choice((kit.theme.control, kit.theme.field, kit.theme.accent, _any(rng)))
        canvas.draw.rectangle((0, y, canvas.width, y + lines * step - 1), band)
        ink = readable(band)
    for line in range(lines):
        _line(kit, font, ink, y + line * step)
    return y + lines * step + rng.choice((0, 1, 2, 5))


def _font(kit: Kit, split: str) -> Face:
    """The page's own font, another size of it, or any other of the split."""
    rng, body = kit.rng, kit.theme.body
    if kit.chance(0.3):
        return rng.choice((body, body, kit.theme.bold, kit.theme.italic))
    if kit.chance(0.3):
        return face(body.path, rng.choice(SIZES), body.hinting)
    files = installed()[rng.choice(families(split))]
    return face(rng.choice((files[0], *files)), rng.choice(SIZES), body.hinting)


def _line(kit: Kit, font: Face, ink: Color, y: int) -> None:
    """Words across the whole page, cut by its edge, with a gap now and then."""
    rng, canvas = kit.rng, kit.canvas
    x = float(rng.randint(-4, 12))
    space = font.width(" ")
    while x < canvas.width:
        word = _word(kit)
        canvas.text(x, y, word, font, ink)
        x += font.width(word) + space * rng.choice((1, 1, 1, 1, 1, 2, 4))


def _word(kit: Kit) -> str:
    """Half running text, half what cannot be guessed: labels, codes, numbers, names."""
    kind, words = kit.rng.random(), kit.words
    if kind < 0.5:
        return _running(kit)
    if kind < 0.65:
        return words.label()
    return words.code() if kind < 0.9 else words.name()


def _running(kit: Kit) -> str:
    word = kit.words.running()
    return (word.capitalize() if kit.chance(0.15) else word) + ("," if kit.chance(0.1) else "")


def _any(rng: random.Random) -> Color:
    return (rng.randrange(256), rng.randrange(256), rng.randrange(256))
