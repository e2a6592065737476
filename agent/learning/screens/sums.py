"""Exercises: sums and equations, each with a field for what comes out."""

from __future__ import annotations

from random import Random

from agent.learning.screens import widgets
from agent.learning.screens.kit import Kit
from agent.learning.screens.theme import resized
from vision.geometry import Box

Exercise = tuple[str, str]
"""What is written, and what belongs in the field."""

UNKNOWN = "x ="
"""What stands before the field of an equation."""

SIZES = (30, 30, 24, 20, 16)
"""Letters of an exercise that stands alone, in pixels; several are as large as other text."""


def exercise(rng: Random) -> Exercise:
    """A sum, a difference or a product of two digits."""
    one, other, sign = rng.randint(0, 9), rng.randint(0, 9), rng.choice("+-x")
    result = {"+": one + other, "-": one - other, "x": one * other}[sign]
    return f"{one} {sign} {other} =", str(result)


def equation(rng: Random) -> Exercise:
    """An equation with one unknown, a digit and a number of up to two."""
    digit, total = rng.randint(0, 9), rng.randint(0, 99)
    left, unknown = rng.choice(
        (
            (f"x + {digit}", total - digit),
            (f"{digit} + x", total - digit),
            (f"x - {digit}", total + digit),
            (f"{digit} - x", digit - total),
        )
    )
    return f"{left} = {total}", str(unknown)


def sums(kit: Kit, box: Box) -> None:
    """One exercise in large letters, or several below each other, and perhaps a button."""
    draw = kit.rng.choice((_sum, _sum, _equation))
    alone = kit.chance(0.4)
    y = box.top + kit.px(kit.rng.choice((2, 6, 12)))
    size, side = kit.rng.choice(SIZES) if alone else 0, kit.rng.choice((0.05, 0.5))
    for _ in range(1 if alone else kit.rng.randint(2, 5)):
        bottom = draw(kit, box._replace(top=y), size, side)
        if bottom == y:
            break
        y = bottom + kit.px(kit.rng.choice((3, 6)))
    if y + kit.px(24) < box.bottom:
        widgets.button(kit, box.left + box.width * kit.rng.uniform(0.05, 0.5), y, "Submit")


def _sum(kit: Kit, box: Box, size: int, side: float) -> float:
    """The exercise and its field side by side; the lowest y it used."""
    text, answer = exercise(kit.rng)
    face = resized(kit.theme.body, size) if size else kit.theme.body
    wide = max(kit.px(24), box.width * 0.25)
    need = face.width(text) + kit.px(4) + wide
    if box.top + face.line + kit.px(12) > box.bottom or need > box.width:
        return box.top
    x = box.left + (box.width - need) * side
    words = widgets.label(kit, x, box.top, text, face)
    field = widgets.field(
        kit, round(words.right) + kit.px(4), box.top, wide, caption=text[:-2], answer=answer
    )
    return max(words.bottom, field.bottom)


def _equation(kit: Kit, box: Box, size: int, side: float) -> float:
    """The equation, and its field below; the lowest y it used."""
    text, answer = equation(kit.rng)
    face = resized(kit.theme.body, size) if size else kit.theme.body
    tall = face.line + kit.theme.field_face.line + kit.px(16)
    if box.top + tall > box.bottom or face.width(text) > box.width:
        return box.top
    x = box.left + (box.width - face.width(text)) * side
    below = widgets.label(kit, x, box.top, text, face).bottom + kit.px(kit.rng.choice((2, 6)))
    name = widgets.label(kit, x, below + kit.px(3), UNKNOWN)
    wide = min(box.right - name.right - kit.px(8), kit.px(kit.rng.choice((40, 80))))
    return widgets.field(
        kit, round(name.right) + kit.px(4), below, wide, caption=text, answer=answer
    ).bottom
