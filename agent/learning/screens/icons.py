"""Icons and shapes as a few vector strokes, by the name that a question uses."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from PIL import Image, ImageDraw

from vision.geometry import Box

INK = 255
"""What a mask has where the colour goes."""

SMOOTH = 4
"""Masks are drawn this much larger and reduced, which makes their edges soft."""

Pencil = Callable[[ImageDraw.ImageDraw, Box, int], None]


def regular(box: Box, corners: int, turn: float = 0.0) -> list[tuple[float, float]]:
    """Corners of a regular polygon inside a box; `turn` in radians, 0 points up."""
    cx, cy = box.center
    return [
        (
            cx + box.width / 2 * math.sin(turn + 2 * math.pi * k / corners),
            cy - box.height / 2 * math.cos(turn + 2 * math.pi * k / corners),
        )
        for k in range(corners)
    ]


def star_points(box: Box) -> list[tuple[float, float]]:
    """The ten corners of a five-pointed star."""
    cx, cy = box.center
    return [
        (
            cx + box.width / 2 * (1 if k % 2 == 0 else 0.42) * math.sin(math.pi * k / 5),
            cy - box.height / 2 * (1 if k % 2 == 0 else 0.42) * math.cos(math.pi * k / 5),
        )
        for k in range(10)
    ]


def _at(box: Box, *places: float) -> list[tuple[float, float]]:
    """Points given as x, y, x, y, ... in 0..1 of the box."""
    return [
        (box.left + x * box.width, box.top + y * box.height)
        for x, y in zip(places[::2], places[1::2], strict=True)
    ]


def _lines(*strokes: tuple[float, ...]) -> Pencil:
    def draw(pen: ImageDraw.ImageDraw, box: Box, width: int) -> None:
        for stroke in strokes:
            pen.line(_at(box, *stroke), fill=INK, width=width)

    return draw


def _solid(*places: float) -> Pencil:
    def draw(pen: ImageDraw.ImageDraw, box: Box, width: int) -> None:
        pen.polygon(_at(box, *places), fill=INK)

    return draw


def _star(pen: ImageDraw.ImageDraw, box: Box, width: int) -> None:
    pen.polygon(star_points(box), fill=INK)


def _search(pen: ImageDraw.ImageDraw, box: Box, width: int) -> None:
    (x0, y0), (x1, y1), *handle = _at(box, 0.05, 0.05, 0.68, 0.68, 0.6, 0.6, 0.95, 0.95)
    pen.ellipse((x0, y0, x1, y1), outline=INK, width=width)
    pen.line(handle, fill=INK, width=width + 1)


def _heart(pen: ImageDraw.ImageDraw, box: Box, width: int) -> None:
    (a, b), (c, d), (e, f), (g, h), *tip = _at(
        box, 0, 0.1, 0.54, 0.6, 0.46, 0.1, 1, 0.6, 0.04, 0.46, 0.96, 0.46, 0.5, 0.98
    )
    pen.ellipse((a, b, c, d), fill=INK)
    pen.ellipse((e, f, g, h), fill=INK)
    pen.polygon(tip, fill=INK)


def _gear(pen: ImageDraw.ImageDraw, box: Box, width: int) -> None:
    for k in range(4):
        dx, dy = math.cos(math.pi * k / 4), math.sin(math.pi * k / 4)
        cx, cy = box.center
        w, h = box.width / 2, box.height / 2
        pen.line((cx - dx * w, cy - dy * h, cx + dx * w, cy + dy * h), fill=INK, width=width + 1)
    (x0, y0), (x1, y1) = _at(box, 0.18, 0.18, 0.82, 0.82)
    pen.ellipse((x0, y0, x1, y1), fill=INK)
    (x0, y0), (x1, y1) = _at(box, 0.38, 0.38, 0.62, 0.62)
    pen.ellipse((x0, y0, x1, y1), fill=0)


def _trash(pen: ImageDraw.ImageDraw, box: Box, width: int) -> None:
    pen.line(_at(box, 0.05, 0.2, 0.95, 0.2), fill=INK, width=width)
    pen.line(_at(box, 0.38, 0.06, 0.62, 0.06), fill=INK, width=width)
    pen.polygon(_at(box, 0.15, 0.3, 0.85, 0.3, 0.77, 1, 0.23, 1), outline=INK, width=width)
    for x in (0.4, 0.6):
        pen.line(_at(box, x, 0.42, x, 0.85), fill=INK, width=1)


def _mail(pen: ImageDraw.ImageDraw, box: Box, width: int) -> None:
    (x0, y0), (x1, y1) = _at(box, 0, 0.15, 1, 0.85)
    pen.rectangle((x0, y0, x1, y1), outline=INK, width=width)
    pen.line(_at(box, 0, 0.15, 0.5, 0.58, 1, 0.15), fill=INK, width=width)


def _user(pen: ImageDraw.ImageDraw, box: Box, width: int) -> None:
    (a, b), (c, d), (e, f), (g, h) = _at(box, 0.28, 0, 0.72, 0.46, 0.05, 0.54, 0.95, 1.5)
    pen.ellipse((a, b, c, d), fill=INK)
    pen.pieslice((e, f, g, h), 180, 360, fill=INK)


def _folder(pen: ImageDraw.ImageDraw, box: Box, width: int) -> None:
    pen.polygon(_at(box, 0, 0.15, 0.38, 0.15, 0.48, 0.28, 1, 0.28, 1, 0.9, 0, 0.9), fill=INK)


def _lock(pen: ImageDraw.ImageDraw, box: Box, width: int) -> None:
    (a, b), (c, d), (e, f), (g, h) = _at(box, 0.12, 0.45, 0.88, 1, 0.25, 0, 0.75, 0.9)
    pen.arc((e, f, g, h), 180, 360, fill=INK, width=width + 1)
    pen.rectangle((a, b, c, d), fill=INK)


def _file(pen: ImageDraw.ImageDraw, box: Box, width: int) -> None:
    sheet = _at(box, 0.15, 0, 0.6, 0, 0.88, 0.28, 0.88, 1, 0.15, 1)
    pen.polygon(sheet, outline=INK, width=width)
    pen.line(_at(box, 0.3, 0.5, 0.72, 0.5), fill=INK, width=1)
    pen.line(_at(box, 0.3, 0.72, 0.72, 0.72), fill=INK, width=1)


def _dots(pen: ImageDraw.ImageDraw, box: Box, width: int) -> None:
    radius = max(1.0, box.width / 9)
    for x, y in _at(box, 0.15, 0.5, 0.5, 0.5, 0.85, 0.5):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=INK)


def _reload(pen: ImageDraw.ImageDraw, box: Box, width: int) -> None:
    (x0, y0), (x1, y1) = _at(box, 0.08, 0.08, 0.92, 0.92)
    pen.arc((x0, y0, x1, y1), 40, 320, fill=INK, width=width)
    pen.polygon(_at(box, 0.62, 0.34, 1, 0.4, 0.98, 0.02), fill=INK)


def _clock(pen: ImageDraw.ImageDraw, box: Box, width: int) -> None:
    pen.ellipse(box, outline=INK, width=width)
    pen.line(_at(box, 0.5, 0.2, 0.5, 0.52, 0.74, 0.62), fill=INK, width=width)


def _image(pen: ImageDraw.ImageDraw, box: Box, width: int) -> None:
    pen.rectangle(box, outline=INK, width=width)
    pen.polygon(_at(box, 0.1, 0.88, 0.4, 0.42, 0.6, 0.7, 0.72, 0.55, 0.92, 0.88), fill=INK)
    (x0, y0), (x1, y1) = _at(box, 0.64, 0.16, 0.84, 0.36)
    pen.ellipse((x0, y0, x1, y1), fill=INK)


ICONS: dict[str, Pencil] = {
    "search": _search,
    "star": _star,
    "heart": _heart,
    "settings": _gear,
    "trash": _trash,
    "mail": _mail,
    "user": _user,
    "folder": _folder,
    "lock": _lock,
    "file": _file,
    "more": _dots,
    "reload": _reload,
    "clock": _clock,
    "image": _image,
    "menu": _lines((0, 0.2, 1, 0.2), (0, 0.5, 1, 0.5), (0, 0.8, 1, 0.8)),
    "plus": _lines((0.5, 0, 0.5, 1), (0, 0.5, 1, 0.5)),
    "minus": _lines((0, 0.5, 1, 0.5)),
    "check": _lines((0.02, 0.55, 0.36, 0.88, 0.98, 0.12)),
    "back": _lines((0.6, 0.05, 0.1, 0.5, 0.6, 0.95), (0.1, 0.5, 1, 0.5)),
    "forward": _lines((0.4, 0.05, 0.9, 0.5, 0.4, 0.95), (0, 0.5, 0.9, 0.5)),
    "up": _lines((0.05, 0.4, 0.5, 0, 0.95, 0.4), (0.5, 0, 0.5, 1)),
    "down": _lines((0.05, 0.6, 0.5, 1, 0.95, 0.6), (0.5, 0, 0.5, 1)),
    "play": _solid(0.15, 0, 1, 0.5, 0.15, 1),
    "pause": _lines((0.25, 0, 0.25, 1), (0.75, 0, 0.75, 1)),
    "home": _solid(0.5, 0, 1, 0.5, 0.85, 0.5, 0.85, 1, 0.15, 1, 0.15, 0.5, 0, 0.5),
    "download": _lines((0.5, 0, 0.5, 0.65), (0.2, 0.4, 0.5, 0.7, 0.8, 0.4), (0, 0.95, 1, 0.95)),
    "upload": _lines((0.5, 0.7, 0.5, 0.05), (0.2, 0.3, 0.5, 0, 0.8, 0.3), (0, 0.95, 1, 0.95)),
    "edit": _solid(0.75, 0, 1, 0.25, 0.3, 0.95, 0, 1, 0.05, 0.7),
    "flag": _lines((0.15, 0, 0.15, 1), (0.15, 0.05, 0.9, 0.05, 0.7, 0.3, 0.9, 0.55, 0.15, 0.55)),
    "bookmark": _solid(0.2, 0, 0.8, 0, 0.8, 1, 0.5, 0.7, 0.2, 1),
}
"""Icon name -> how to draw it into a box of a mask with a stroke width."""

NICKNAMES: dict[str, tuple[str, ...]] = {
    "search": ("magnifying glass", "search"),
    "settings": ("gear", "settings", "cog"),
    "trash": ("trash", "bin", "trash can", "delete"),
    "mail": ("mail", "envelope", "email"),
    "user": ("user", "person", "profile"),
    "more": ("more", "three dots", "ellipsis"),
    "reload": ("reload", "refresh"),
    "menu": ("menu", "hamburger"),
    "edit": ("edit", "pencil"),
    "back": ("back", "left arrow"),
    "forward": ("forward", "right arrow"),
    "up": ("up", "up arrow"),
    "down": ("down", "down arrow"),
    "file": ("file", "document", "page"),
    "plus": ("plus", "add"),
    "check": ("check mark", "tick"),
    "image": ("image", "picture"),
    "home": ("home", "house"),
    "heart": ("heart", "like"),
}
"""Other names of the same icons."""

SHAPES = ("circle", "square", "triangle", "rectangle", "pentagon", "hexagon", "star", "diamond")


@lru_cache(maxsize=4096)
def icon_mask(name: str, width: int, height: int) -> Image.Image:
    """How much of each pixel an icon of `ICONS` covers, an "L" image of that size."""
    stroke = SMOOTH * max(1, round(width / 9))
    large = Image.new("L", (width * SMOOTH, height * SMOOTH))
    pad = stroke // 2
    box = Box(pad, pad, large.width - 1 - pad, large.height - 1 - pad)
    ICONS[name](ImageDraw.Draw(large), box, stroke)
    return large.resize((width, height), Image.Resampling.BOX)


@lru_cache(maxsize=4096)
def shape_mask(name: str, width: int, height: int) -> Image.Image:
    """How much of each pixel a shape of `SHAPES` covers, an "L" image of that size."""
    large = Image.new("L", (width * SMOOTH, height * SMOOTH))
    pen = ImageDraw.Draw(large)
    box = Box(0, 0, large.width - 1, large.height - 1)
    if name == "circle":
        pen.ellipse(box, fill=INK)
    elif name in ("square", "rectangle"):
        pen.rectangle(box, fill=INK)
    elif name == "star":
        pen.polygon(star_points(box), fill=INK)
    else:
        corners = {"triangle": 3, "diamond": 4, "pentagon": 5, "hexagon": 6}[name]
        pen.polygon(regular(box, corners), fill=INK)
    return large.resize((width, height), Image.Resampling.BOX)
