"""Scenes of windows: dialogs, overlapping windows, menus that drop over the page."""

from __future__ import annotations

from agent.learning.screens import blocks, widgets
from agent.learning.screens.element import Element
from agent.learning.screens.kit import Kit
from agent.learning.screens.places import inset
from agent.learning.screens.stacks import page, stack
from agent.learning.screens.theme import Color, mix, readable
from vision.geometry import Box


def window(kit: Kit, box: Box, name: str = "") -> Box:
    """A window's frame and title bar with a close button; gives the box left for its content."""
    theme, canvas = kit.theme, kit.canvas
    canvas.cover(box)
    widgets.frame(kit, box, theme.page, theme.line, theme.radius)
    tall = theme.body.line + 2 * kit.px(kit.rng.choice((1, 2, 4)))
    margin = kit.rng.choice((0, 0, kit.px(2)))
    bar = Box(box.left + margin, box.top + margin, box.right - margin, box.top + margin + tall)
    fill = theme.accent if kit.chance(0.6) else mix(theme.page, theme.ink, 0.9)
    widgets.frame(kit, bar, fill, theme.line, theme.radius)
    ink = readable(fill)
    side = max(7, tall - 2 * kit.px(2))
    x = bar.right - side - kit.px(2) if kit.chance(0.85) else bar.left + kit.px(2)
    close = Box(x, bar.top + (tall - side) // 2, x + side, bar.top + (tall - side) // 2 + side)
    _close(kit, close, fill)
    face = theme.bold if kit.chance(0.5) else theme.body
    left = bar.left + kit.px(4) + (side + kit.px(3) if x < box.center.x else 0)
    title = widgets.fitted(name, face, bar.right - left - side - kit.px(6))
    if title:
        words = canvas.text(left, bar.top + (tall - face.line) / 2, title, face, ink)
        canvas.add(Element("title", words, title))
    return Box(box.left + 1, bar.bottom, box.right - 1, box.bottom - 1)


def _close(kit: Kit, box: Box, bar: Color) -> None:
    theme = kit.theme
    style = kit.rng.random()
    fill = theme.control if style < 0.6 else (200, 40, 40) if style < 0.8 else None
    if fill:
        widgets.frame(kit, box, fill, theme.line, theme.radius)
    below = fill or bar
    arm = max(2, round(box.width * kit.rng.uniform(0.18, 0.3)))
    cx, cy = box.center
    cx, cy = cx - 0.5, cy - 0.5
    wide = max(1, round(box.width / kit.rng.choice((6, 9))))
    for sign in (-1, 1):
        kit.canvas.draw.line(
            (cx - arm, cy - sign * arm, cx + arm, cy + sign * arm), fill=readable(below), width=wide
        )
    kit.canvas.add(Element("close", box, "x", place="dialog"))


def dialog(kit: Kit, box: Box) -> None:
    """A dialog box over the page, with text or a field and a row of buttons."""
    if kit.chance(0.5):
        page(kit, box)
    wide = round(box.width * kit.rng.uniform(0.6, 0.95))
    tall = round(box.height * kit.rng.uniform(0.5, 0.9))
    x = round(box.left + kit.rng.random() * (box.width - wide))
    y = round(box.top + kit.rng.random() * (box.height - tall))
    frame = Box(x, y, x + wide, y + tall)
    title = kit.words.label() if kit.chance(0.6) else ""
    body = inset(window(kit, frame, title), kit.px(kit.rng.choice((3, 6, 10))))
    foot = body.bottom - kit.theme.control_face.line - kit.px(8)
    has_buttons = kit.chance(0.8) and foot > body.top + kit.theme.body.line
    if has_buttons:
        if kit.chance(0.5):
            kit.canvas.draw.line(
                (frame.left + 2, foot - 3, frame.right - 3, foot - 3), fill=kit.theme.line
            )
        _answers(kit, Box(body.left, foot, body.right, body.bottom))
    content = body._replace(bottom=foot - kit.px(4) if has_buttons else body.bottom)
    kind = kit.rng.random()
    if kind < 0.6:
        blocks.running(kit, content, kit.rng.randint(3, 12), 0)
    elif content.height > kit.theme.body.line + kit.px(10):
        blocks.form(kit, content) if kind < 0.8 else blocks.choices(kit, content)


ANSWERS = (("Cancel", "OK"), ("OK", "Cancel"), ("Ok",), ("Yes", "No"), ("No", "Yes", "Cancel"))


def _answers(kit: Kit, box: Box) -> None:
    labels: tuple[str, ...] = kit.rng.choice(ANSWERS)
    if kit.chance(0.5):
        labels = tuple(kit.words.short() for _ in range(kit.rng.randint(1, 3)))
    face, pad = kit.theme.control_face, kit.px(kit.rng.choice((8, 12, 16)))
    widths = [round(face.width(text) + pad) for text in labels]
    gap = kit.px(4)
    total = sum(widths) + gap * (len(labels) - 1)
    if total > box.width:
        labels, widths, total = labels[:1], widths[:1], widths[0]
    if total > box.width:
        return
    x = box.left + (box.width - total) * kit.rng.choice((0, 0.5, 0.5, 1))
    for text, wide in zip(labels, widths, strict=True):
        widgets.button(kit, round(x), box.top, text, wide, box.height, place="dialog")
        x += wide + gap


def windows(kit: Kit, box: Box) -> None:
    """Two or three overlapping windows."""
    for _ in range(kit.rng.randint(2, 3)):
        wide = round(box.width * kit.rng.uniform(0.45, 0.75))
        tall = round(box.height * kit.rng.uniform(0.4, 0.7))
        x = round(box.left + kit.rng.random() * (box.width - wide))
        y = round(box.top + kit.rng.random() * (box.height - tall))
        body = window(kit, Box(x, y, x + wide, y + tall), kit.words.label())
        stack(kit, inset(body, kit.px(4)), 3)


def menu(kit: Kit, box: Box) -> None:
    """A menu bar, one of its menus open over the page."""
    theme, face = kit.theme, kit.theme.body
    tall = face.line + 2 * kit.px(2)
    page(kit, box._replace(top=box.top + tall))
    bar = box._replace(bottom=box.top + tall)
    kit.canvas.cover(bar)
    widgets.frame(kit, bar, theme.control, theme.line)
    heads: list[Box] = []
    x = bar.left + kit.px(2)
    for _ in range(kit.rng.randint(2, 6)):
        text = kit.words.short()
        wide = round(face.width(text)) + 2 * kit.px(4)
        if x + wide > bar.right:
            break
        head = Box(x, bar.top, x + wide, bar.bottom)
        widgets.centered(kit, head, text, face, theme.control_ink)
        kit.canvas.add(Element("menu", head, text))
        heads.append(head)
        x += wide
    if heads and kit.chance(0.7):
        _drop(kit, kit.rng.choice(heads), box)


def _drop(kit: Kit, head: Box, box: Box) -> None:
    theme, face = kit.theme, kit.theme.body
    tall = face.line + 2 * kit.px(2)
    labels = [kit.words.label() for _ in range(kit.rng.randint(2, 6))]
    wide = max(face.width(text) for text in labels) + kit.px(14)
    left = min(head.left, box.right - wide - 1)
    rows = min(len(labels), int((box.bottom - head.bottom - 2) // tall))
    if rows < 1 or left < box.left:
        return
    sheet = Box(round(left), head.bottom, round(left + wide), head.bottom + rows * tall + 2)
    kit.canvas.cover(sheet._replace(top=sheet.top + 4))
    widgets.frame(kit, sheet, theme.control, theme.line)
    for row, text in enumerate(labels[:rows]):
        y = sheet.top + 1 + row * tall
        item = Box(sheet.left, y, sheet.right, y + tall)
        kit.canvas.text(sheet.left + kit.px(6), y + kit.px(2), text, face, theme.control_ink)
        kit.canvas.add(Element("menuitem", item, text))
