"""Blocks: groups of widgets stacked down a column; each draws into a box and gives its bottom."""

from __future__ import annotations

from collections.abc import Callable

from agent.learning.screens import widgets
from agent.learning.screens.element import Element
from agent.learning.screens.kit import Kit
from agent.learning.screens.theme import mix, readable
from vision.geometry import Box

Block = Callable[[Kit, Box], float]
"""Draws at the top of the given box, as far down as it needs, and gives the lowest y it used."""


def paragraph(kit: Kit, box: Box) -> float:
    """Running text, some of its words links."""
    return running(kit, box, kit.rng.randint(6, 26), kit.rng.choice((0, 0.06, 0.15, 0.3)))


def running(kit: Kit, box: Box, count: int, links: float) -> float:
    """`count` words of running text, a share `links` of them links (never one word twice)."""
    theme, face = kit.theme, kit.theme.body
    x, y = box.left, box.top
    step = face.line + (kit.px(kit.rng.choice((1, 2, 4))) if kit.chance(0.4) else 0)
    space = face.width(" ")
    used = {element.label.strip(".,").lower() for element in kit.canvas.elements}
    for word in kit.words.sentence(count):
        width = face.width(word)
        if x + width > box.right and x > box.left:
            x, y = box.left, y + step
        if y + face.line > box.bottom:
            return y
        bare = word.strip(".,").lower()
        if bare not in used and kit.chance(links):
            widgets.link(kit, x, y, word)
        else:
            kit.canvas.text(x, y, word, face, theme.ink)
            kit.canvas.add(Element("word", Box(round(x), y, round(x) + width, y + face.line), word))
        used.add(bare)
        x += width + space
    return y + step


def heading(kit: Kit, box: Box) -> float:
    """A line of bold text."""
    text = widgets.fitted(kit.words.label(), kit.theme.bold, box.width)
    if not text or box.height < kit.theme.bold.line:
        return box.top
    words = widgets.label(kit, box.left, box.top, text, kit.theme.bold)
    kit.canvas.add(Element("heading", words, text))
    return words.bottom


def buttons(kit: Kit, box: Box) -> float:
    """A row of buttons, wrapped when it does not fit."""
    x, y, bottom = box.left, box.top, box.top
    for _ in range(kit.rng.randint(1, 4)):
        text = widgets.fitted(kit.words.label(), kit.theme.control_face, box.width - kit.px(24))
        need = kit.theme.control_face.width(text) + kit.px(24)
        if x + need > box.right and x > box.left:
            x, y = box.left, bottom + kit.px(4)
        if not text or y + kit.theme.control_face.line + kit.px(12) > box.bottom:
            break
        drawn = widgets.button(kit, x, y, text)
        x, bottom = drawn.right + kit.px(kit.rng.choice((2, 4, 8))), max(bottom, drawn.bottom)
    return bottom


def _column(kit: Kit, box: Box, count: int, draw: Callable[[float, float], Box]) -> float:
    """Repeat a widget downwards (and sideways when lucky) while it fits."""
    gap = kit.px(kit.rng.choice((1, 3, 5, 8)))
    tall = kit.theme.body.line + kit.px(8)
    y = box.top
    for _ in range(count):
        if y + tall > box.bottom:
            break
        y = draw(box.left, y).bottom + gap
    return y


def choices(kit: Kit, box: Box) -> float:
    """A list of check boxes or of radio buttons."""
    kind = kit.rng.choice(("checkbox", "radio"))
    few = kit.theme.body.width("m") * 2
    return _column(
        kit,
        box,
        kit.rng.randint(1, 6),
        lambda x, y: widgets.choice(
            kit,
            x,
            y,
            kind,
            widgets.fitted(kit.words.label(), kit.theme.body, box.width - kit.px(20) - few),
            kit.chance(0.3),
        ),
    )


