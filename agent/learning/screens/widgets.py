"""Widgets: each function draws one at (x, y), registers its element and gives its box."""

from __future__ import annotations

from PIL import Image

from agent.learning.screens.element import Element
from agent.learning.screens.fonts import Face
from agent.learning.screens.icons import shape_mask
from agent.learning.screens.kit import Kit
from agent.learning.screens.theme import Color, distance, luminance, mix
from vision.geometry import Box, Point


def frame(kit: Kit, box: Box, fill: Color | None, line: Color | None, radius: int = 0) -> None:
    """A rectangle with a one-pixel border; box edges are [left, right) x [top, bottom)."""
    edges = (box.left, box.top, box.right - 1, box.bottom - 1)
    if radius:
        kit.canvas.draw.rounded_rectangle(edges, radius, fill=fill, outline=line)
    else:
        kit.canvas.draw.rectangle(edges, fill=fill, outline=line)


def fitted(text: str, face: Face, width: float) -> str:
    """As many of the first words, else characters, as fit into a width in pixels."""
    while text and face.width(text) > width:
        text = text.rsplit(" ", 1)[0] if " " in text else text[:-1]
    return text


def centered(kit: Kit, box: Box, text: str, face: Face, color: Color) -> None:
    """One line in the middle of a box."""
    x = box.left + (box.width - face.width(text)) / 2
    kit.canvas.text(x, box.top + (box.height - face.line) / 2, text, face, color)


def button(
    kit: Kit,
    x: float,
    y: float,
    label: str,
    width: float = 0,
    height: float = 0,
    place: str = "",
    caption: str = "",
) -> Box:
    """A push button; width and height 0 mean as large as the label needs."""
    theme, face = kit.theme, kit.theme.control_face
    lines = label.split("\n")
    wide = width or max(map(face.width, lines)) + 2 * kit.px(kit.rng.choice((4, 6, 6, 8, 12)))
    tall = height or face.line * len(lines) + 2 * kit.px(kit.rng.choice((1, 2, 2, 4, 6)))
    box = Box(x, y, x + round(wide), y + round(tall))
    fill = theme.control
    if kit.chance(0.08):
        fill = mix(theme.accent, theme.page, 0.9)
    frame(kit, box, fill, theme.line, theme.radius)
    ink = theme.control_ink if fill == theme.control else theme.accent_ink
    if kit.chance(0.04):  # disabled
        ink = mix(ink, fill, 0.4)
    top = box.top + (box.height - face.line * len(lines)) / 2
    for row, line in enumerate(lines):
        strip = Box(box.left, top + row * face.line, box.right, top + (row + 1) * face.line)
        centered(kit, strip, line, face, ink)
    kit.canvas.add(Element("button", box, label.replace("\n", " "), caption, place=place))
    return box


def link(
    kit: Kit, x: float, y: float, label: str, face: Face | None = None, caption: str = ""
) -> Box:
    """A link of one line."""
    theme = kit.theme
    box = kit.canvas.text(x, y, label, face or theme.body, theme.link)
    if theme.underline:
        base = box.bottom - max(1, round(theme.unit * 1.5))
        kit.canvas.draw.line((box.left, base, box.right - 1, base), fill=theme.link)
    kit.canvas.add(Element("link", box, label, caption))
    return box


def label(kit: Kit, x: float, y: float, text: str, face: Face | None = None) -> Box:
    """Plain text of one line."""
    return kit.canvas.text(x, y, text, face or kit.theme.body, kit.theme.ink)


