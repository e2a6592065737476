"""The strip at the top of a screen that shows an instruction."""

from __future__ import annotations

from agent.learning.screens.kit import Kit
from agent.learning.screens.theme import hsv, readable, resized
from vision.geometry import Box

YELLOW = (255, 255, 0)


def draw_header(kit: Kit, box: Box, instruction: str) -> None:
    """Write an instruction into a box, mostly as MiniWoB++ does: 10 px on yellow."""
    theme = kit.theme
    fill = YELLOW if kit.chance(0.8) else hsv(kit.rng.random(), kit.rng.random(), 0.95)
    size = 10 if kit.chance(0.8) else theme.body.size
    plain, bold = resized(theme.body, size), resized(theme.bold, size)
    stressed = kit.chance(0.25)
    kit.canvas.cover(box)
    kit.canvas.draw.rectangle((box.left, box.top, box.right - 1, box.bottom - 1), fill=fill)
    x, y, quoted = box.left + 3, box.top + 3, False
    for word in instruction.split(" "):
        quoted = quoted or (stressed and word.startswith('"'))
        face = bold if quoted else plain
        quoted = quoted and '"' not in word[1:]
        if x + face.width(word) > box.right - 2 and x > box.left + 3:
            x, y = box.left + 3, y + plain.line
        if y + plain.line > box.bottom:
            return
        kit.canvas.text(x, y, word, face, readable(fill))
        x += face.width(word + " ")
