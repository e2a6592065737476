"""Scenes: whole arrangements of a screen's body, from scattered buttons to stacked windows."""

from __future__ import annotations

from collections.abc import Callable

from agent.learning.screens import blocks, widgets
from agent.learning.screens.element import Element
from agent.learning.screens.icons import ICONS, SHAPES, draw_shape
from agent.learning.screens.kit import Kit
from agent.learning.screens.theme import CONFUSABLE, PALETTE, mix, readable
from vision.geometry import Box

Scene = Callable[[Kit, Box], None]
"""Fills the given part of the screen."""


def inset(box: Box, by: float) -> Box:
    """The box without a margin on each side."""
    return Box(box.left + by, box.top + by, box.right - by, box.bottom - by)


def page(kit: Kit, box: Box) -> None:
    """Blocks in one to three columns."""
    body = inset(box, kit.rng.choice((2, kit.px(4), kit.px(8))))
    columns = 1 if box.width < 260 or kit.chance(0.3) else kit.rng.choice((2, 2, 3))
    wide = body.width / columns
    for column in range(columns):
        left = round(body.left + column * wide)
        right = round(left + wide - (kit.px(6) if column + 1 < columns else 0))
        part = Box(left, body.top, right, body.bottom)
        y = part.top + (kit.rng.randint(0, round(part.height / 4)) if kit.chance(0.2) else 0)
        blocks.stack(kit, part._replace(top=y), 12)


def free(kit: Kit, box: Box, count: int, tries: int = 12) -> Callable[[float, float], Box | None]:
    """A chooser of places that do not touch each other inside a box."""
    taken: list[Box] = []

    def place(width: float, height: float) -> Box | None:
        for _ in range(tries):
            if box.width <= width or box.height <= height:
                return None
            x = round(box.left + kit.rng.random() * (box.width - width))
            y = round(box.top + kit.rng.random() * (box.height - height))
            spot = Box(x, y, x + width, y + height)
            apart = (
                spot.right + 2 <= other.left
                or other.right + 2 <= spot.left
                or spot.bottom + 2 <= other.top
                or other.bottom + 2 <= spot.top
                for other in taken
            )
            if all(apart):
                taken.append(spot)
                return spot
        return None

    return place


def scattered(kit: Kit, box: Box) -> None:
    """Buttons and other widgets anywhere."""
    place = free(kit, inset(box, 1), 8)
    face = kit.theme.control_face
    square = kit.px(kit.rng.choice((30, 40, 40, 50))) if kit.chance(0.4) else 0
    for _ in range(kit.rng.randint(1, 6)):
        if kit.chance(0.75):
            label = kit.rng.choice(COUNTED) if kit.chance(0.2) else kit.words.short()
            label = label.replace(" ", "\n")
            wide = square or max(map(face.width, label.split("\n"))) + kit.px(12)
            tall = square or face.line * (1 + label.count("\n")) + kit.px(6)
            if face.width(max(label.split("\n"), key=len)) > wide - 4:
                continue
            spot = place(round(wide), tall)
            if spot:
                widgets.button(kit, spot.left, spot.top, label, spot.width, spot.height)
            continue
        spot = place(kit.px(80), face.line + kit.px(14))
        if spot:
            _single(kit, spot)


COUNTED = ("ONE", "TWO", "Three", "one", "two", "OK", "Ok", "no", "yes", "Yes", "No", "cancel")


def _single(kit: Kit, spot: Box) -> None:
    kind = kit.rng.random()
    text = widgets.fitted(kit.words.short(), kit.theme.body, spot.width - kit.px(20))
    if kind < 0.35:
        widgets.field(kit, spot.left, spot.top, spot.width)
    elif kind < 0.6:
        widgets.choice(kit, spot.left, spot.top, kit.rng.choice(("radio", "checkbox")), text, False)
    elif kind < 0.8:
        widgets.link(kit, spot.left, spot.top, text)
    elif kind < 0.9:
        widgets.slider(kit, spot.left, spot.top, spot.width)
    else:
        widgets.icon(kit, spot.left, spot.top, kit.rng.choice(sorted(ICONS)), kit.px(14))


def shapes(kit: Kit, box: Box) -> None:
    """Coloured shapes, some with a letter or a digit on them, and coloured letters."""
    place = free(kit, inset(box, 2), 12)
    allowed = dict(PALETTE)
    for group in CONFUSABLE:
        for name in sorted(group - {kit.rng.choice(sorted(group))}):
            allowed.pop(name, None)
    background = kit.theme.page
    names = [
        name
        for name, tints in allowed.items()
        if sum(abs(a - b) for a, b in zip(tints[0], background, strict=True)) > 150
    ]
    for _ in range(kit.rng.randint(2, 9)):
        side = kit.px(kit.rng.choice((10, 14, 18, 24, 30)))
        name, color = kit.rng.choice(SHAPES), kit.rng.choice(names)
        wide = round(side * 1.7) if name == "rectangle" else side
        spot = place(wide, side)
        if spot is None:
            continue
        tint = kit.rng.choice(allowed[color])
        mark = ""
        if kit.chance(0.3):
            mark = kit.rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZabdefghkmnqrt23456789")
        if kit.chance(0.15):
            mark = mark or "7"
            widgets.centered(kit, spot, mark, kit.theme.bold, tint)
            kind, name = "character", ""
        else:
            draw_shape(kit.canvas.draw, name, inset(spot, 0.5), tint, None)
            kind = "shape"
            if mark and side >= kit.theme.bold.line:
                widgets.centered(kit, spot, mark, kit.theme.bold, readable(tint))
            else:
                mark = ""
        kit.canvas.add(Element(kind, spot, mark, shape=name, color=color))


