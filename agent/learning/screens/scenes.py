"""Scenes: whole arrangements of a screen's body, from scattered buttons to stacked windows."""

from __future__ import annotations

from collections.abc import Callable

from agent.learning.screens import blocks, boards, widgets, windows
from agent.learning.screens.element import Element
from agent.learning.screens.iconsets import IconSet
from agent.learning.screens.kit import Kit
from agent.learning.screens.places import free, inset
from agent.learning.screens.stacks import page, stack
from agent.learning.screens.sums import sums
from agent.learning.screens.theme import mix
from vision.geometry import Box

Scene = Callable[[Kit, Box], None]
"""Fills the given part of the screen."""


def scattered(kit: Kit, box: Box) -> None:
    """Buttons and other widgets anywhere."""
    place = free(kit, inset(box, 1))
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
        (name,) = kit.icons.choose(kit.rng, 1)
        widgets.icon(kit, spot.left, spot.top, name, kit.px(14))


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
        stack(kit, inner, 3)


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


def split(kit: Kit, box: Box) -> None:
    """Two parts side by side or above each other, each with a scene of its own."""
    share = kit.rng.uniform(0.3, 0.7)
    upright = box.width > box.height * kit.rng.uniform(0.7, 1.3)
    edge = round(box.left + share * box.width if upright else box.top + share * box.height)
    halves = (
        (box._replace(right=edge - 2), box._replace(left=edge + 2))
        if upright
        else (box._replace(bottom=edge - 2), box._replace(top=edge + 2))
    )
    for half in halves:
        if kit.chance(0.3):
            widgets.frame(kit, half, None, kit.theme.line)
        draw(kit, inset(half, 2))


SCENES: tuple[tuple[Scene, int], ...] = (
    (page, 9),
    (scattered, 4),
    (boards.shapes, 3),
    (boards.swatches, 1),
    (boards.grid, 2),
    (boards.calendar, 1),
    (boards.axes, 1),
    (windows.dialog, 5),
    (windows.windows, 2),
    (tabs, 4),
    (prose, 4),
    (windows.menu, 2),
    (sums, 6),
)
"""Scenes with how often each is used."""

ICONIC = 0.12
"""Share of scenes that are icons only, where there is a set of them."""

LARGEST = 260
"""Sides above this many tenths of the font's size are split."""


def draw(kit: Kit, box: Box) -> None:
    """Fill a box with a random scene, or with several when it is large."""
    large = max(box.width, box.height) > kit.px(LARGEST)
    if large and kit.chance(0.75):
        split(kit, box)
        return
    if isinstance(kit.icons, IconSet) and kit.chance(ICONIC):
        boards.icons(kit, box)
        return
    kinds, weights = zip(*SCENES, strict=True)
    scene: Scene = kit.rng.choices(kinds, weights)[0]
    scene(kit, box)