def choice(kit: Kit, x: float, y: float, kind: str, text: str, marked: bool) -> Box:
    """A check box or a radio button with its text to the right; a click on the text counts."""
    theme = kit.theme
    side = kit.px(kit.rng.choice((11, 12, 13)))
    tall = max(side, theme.body.line)
    mark = Box(x, y + (tall - side) // 2, x + side, y + (tall - side) // 2 + side)
    fill = theme.accent if marked and kit.chance(0.6) else theme.field
    ink = theme.accent_ink if fill == theme.accent else theme.field_ink
    line = theme.line if luminance(theme.line) < 200 else theme.faint
    if kind == "radio":
        shape(kit, mark, "circle", theme.field, line)
        if marked:
            spot = max(2, side // 4)
            dark = theme.accent if distance(theme.accent, theme.field) > 150 else theme.field_ink
            shape(kit, _inner(mark, spot), "circle", dark)
    else:
        frame(kit, mark, fill, line, min(2, theme.radius))
        if marked:
            glyph(kit, _inner(mark, side // 5), "check", ink)
    box = mark
    if text:
        gap = kit.px(kit.rng.choice((2, 3, 5)))
        words = label(kit, mark.right + gap, y + (tall - theme.body.line) / 2, text)
        box = Box(mark.left, min(mark.top, words.top), words.right, max(mark.bottom, words.bottom))
    kit.canvas.add(Element(kind, box, text, anchor=mark.center))
    return box


def _inner(box: Box, by: int) -> Box:
    return Box(box.left + by, box.top + by, box.right - by, box.bottom - by)


def field(
    kit: Kit,
    x: float,
    y: float,
    width: float,
    content: str = "",
    hint: bool = False,
    caption: str = "",
    answer: str = "",
) -> Box:
    """A one-line text input with its content, or with a placeholder when `hint`."""
    theme, face = kit.theme, kit.theme.field_face
    tall = face.line + 2 * kit.px(kit.rng.choice((2, 3, 4)))
    box = Box(x, y, x + round(width), y + tall)
    frame(kit, box, theme.field, _edge(kit), theme.radius)
    if kit.chance(0.06):  # the input that has the focus
        ring = Box(box.left - 1, box.top - 1, box.right + 1, box.bottom + 1)
        frame(kit, ring, None, theme.accent, theme.radius)
    shown = fitted(content, face, width - 8)
    ink = mix(theme.field_ink, theme.field, 0.55) if hint else theme.field_ink
    kit.canvas.text(x + 3, y + (tall - face.line) / 2, shown, face, ink)
    kit.canvas.add(Element("text", box, shown, caption, answer=answer))
    return box


def area(kit: Kit, x: float, y: float, width: float, rows: int, content: str, caption: str) -> Box:
    """A text area with a resize grip."""
    theme, face = kit.theme, kit.theme.field_face
    tall = rows * face.line + 6
    box = Box(x, y, x + round(width), y + tall)
    frame(kit, box, theme.field, _edge(kit), min(2, theme.radius))
    shown = fitted(content, face, width - 14)
    kit.canvas.text(x + 3, y + 2, shown, face, theme.field_ink)
    pen = kit.canvas.draw
    for step in (3, 6):
        corner = (box.right - 2 - step, box.bottom - 3, box.right - 3, box.bottom - 2 - step)
        pen.line(corner, fill=theme.faint)
    kit.canvas.add(Element("textarea", box, shown, caption))
    return box


def select(kit: Kit, x: float, y: float, width: float, value: str, caption: str = "") -> Box:
    """A closed select box that shows its value and an arrow."""
    theme, face = kit.theme, kit.theme.field_face
    tall = face.line + 2 * kit.px(kit.rng.choice((1, 2, 3)))
    box = Box(x, y, x + round(width), y + tall)
    fill = theme.control if kit.chance(0.4) else theme.field
    frame(kit, box, fill, _edge(kit), theme.radius)
    ink = theme.control_ink if fill == theme.control else theme.field_ink
    shown = fitted(value, face, width - tall - 4)
    kit.canvas.text(x + 4, y + (tall - face.line) / 2, shown, face, ink)
    middle, arm = box.right - tall / 2, max(2, tall // 6)
    cy = box.center.y
    arrow = [(middle - arm, cy - arm / 2), (middle, cy + arm / 2), (middle + arm, cy - arm / 2)]
    if kit.chance(0.5):
        kit.canvas.draw.line(arrow, fill=ink)
    else:
        kit.canvas.draw.polygon(arrow, fill=ink)
    kit.canvas.add(Element("select", box, shown, caption))
    return box


def slider(kit: Kit, x: float, y: float, length: float, caption: str = "") -> Box:
    """A horizontal slider; its handle is what a click wants."""
    theme, side = kit.theme, kit.px(kit.rng.choice((10, 12, 14)))
    track = Box(x, y + side * 0.35, x + length, y + side * 0.65)
    frame(kit, track, mix(theme.page, theme.ink, 0.85), theme.line, 2)
    left = x + kit.rng.random() * (length - side)
    knob = Box(round(left), y, round(left) + side, y + side)
    if kit.chance(0.5):
        shape(kit, knob, "circle", theme.accent, theme.line)
    else:
        frame(kit, knob, theme.control, theme.line, theme.radius)
    kit.canvas.add(Element("slider", knob, caption=caption))
    return Box(x, y, x + length, y + side)


def spinner(kit: Kit, x: float, y: float, width: float, caption: str = "") -> Box:
    """A number input with two small arrow buttons."""
    theme, face = kit.theme, kit.theme.field_face
    tall = face.line + 2 * kit.px(4)
    box = Box(x, y, x + round(width), y + tall)
    frame(kit, box, theme.field, _edge(kit), theme.radius)
    number = str(kit.rng.randint(-10, 100))
    kit.canvas.text(x + 4, y + (tall - face.line) / 2, number, face, theme.field_ink)
    split = box.right - kit.px(14)
    kit.canvas.draw.line((split, box.top, split, box.bottom - 1), fill=theme.line)
    half, arm = box.top + tall / 2, max(2, kit.px(2.5))
    cx = (split + box.right) / 2
    for sign, top in ((-1, box.top), (1, half)):
        cy = top + tall / 4
        tip = [
            (cx - arm, cy - sign * arm / 2),
            (cx, cy + sign * arm / 2),
            (cx + arm, cy - sign * arm / 2),
        ]
        kit.canvas.draw.polygon(tip, fill=theme.field_ink)
    kit.canvas.add(Element("spin_up", Box(split, box.top, box.right, half), caption=caption))
    kit.canvas.add(Element("spin_down", Box(split, half, box.right, box.bottom), caption=caption))
    kit.canvas.add(
        Element("spinner", box, number, caption, anchor=Point((x + split) / 2, box.center.y))
    )
    return box


def icon(
    kit: Kit, x: float, y: float, name: str, side: int, boxed: bool = False, caption: str = ""
) -> Box:
    """An icon of `side` pixels, as a button with a frame when `boxed`."""
    theme, pad = kit.theme, kit.px(3) if boxed else 1
    box = Box(x, y, x + side + 2 * pad, y + side + 2 * pad)
    ink = theme.faint if kit.chance(0.2) else theme.ink
    if boxed:
        frame(kit, box, theme.control, theme.line, theme.radius)
        ink = theme.control_ink
    glyph(kit, Box(x + pad, y + pad, x + pad + side, y + pad + side), name, ink)
    kit.canvas.add(Element("icon", box, caption=caption, shape=name))
    return box


def glyph(kit: Kit, box: Box, name: str, color: Color) -> None:
    """The strokes of an icon alone."""
    mask = kit.icons.mask(name, round(box.width), round(box.height))
    kit.canvas.stamp(mask, box.left, box.top, color)


def shape(kit: Kit, box: Box, name: str, fill: Color, line: Color | None = None) -> None:
    """A filled shape of `SHAPES` with a one-pixel border of another colour when given."""
    inner = box
    if line:
        kit.canvas.stamp(
            shape_mask(name, round(box.width), round(box.height)), box.left, box.top, line
        )
        inner = Box(box.left + 1, box.top + 1, box.right - 1, box.bottom - 1)
    mask = shape_mask(name, round(inner.width), round(inner.height))
    kit.canvas.stamp(mask, inner.left, inner.top, fill)


def triangle(kit: Kit, box: Box, color: Color, down: bool) -> None:
    """The small arrow of a section or a tree: to the right, or down when open."""
    left, top, right, bottom = box
    cx, cy = box.center
    points = (
        [(left, top), (right, top), (cx, bottom)]
        if down
        else [(left, top), (right, cy), (left, bottom)]
    )
    kit.canvas.draw.polygon(points, fill=color)


def progress(kit: Kit, x: float, y: float, width: float, caption: str = "") -> Box:
    """A progress bar."""
    theme = kit.theme
    box = Box(x, y, x + round(width), y + kit.px(kit.rng.choice((6, 10, 14))))
    frame(kit, box, theme.field, theme.line, theme.radius)
    done = Box(box.left, box.top, box.left + max(2, width * kit.rng.random()), box.bottom)
    frame(kit, done, theme.accent, theme.line, theme.radius)
    kit.canvas.add(Element("progress", box, caption=caption))
    return box


def _edge(kit: Kit) -> Color:
    """A border that can be seen around an input."""
    theme = kit.theme
    far = abs(luminance(theme.line) - luminance(theme.page)) > 40
    return theme.line if far else theme.faint


def bitmap(kit: Kit, x: float, y: float, width: int, height: int, noise: bytes) -> Box:
    """A picture from RGB bytes: 27 give a smooth gradient of 3 x 3 colours, more give grain."""
    size = (3, 3) if len(noise) == 27 else (width, height)
    image = Image.frombytes("RGB", size, noise).resize((width, height), Image.Resampling.BICUBIC)
    box = Box(round(x), round(y), round(x) + width, round(y) + height)
    kit.canvas.paste(image, round(x), round(y))
    kit.canvas.add(Element("image", box))
    return box
