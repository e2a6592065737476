"""Scenes that are boards: scattered shapes, swatches, keypads, calendars, points, icons."""

from __future__ import annotations

from agent.learning.screens import widgets
from agent.learning.screens.element import Element
from agent.learning.screens.icons import SHAPES
from agent.learning.screens.kit import Kit
from agent.learning.screens.places import free, inset
from agent.learning.screens.theme import Color, distinct_colors, readable, resized
from vision.geometry import Box

SMALL, LARGE = (8, 10, 12), (20, 24, 30)
"""Sides that are called small and large; nothing lies between them on a screen with sizes."""

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghkmnqrtxyz"
DIGITS = "0123456789"
SIDES = (16, 16, 18, 20, 20, 24, 24, 28, 32)
"""Sides of the icons of interfaces in pixels."""

NUMBERED = 26
"""The smallest shape, in tenths of the font's size, that a character fits on."""


def shapes(kit: Kit, box: Box) -> None:
    """Coloured shapes, some with a character on them, and coloured characters."""
    place = free(kit, inset(box, 2))
    colors = distinct_colors(kit.rng, kit.theme.page)
    few = kit.rng.sample(sorted(colors), min(len(colors), kit.rng.randint(2, 8)))
    characters = kit.rng.choice((0, 0.2, 0.5, 0.8))
    for _ in range(kit.rng.randint(2, 9)):
        size = kit.rng.choice(("small", "large"))
        side = kit.px(kit.rng.choice(SMALL if size == "small" else LARGE))
        name, color = kit.rng.choice(SHAPES), kit.rng.choice(few)
        spot = place(round(side * 1.7) if name == "rectangle" else side, side)
        if spot is None:
            continue
        if kit.chance(characters):
            _character(kit, spot, size, color, colors[color])
        else:
            _shape(kit, spot, size, name, color, colors[color])


def _character(kit: Kit, spot: Box, size: str, color: str, tint: Color) -> None:
    """A letter or digit as tall as the spot."""
    face = resized(kit.theme.body, round(spot.height))
    kind = kit.rng.choice(("digit", "letter"))
    mark = kit.rng.choice(DIGITS if kind == "digit" else LETTERS)
    widgets.centered(kit, spot, mark, face, tint)
    wide = max(face.width(mark), 6)
    left = spot.left + (spot.width - wide) / 2
    box = Box(left, spot.top, left + wide, spot.bottom)
    kit.canvas.add(Element(kind, box, mark, color=color, size=size))


def _shape(kit: Kit, spot: Box, size: str, name: str, color: str, tint: Color) -> None:
    outline = (0, 0, 0) if kit.chance(0.2) else None
    widgets.shape(kit, spot, name, tint, outline)
    mark = ""
    if spot.height >= kit.px(NUMBERED) and kit.chance(0.5):
        mark = kit.rng.choice(LETTERS + DIGITS)
        widgets.centered(kit, spot, mark, kit.theme.bold, readable(tint))
    kit.canvas.add(Element("shape", spot, mark, shape=name, color=color, size=size))