def grid(kit: Kit, box: Box) -> None:
    """Equal cells with labels: a keypad, a calendar, colour swatches."""
    columns, rows = kit.rng.randint(2, 7), kit.rng.randint(2, 5)
    area = inset(box, kit.px(4))
    wide = min(area.width / columns, kit.px(44))
    tall = min(area.height / rows, kit.px(30))
    digits, start = kit.chance(0.6), kit.rng.choice((0, 1, 1, 10))
    gap = kit.rng.choice((0, 2, 4))
    for index in range(columns * rows):
        row, column = divmod(index, columns)
        text = str(start + index) if digits else kit.words.short()
        text = widgets.fitted(text, kit.theme.control_face, wide - gap - 3)
        spot = Box(
            round(area.left + column * wide),
            round(area.top + row * tall),
            round(area.left + (column + 1) * wide) - gap,
            round(area.top + (row + 1) * tall) - gap,
        )
        if text and spot.height >= kit.theme.control_face.line:
            widgets.button(kit, spot.left, spot.top, text, spot.width, spot.height)


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
    _close(kit, close)
    face = theme.bold if kit.chance(0.5) else theme.body
    left = bar.left + kit.px(4) + (side + kit.px(3) if x < box.center.x else 0)
    title = widgets.fitted(name, face, bar.right - left - side - kit.px(6))
    if title:
        words = canvas.text(left, bar.top + (tall - face.line) / 2, title, face, ink)
        canvas.add(Element("title", words, title))
    return Box(box.left + 1, bar.bottom, box.right - 1, box.bottom - 1)


def _close(kit: Kit, box: Box) -> None:
    theme = kit.theme
    style = kit.rng.random()
    fill = theme.control if style < 0.6 else (200, 40, 40) if style < 0.8 else None
    if fill:
        widgets.frame(kit, box, fill, theme.line, theme.radius)
    below = fill or theme.accent
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
        blocks.stack(kit, inset(body, kit.px(4)), 3)


def tabs(kit: Kit, box: Box) -> None:
    """A row of tab headers over a panel; one is selected."""
    theme, face = kit.theme, kit.theme.body
    area = inset(box, kit.rng.choice((0, 1, kit.px(3))))
    pad, gap = kit.px(kit.rng.choice((4, 5, 8))), kit.rng.choice((0, 1, 2, kit.px(3)))
    tall = face.line + 2 * kit.px(kit.rng.choice((2, 4, 5)))
    count = kit.rng.randint(2, 6)
    counted = kit.chance(0.4)
    labels = [f"Tab #{k + 1}" if counted else kit.words.short() for k in range(count)]
    chosen = kit.rng.randrange(count)
    if kit.chance(0.6):
        strip = Box(area.left, area.top, area.right, area.top + tall + 4)
        widgets.frame(kit, strip, mix(theme.page, theme.ink, 0.9), theme.line, theme.radius)
    x, style = area.left + 4, kit.rng.choice(("box", "box", "line", "plain"))
    for index, text in enumerate(labels):
        wide = round(face.width(text)) + 2 * pad
        if x + wide > area.right:
            break
        head = Box(x, area.top + 3, x + wide, area.top + 4 + tall)
        lit = index == chosen
        fill = theme.accent if lit and style != "line" else theme.control
        if style == "box" or (lit and style == "plain"):
            widgets.frame(kit, head, fill, theme.line, theme.radius)
        ink = theme.ink
        if style == "box" or (lit and style == "plain"):
            ink = theme.accent_ink if fill == theme.accent else theme.control_ink
        widgets.centered(kit, head, text, face, ink)
        if lit and style == "line":
            kit.canvas.draw.line((x, head.bottom - 1, x + wide, head.bottom - 1), theme.accent, 2)
        kit.canvas.add(Element("tab", head, text))
        x += wide + gap
    panel = Box(area.left, area.top + tall + 4, area.right, area.bottom)
    if kit.chance(0.6):
        kit.canvas.draw.rectangle(
            (panel.left, panel.top, panel.right - 1, panel.bottom - 1), outline=theme.line
        )
    inner = inset(panel, kit.px(kit.rng.choice((3, 6, 14))))
    if kit.chance(0.5):
        blocks.running(kit, inner, kit.rng.randint(8, 24), kit.rng.choice((0, 0.1, 0.2)))
    else:
        blocks.stack(kit, inner, 3)


def prose(kit: Kit, box: Box) -> None:
    """Running text with links and perhaps a button."""
    y = blocks.running(
        kit, inset(box, 2), kit.rng.randint(12, 60), kit.rng.choice((0.05, 0.12, 0.12, 0.3))
    )
    rest = inset(box, 2)._replace(top=y + kit.px(3))
    if rest.height > kit.px(30) and kit.chance(0.4):
        y = blocks.buttons(kit, rest)
        if rest.bottom - y > kit.px(20):
            blocks.running(kit, rest._replace(top=y + 2), 12, 0.1)


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


SCENES: tuple[tuple[Scene, int], ...] = (
    (page, 8),
    (scattered, 4),
    (shapes, 3),
    (grid, 2),
    (dialog, 5),
    (windows, 2),
    (tabs, 5),
    (prose, 5),
    (menu, 2),
)
"""Scenes with how often each is used."""


def draw(kit: Kit, box: Box) -> None:
    """Fill a box with a random scene."""
    kinds, weights = zip(*SCENES, strict=True)
    scene: Scene = kit.rng.choices(kinds, weights)[0]
    scene(kit, box)