def inputs(kit: Kit, box: Box) -> float:
    """Inputs of one or several kinds without captions."""
    one_kind = kit.chance(0.5)

    def draw(x: float, y: float) -> Box:
        wide = width if one_kind else box.width * kit.rng.uniform(0.4, 0.95)
        shift = 0 if one_kind else kit.rng.uniform(0, box.width - wide)
        kind = kit.rng.random()
        if one_kind or kind < 0.6:
            filled = kit.rng.random()
            content = kit.words.label() if filled < 0.5 else ""
            return widgets.field(kit, x + shift, y, wide, content, hint=filled < 0.25)
        if kind < 0.8:
            return widgets.select(kit, x + shift, y, wide, kit.words.label())
        return widgets.spinner(kit, x + shift, y, wide)

    width = box.width * kit.rng.uniform(0.5, 0.98)
    return _column(kit, box, kit.rng.randint(1, 4), draw)


def form(kit: Kit, box: Box) -> float:
    """Captions with a field each, beside or above it."""
    above = kit.chance(0.4)
    face = kit.theme.bold if kit.chance(0.2) else kit.theme.body
    column = box.width * kit.rng.uniform(0.3, 0.45)
    colon = ":" if kit.chance(0.5) else ""

    def draw(x: float, y: float) -> Box:
        text = widgets.fitted(kit.words.label(), face, box.width if above else column - kit.px(4))
        if above:
            y = widgets.label(kit, x, y, text + colon, face).bottom + 1
            wide = box.width * 0.95
        else:
            widgets.label(kit, x, y + kit.px(3), text + colon, face)
            x, wide = x + column, box.width - column - 1
        return _captioned(kit, Box(x, y, x + wide, box.bottom), text)

    return _column(kit, box, kit.rng.randint(1, 5), draw)


def _captioned(kit: Kit, box: Box, caption: str) -> Box:
    kind = kit.rng.random()
    x, y, wide = box.left, box.top, box.width
    if kind < 0.55:
        content = kit.words.short() if kit.chance(0.3) else ""
        return widgets.field(kit, x, y, wide, content, hint=kit.chance(0.3), caption=caption)
    if kind < 0.7:
        return widgets.select(kit, x, y, wide, kit.words.short(), caption)
    if kind < 0.8:
        return widgets.area(kit, x, y, wide, kit.rng.randint(1, 3), "", caption)
    if kind < 0.88:
        return widgets.spinner(kit, x, y, min(wide, kit.px(60)), caption)
    if kind < 0.96:
        return widgets.slider(kit, x, y, wide, caption)
    return widgets.progress(kit, x, y, wide, caption)


def lines(kit: Kit, box: Box) -> float:
    """Lines of a few words, fields and buttons that follow each other as a browser flows them."""
    face, y = kit.theme.body, box.top
    for _ in range(kit.rng.randint(2, 6)):
        if y + face.line + kit.px(10) > box.bottom:
            break
        kind, text = kit.rng.random(), " ".join(kit.words.sentence(3)).lower()
        text = widgets.fitted(text, face, box.width)
        if kind < 0.35:
            y = widgets.label(kit, box.left, y, text).bottom
        elif kind < 0.7:
            caption = widgets.fitted(text, face, box.width * 0.5) if kit.chance(0.5) else ""
            x = box.left
            if caption:
                x = round(widgets.label(kit, x, y + kit.px(3), caption + ":").right) + kit.px(3)
            wide = min(kit.px(kit.rng.randint(40, 150)), box.right - x - 1)
            y = widgets.field(kit, x, y, wide, caption=caption).bottom + kit.rng.choice((0, 1, 4))
        else:
            y = buttons(kit, box._replace(top=y)) + kit.rng.choice((0, 1, 4))
    return y


def areas(kit: Kit, box: Box) -> float:
    """A text area."""
    rows = kit.rng.randint(1, 3)
    if box.height < rows * kit.theme.field_face.line + 8:
        return box.top
    content = kit.words.label() if kit.chance(0.6) else ""
    return widgets.area(kit, box.left, box.top, box.width * 0.9, rows, content, "").bottom


