"""Blocks of records: rows that repeat the same controls, each row known by its name."""

from __future__ import annotations

from agent.learning.screens import widgets
from agent.learning.screens.element import Element
from agent.learning.screens.kit import Kit
from agent.learning.screens.theme import mix
from vision.geometry import Box


def sections(kit: Kit, box: Box) -> float:
    """Collapsible sections: bars of full width, one of them perhaps open."""
    theme, face = kit.theme, kit.theme.control_face
    tall, gap = face.line + 2 * kit.px(kit.rng.choice((0.5, 2, 4))), kit.rng.choice((0, 1, 2))
    counted, marked, y = kit.chance(0.5), kit.chance(0.4), box.top
    opened = kit.rng.randint(0, 8)
    for index in range(kit.rng.randint(1, 5)):
        if y + tall > box.bottom:
            break
        bar = Box(box.left, y, box.right, y + tall)
        widgets.frame(kit, bar, theme.accent, theme.line, theme.radius)
        text = f"Section #{index + 1}" if counted else kit.words.label()
        x = box.left + kit.px(2)
        if marked:
            side = max(5, face.line // 2)
            spot = Box(x, y + (tall - side) / 2, x + side, y + (tall + side) / 2)
            widgets.triangle(kit, spot, theme.accent_ink, down=index == opened)
            x += side + kit.px(3)
        text = widgets.fitted(text, face, bar.right - x - 2)
        kit.canvas.text(x, y + (tall - face.line) / 2, text, face, theme.accent_ink)
        kit.canvas.add(Element("section", bar, text))
        y += tall + gap
        if index == opened and box.bottom - y > 2 * theme.body.line:
            words = widgets.fitted(" ".join(kit.words.sentence(8)), theme.body, box.width - 8)
            y = widgets.label(kit, box.left + 4, y + 2, words).bottom + 4
    return y


def mails(kit: Kit, box: Box) -> float:
    """Messages or posts: a bold name, a line of text, icons that act on it."""
    theme = kit.theme
    icons = kit.rng.sample(ACTIONS, kit.rng.randint(1, 3))
    side, below = kit.px(kit.rng.choice((9, 11))), kit.chance(0.4)
    tall = theme.bold.line + theme.body.line + (side + kit.px(4) if below else 0) + kit.px(4)
    y, names = box.top, set[str]()
    for _ in range(kit.rng.randint(2, 5)):
        name = kit.words.name()
        if y + tall > box.bottom or name in names:
            break
        names.add(name)
        step = kit.px(24) if below else side + kit.px(4)
        reach = box.right - 2 if below else box.right - step * len(icons) - kit.px(4)
        title = widgets.label(kit, box.left + 2, y + 2, name, theme.bold)
        text = " ".join(kit.words.sentence(5))
        text = widgets.fitted(text, theme.body, reach - box.left - 4)
        kit.canvas.text(box.left + 2, title.bottom, text, theme.body, theme.ink)
        x = box.left + kit.px(6) if below else reach
        top = title.bottom + theme.body.line + 1 if below else y + kit.px(4)
        for number, icon in enumerate(icons):
            widgets.icon(kit, x + number * step, top, icon, side, caption=name)
        bottom = title.bottom + theme.body.line
        kit.canvas.add(Element("message", Box(box.left, y, reach, bottom), name))
        y += tall
        kit.canvas.draw.line((box.left, y - 1, box.right - 1, y - 1), fill=theme.line)
    return y


ACTIONS = ("star", "trash", "heart", "more", "back", "forward", "flag", "reload", "edit", "check")


def cards(kit: Kit, box: Box) -> float:
    """Framed cards with a title and the same button in each."""
    theme, face = kit.theme, kit.theme.control_face
    action = kit.words.short()
    wide = face.width(action) + kit.px(10)
    beside = wide < box.width * 0.5
    tall = theme.bold.line + (0 if beside else face.line + kit.px(4)) + 2 * kit.px(4)
    fill = mix(theme.page, theme.ink, 0.95)
    y, titles = box.top, set[str]()
    for _ in range(kit.rng.randint(2, 5)):
        room = box.width - kit.px(10) - (wide if beside else 0)
        title = widgets.fitted(kit.words.label(), theme.bold, room)
        if y + tall > box.bottom or not title or title.lower() in titles or wide > box.width - 6:
            break
        titles.add(title.lower())
        widgets.frame(kit, Box(box.left, y, box.right, y + tall), fill, theme.line, theme.radius)
        kit.canvas.text(box.left + kit.px(3), y + kit.px(4), title, theme.bold, theme.ink)
        x = box.right - wide - kit.px(3) if beside else box.left + (box.width - wide) / 2
        top = y + kit.px(2) if beside else y + kit.px(4) + theme.bold.line
        height = min(face.line + kit.px(3), y + tall - top - 1)
        widgets.button(kit, round(x), top, action, round(wide), height, caption=title)
        y += tall + kit.px(3)
    return y


def counters(kit: Kit, box: Box) -> float:
    """Rows with a number or a name and a pair of buttons."""
    theme, face = kit.theme, kit.theme.control_face
    pair = kit.rng.choice((("-", "+"), ("Odd", "Even"), ("No", "Yes"), ("Down", "Up")))
    wide = max(map(face.width, pair)) + kit.px(10)
    around, numbers = kit.chance(0.5), kit.chance(0.5)
    tall, y, names = face.line + 2 * kit.px(4), box.top, set[str]()
    for _ in range(kit.rng.randint(2, 5)):
        name = str(kit.rng.randint(-9, 99)) if numbers else kit.words.short()
        name = widgets.fitted(name, theme.bold, box.width - 2 * wide - kit.px(12))
        if y + tall > box.bottom or not name or name.lower() in names:
            break
        names.add(name.lower())
        left = box.left if around else box.right - 2 * wide - 2
        widgets.button(kit, round(left), y, pair[0], round(wide), tall, caption=name)
        right = round(box.right - wide)
        widgets.button(kit, right, y, pair[1], round(wide), tall, caption=name)
        middle = Box(box.left + wide, y, box.right - wide, y + tall)
        if around:
            widgets.centered(kit, middle, name, theme.bold, theme.ink)
        else:
            widgets.label(kit, box.left, y + kit.px(4), name, theme.bold)
        y += tall + kit.px(kit.rng.choice((2, 4)))
    return y


def tree(kit: Kit, box: Box) -> float:
    """A file tree: boxes with plus or minus, folders, files, indented names."""
    theme, face = kit.theme, kit.theme.body
    tall, side = max(face.line, kit.px(9)) + kit.px(kit.rng.choice((1, 3))), kit.px(9)
    y, depth, names = box.top, 0, set[str]()
    for _ in range(kit.rng.randint(2, 8)):
        x = box.left + 2 + depth * kit.px(12)
        name = widgets.fitted(
            kit.words.name() if kit.chance(0.6) else kit.words.short(),
            face,
            box.right - x - 3 * side,
        )
        if y + tall > box.bottom or not name or name.lower() in names:
            break
        names.add(name.lower())
        folder, middle = kit.chance(0.6), y + (tall - side) / 2
        if folder:
            _expander(kit, Box(x, round(middle), x + side, round(middle) + side), name)
        icon = "folder" if folder else "file"
        picture = Box(x + side + 3, middle, x + 2 * side + 3, middle + side)
        widgets.glyph(kit, picture, icon, (200, 150, 40) if folder else theme.ink)
        words = widgets.label(kit, x + 2 * side + kit.px(5), y + (tall - face.line) / 2, name)
        kit.canvas.add(Element(icon, Box(picture.left, y, words.right, y + tall), name))
        y += tall
        depth = kit.rng.randint(0, min(depth + 1, 3)) if folder else kit.rng.randint(0, depth)
    return y


def _expander(kit: Kit, box: Box, name: str) -> None:
    widgets.frame(kit, box, kit.theme.field, kit.theme.faint)
    inner = Box(box.left + 2, box.top + 2, box.right - 2, box.bottom - 2)
    widgets.glyph(kit, inner, kit.rng.choice(("plus", "plus", "minus")), kit.theme.field_ink)
    kit.canvas.add(Element("expander", box, caption=name))


def results(kit: Kit, box: Box) -> float:
    """Search results: a link, an address, a line of text; below them the pages."""
    theme, face, y = kit.theme, kit.theme.body, box.top
    for _ in range(kit.rng.randint(1, 4)):
        if y + 3 * face.line > box.bottom:
            break
        name = widgets.fitted(kit.words.label(), theme.bold, box.width)
        y = widgets.link(kit, box.left, y, name, theme.bold if kit.chance(0.5) else face).bottom
        address = f"http://{kit.words.invented()}.com/{kit.words.running()}"
        kit.canvas.text(box.left, y, widgets.fitted(address, face, box.width), face, theme.faint)
        text = widgets.fitted(" ".join(kit.words.sentence(6)), face, box.width)
        y = widgets.label(kit, box.left, y + face.line, text).bottom + kit.px(4)
    if y + face.line <= box.bottom and kit.chance(0.5):
        x = box.left + kit.rng.random() * box.width / 2
        for label in [*"12345"[: kit.rng.randint(2, 4)], kit.rng.choice((">", "Next", ">>"))]:
            x = widgets.link(kit, x, y, label).right + kit.px(4)
        y += face.line
    return y


def facts(kit: Kit, box: Box) -> float:
    """Keys in bold with values beside them, some of them links."""
    theme, y = kit.theme, box.top
    for _ in range(kit.rng.randint(2, 5)):
        if y + theme.body.line > box.bottom:
            break
        key = widgets.fitted(kit.words.short(), theme.bold, box.width * 0.5)
        x = widgets.label(kit, box.left, y, key + ":", theme.bold).right + kit.px(3)
        value = kit.words.code() if kit.chance(0.6) else kit.words.label()
        value = widgets.fitted(value, theme.body, box.right - x - 1)
        if value and kit.chance(0.6):
            widgets.link(kit, x, y, value, caption=key)
        else:
            widgets.label(kit, x, y, value)
        y += theme.body.line + kit.px(kit.rng.choice((1, 3)))
    return y