def swatches(kit: Kit, box: Box) -> None:
    """Boxes of different colours in a grid."""
    colors = distinct_colors(kit.rng, kit.theme.page, page_too=True)
    names = kit.rng.sample(sorted(colors), min(len(colors), kit.rng.randint(2, 9)))
    columns = kit.rng.randint(2, 4)
    rows = -(-len(names) // columns)
    gap = kit.px(kit.rng.choice((2, 6, 10)))
    side = min(
        kit.px(kit.rng.choice((14, 24, 60))),
        int((box.width - 8) / columns - gap),
        int((box.height - 8) / rows - gap),
    )
    if side < 5:
        return
    left = box.left + 4 + kit.rng.random() * (box.width - 8 - columns * (side + gap))
    top = box.top + 4 + kit.rng.random() * (box.height - 8 - rows * (side + gap))
    for index, name in enumerate(names):
        row, column = divmod(index, columns)
        x, y = round(left + column * (side + gap)), round(top + row * (side + gap))
        spot = Box(x, y, x + side, y + side)
        widgets.frame(kit, spot, colors[name], kit.theme.ink)
        kit.canvas.add(Element("swatch", spot, color=name))


def grid(kit: Kit, box: Box) -> None:
    """Equal cells with labels: a keypad or a board of buttons."""
    columns, rows = kit.rng.randint(2, 7), kit.rng.randint(2, 5)
    area = inset(box, kit.px(4))
    wide = min(area.width / columns, kit.px(44))
    tall = min(area.height / rows, kit.px(30))
    digits, start = kit.chance(0.6), kit.rng.choice((0, 1, 1, 10))
    gap = kit.rng.choice((0, 2, 4))
    face = kit.theme.control_face
    for index in range(columns * rows):
        row, column = divmod(index, columns)
        text = str(start + index) if digits else kit.words.short()
        text = widgets.fitted(text, face, wide - gap - 3)
        left, top = round(area.left + column * wide), round(area.top + row * tall)
        right = round(area.left + (column + 1) * wide) - gap
        bottom = round(area.top + (row + 1) * tall) - gap
        if text and bottom - top >= face.line:
            widgets.button(kit, left, top, text, right - left, bottom - top)


WEEKDAYS = ("Su", "Mo", "Tu", "We", "Th", "Fr", "Sa")
MONTHS = ("January", "March", "April", "May", "June", "July", "August", "October", "December")


def calendar(kit: Kit, box: Box) -> None:
    """A month with arrows, weekdays, and a number for every day."""
    theme, face = kit.theme, kit.theme.body
    area = inset(box, kit.px(kit.rng.choice((1, 4, 8))))
    tall = min(area.height / 8, face.line + kit.px(8))
    wide = min(area.width / 7, kit.px(30))
    if tall < face.line or wide < face.width("30") + 2:
        return
    bar = Box(area.left, area.top, round(area.left + 7 * wide), area.top + round(tall))
    widgets.frame(kit, bar, theme.accent, theme.line, theme.radius)
    title = f"{kit.rng.choice(MONTHS)} {kit.rng.randint(1990, 2030)}"
    centered = widgets.fitted(title, theme.bold, bar.width - 2 * tall)
    widgets.centered(kit, bar, centered, theme.bold, theme.accent_ink)
    side = max(5, round(tall) - 6)
    for name, x in (("back", bar.left + 3), ("forward", bar.right - side - 3)):
        spot = Box(x, bar.top + 3, x + side, bar.top + 3 + side)
        widgets.glyph(kit, inset(spot, 1), name, theme.accent_ink)
        kit.canvas.add(Element("icon", spot, shape=name))
    first, boxed = kit.rng.randrange(7), kit.chance(0.6)
    for column, weekday in enumerate(WEEKDAYS):
        head = Box(area.left + column * wide, bar.bottom, area.left + (column + 1) * wide, 0)
        widgets.centered(kit, head._replace(bottom=bar.bottom + tall), weekday, face, theme.ink)
    for day in range(1, kit.rng.randint(29, 32)):
        row, column = divmod(first + day - 1, 7)
        x, y = round(area.left + column * wide), round(bar.bottom + (row + 1) * tall)
        cell = Box(x, y, round(area.left + (column + 1) * wide) - 1, round(y + tall) - 1)
        if boxed:
            widgets.frame(kit, cell, theme.control, theme.line)
        ink = theme.control_ink if boxed else theme.link
        widgets.centered(kit, cell, str(day), face, ink)
        kit.canvas.add(Element("day", cell, str(day)))


def axes(kit: Kit, box: Box) -> None:
    """Points at whole coordinates around the origin."""
    theme, reach = kit.theme, kit.rng.choice((2, 2, 3))
    step = (min(box.width, box.height) - kit.px(16)) / (2 * reach)
    if step < 2 * theme.body.line:
        reach, step = 2, (min(box.width, box.height) - kit.px(16)) / 4
    if step < 2 * theme.body.line:
        return
    cx, cy = (round(place) for place in box.center)
    span = reach * step + kit.px(6)
    kit.canvas.draw.line((cx - span, cy, cx + span, cy), fill=theme.ink)
    kit.canvas.draw.line((cx, cy - span, cx, cy + span), fill=theme.ink)
    radius = kit.px(kit.rng.choice((2, 3, 4)))
    tint = kit.rng.choice(list(distinct_colors(kit.rng, theme.page).values()))
    for x in range(-reach, reach + 1):
        for y in range(-reach, reach + 1):
            px, py = round(cx + x * step), round(cy - y * step)
            dot = Box(px - radius, py - radius, px + radius + 1, py + radius + 1)
            widgets.shape(kit, dot, "circle", tint)
            kit.canvas.add(Element("dot", dot, f"({x},{y})"))
    for at in range(-reach, reach + 1):
        widgets.label(kit, cx + at * step - 3, cy + radius + 1, str(at), theme.bold)
        if at:
            widgets.label(kit, cx - radius - kit.px(11), cy - at * step - 5, str(at), theme.bold)


def icons(kit: Kit, box: Box) -> None:
    """Icons in rows, as in tool bars, palettes and launchers."""
    side, boxed = kit.rng.choice(SIDES), kit.chance(0.4)
    step = side + 2 * (kit.px(3) if boxed else 1) + kit.px(kit.rng.choice((1, 4, 8, 14)))
    columns = min(int(box.width - 4) // step, kit.rng.randint(2, 8))
    rows = min(int(box.height - 4) // step, kit.rng.randint(1, 5))
    if columns < 1 or rows < 1:
        return
    left = round(box.left + 2 + kit.rng.random() * (box.width - 4 - columns * step))
    top = round(box.top + 2 + kit.rng.random() * (box.height - 4 - rows * step))
    for index, name in enumerate(kit.icons.choose(kit.rng, rows * columns)):
        row, column = divmod(index, columns)
        widgets.icon(kit, left + column * step, top + row * step, name, side, boxed)