def listing(kit: Kit, box: Box) -> float:
    """A list, plain, bulleted, numbered or striped; each line is an item."""
    style = kit.rng.choice(("plain", "bullet", "number", "rows", "rows"))
    face, gap = kit.theme.body, kit.px(kit.rng.choice((1, 2, 4)))
    y = box.top
    chosen = kit.rng.randint(0, 8)
    for index in range(kit.rng.randint(2, 7)):
        tall = face.line + 2 * gap
        if y + tall > box.bottom:
            break
        indent = kit.px(14 if style in ("bullet", "number") else 4)
        text = widgets.fitted(kit.words.label(), face, box.width - indent)
        row = Box(box.left, y, box.right, y + tall)
        ink = kit.theme.ink
        if style == "rows":
            fill = kit.theme.accent if index == chosen else None
            ink = kit.theme.accent_ink if fill else ink
            widgets.frame(kit, row, fill, kit.theme.line)
        if style == "bullet":
            dot = (box.left + 3, y + tall / 2 - 1, box.left + 5, y + tall / 2 + 1)
            kit.canvas.draw.ellipse(dot, fill=ink)
        if style == "number":
            kit.canvas.text(box.left, y + gap, f"{index + 1}.", face, ink)
        words = kit.canvas.text(box.left + indent, y + gap, text, face, ink)
        kit.canvas.add(Element("item", row if style == "rows" else words, text))
        y += tall - (1 if style == "rows" else 0)
    return y + 1


def table(kit: Kit, box: Box) -> float:
    """A table with or without a header row and rules."""
    face, columns = kit.theme.body, kit.rng.randint(2, 4)
    tall, wide = face.line + 2 * kit.px(kit.rng.choice((1, 2, 3))), box.width / columns
    ruled, striped, head = kit.chance(0.6), kit.chance(0.4), kit.chance(0.5)
    y = box.top
    for row in range(kit.rng.randint(2, 6)):
        if y + tall > box.bottom:
            break
        fill = mix(kit.theme.page, kit.theme.ink, 0.88) if striped and row % 2 else None
        ink = readable(fill) if fill else kit.theme.ink
        for column in range(columns):
            left = round(box.left + column * wide)
            cell = Box(left, y, round(box.left + (column + 1) * wide), y + tall)
            if ruled or fill:
                widgets.frame(kit, cell, fill, kit.theme.line if ruled else fill)
            bold = kit.theme.bold if head and row == 0 else face
            text = widgets.fitted(kit.words.short(), bold, wide - 4)
            kit.canvas.text(left + 2, y + (tall - face.line) / 2, text, bold, ink)
            if text:
                kit.canvas.add(Element("cell", cell, text))
        y += tall - (1 if ruled else 0)
    return y + 1


def toolbar(kit: Kit, box: Box) -> float:
    """A row of icons."""
    side = kit.px(kit.rng.choice((10, 12, 14, 18)))
    boxed, gap = kit.chance(0.5), kit.px(kit.rng.choice((1, 4, 8, 12)))
    x, bottom = box.left, box.top
    for name in kit.icons.choose(kit.rng, kit.rng.randint(2, 7)):
        if x + side + kit.px(6) + 2 > box.right or box.top + side + kit.px(6) + 2 > box.bottom:
            break
        drawn = widgets.icon(kit, x, box.top, name, side, boxed)
        x, bottom = drawn.right + gap, drawn.bottom
    return bottom


def picture(kit: Kit, box: Box) -> float:
    """A photograph stand-in: noise or a gradient."""
    wide, tall = round(box.width * kit.rng.uniform(0.3, 1)), kit.px(kit.rng.randint(20, 60))
    if tall > box.height:
        return box.top
    noise = kit.rng.randbytes(wide * tall * 3 if kit.chance(0.5) else 27)
    widgets.bitmap(kit, box.left, box.top, wide, tall, noise)
    return box.top + tall
