"""How a generated screen looks: colours, faces, sizes."""

from __future__ import annotations

import colorsys
import random
from dataclasses import dataclass

from agent.learning.screens.fonts import Face, Hinting, face, families, installed

Color = tuple[int, int, int]

PALETTE: dict[str, tuple[Color, ...]] = {
    "red": ((255, 0, 0), (220, 30, 30), (200, 0, 20)),
    "green": ((0, 128, 0), (40, 160, 60)),
    "lime": ((0, 255, 0),),
    "blue": ((0, 0, 255), (30, 80, 220)),
    "navy": ((0, 0, 128),),
    "yellow": ((255, 255, 0), (245, 220, 20)),
    "gold": ((255, 215, 0),),
    "orange": ((255, 165, 0), (250, 130, 10)),
    "purple": ((128, 0, 128), (140, 50, 180)),
    "pink": ((255, 192, 203),),
    "magenta": ((255, 0, 255),),
    "black": ((0, 0, 0), (20, 20, 20)),
    "white": ((255, 255, 255), (250, 250, 250)),
    "grey": ((128, 128, 128), (140, 140, 140)),
    "silver": ((192, 192, 192),),
    "aqua": ((0, 255, 255),),
    "teal": ((0, 128, 128),),
    "maroon": ((128, 0, 0),),
    "olive": ((128, 128, 0),),
    "brown": ((139, 69, 19), (110, 60, 30)),
}
"""Colours by the name that a question uses."""

APART = 150
"""Colours of one screen differ by at least this much, summed over the channels."""


def distinct_colors(rng: random.Random, page: Color, page_too: bool = False) -> dict[str, Color]:
    """Named colours that nobody would mix up with each other or, unless `page_too`, the page."""
    chosen: dict[str, Color] = {}
    taken = [] if page_too else [page]
    for name in rng.sample(sorted(PALETTE), len(PALETTE)):
        tint = rng.choice(PALETTE[name])
        if all(distance(tint, other) >= APART for other in taken):
            chosen[name] = tint
            taken.append(tint)
    return chosen


def distance(one: Color, other: Color) -> int:
    """How far two colours are apart, summed over the channels, 0..765."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


HINTINGS = (
    (Hinting.LIGHT, Hinting.FULL, Hinting.NONE, Hinting.MONO, Hinting.LCD),
    (0.6, 0.14, 0.08, 0.06, 0.12),
)
"""Ways to draw text and how often each is used."""


@dataclass(frozen=True)
class Theme:
    """The look of one screen.

    Attributes:
        page: background.
        ink: text on the background.
        faint: placeholders and secondary text.
        line: borders.
        control: background of buttons.
        control_ink: text on buttons.
        field: background of inputs.
        field_ink: text in inputs.
        accent: selected tabs, title bars, marks.
        accent_ink: text on the accent.
        link: text of links.
        underline: whether links are underlined.
        radius: corner radius in pixels.
        unit: one tenth of the body font's size in pixels; paddings are multiples of it.
        body: face of running text.
        bold: its bold style.
        italic: its italic style.
        control_face: face of buttons.
        field_face: face of inputs.
    """

    page: Color
    ink: Color
    faint: Color
    line: Color
    control: Color
    control_ink: Color
    field: Color
    field_ink: Color
    accent: Color
    accent_ink: Color
    link: Color
    underline: bool
    radius: int
    unit: float
    body: Face
    bold: Face
    italic: Face
    control_face: Face
    field_face: Face


def hsv(hue: float, saturation: float, value: float) -> Color:
    """A colour from hue, saturation and value, each 0..1."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return (round(red * 255), round(green * 255), round(blue * 255))


def mix(one: Color, other: Color, share: float) -> Color:
    """`share` of the first colour, the rest of the second."""
    a, b, c = (round(x * share + y * (1 - share)) for x, y in zip(one, other, strict=True))
    return (a, b, c)


def luminance(color: Color) -> float:
    """Perceived brightness, 0..255."""
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]


def readable(background: Color) -> Color:
    """Black or white, whichever stands out."""
    return (0, 0, 0) if luminance(background) > 140 else (255, 255, 255)


def resized(original: Face, size: int) -> Face:
    """The same font at another size in pixels per em."""
    return face(original.path, size, original.hinting)


def _colors(rng: random.Random, plain: bool) -> dict[str, Color]:
    hue = rng.random()
    dark = not plain and rng.random() < 0.3
    if plain:
        page = (255, 255, 255)
        accent = rng.choice(((0, 127, 255), (0, 127, 255), (233, 233, 233), (0, 0, 160)))
    elif dark:
        page = hsv(hue, rng.uniform(0, 0.5), rng.uniform(0, 0.25))
        accent = hsv(rng.random(), rng.uniform(0.4, 1), rng.uniform(0.5, 1))
    else:
        page = hsv(hue, rng.choice((0, 0, rng.uniform(0, 0.25))), rng.uniform(0.88, 1))
        accent = hsv(rng.random(), rng.uniform(0.4, 1), rng.uniform(0.3, 1))
    ink = readable(page)
    contrast = rng.choice((1.0, 1.0, 0.85, 0.72))
    flat = rng.random() < 0.25
    control = accent if flat and not plain else mix(page, ink, rng.uniform(0.82, 0.96))
    control = (239, 239, 239) if plain and rng.random() < 0.7 else control
    field = page if rng.random() < 0.4 else mix(page, (0, 0, 0) if dark else (255, 255, 255), 0.5)
    link = (0, 0, 238) if not dark else (130, 170, 255)
    if not plain and rng.random() < 0.5:
        link = hsv(rng.random(), 0.9, 0.6) if not dark else hsv(rng.random(), 0.4, 1)
    line = mix(ink, page, rng.choice((0.2, 0.35, 0.55, 0.8)))
    line = rng.choice(((118, 118, 118), (0, 0, 0), (197, 197, 197))) if plain else line
    return {
        "page": page,
        "ink": mix(ink, page, contrast),
        "faint": mix(ink, page, 0.5),
        "line": line,
        "control": control,
        "control_ink": readable(control),
        "field": field,
        "field_ink": readable(field),
        "accent": accent,
        "accent_ink": readable(accent),
        "link": link,
    }


def random_theme(rng: random.Random, split: str, plain: bool) -> Theme:
    """A theme of a split.

    Args:
        rng: where the randomness comes from.
        split: decides which font families may appear.
        plain: a bare web page: white, 10-px sans-serif, grey buttons.
    """
    names = families(split)
    main = "Liberation Sans" if plain and "Liberation Sans" in names else rng.choice(names)
    size = 10 if plain and rng.random() < 0.8 else rng.choice((9, 10, 10, 11, 12, 13, 14, 16))
    mode = rng.choices(*HINTINGS)[0]
    files = installed()[main]
    weight = 1 if not plain and rng.random() < 0.1 else 0
    other = files if rng.random() < 0.8 else installed()[rng.choice(names)]
    large = rng.choice((size, size, round(size * 1.33)))
    return Theme(
        underline=rng.random() < 0.7,
        radius=rng.choice((0, 2, 3, 3, 5)),
        unit=size / 10,
        body=face(files[weight], size, mode),
        bold=face(files[1], size, mode),
        italic=face(files[2], size, mode),
        control_face=face(other[weight], large, mode),
        field_face=face(other[0], rng.choice((size, large)), mode),
        **_colors(rng, plain),
    )
