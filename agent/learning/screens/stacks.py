"""Stacks: random blocks below each other, in one or more columns."""

from __future__ import annotations

from agent.learning.screens import blocks, records
from agent.learning.screens.kit import Kit
from agent.learning.screens.places import inset
from vision.geometry import Box

BLOCKS: tuple[tuple[blocks.Block, int], ...] = (
    (blocks.paragraph, 5),
    (blocks.heading, 2),
    (blocks.buttons, 7),
    (blocks.choices, 5),
    (blocks.inputs, 5),
    (blocks.lines, 4),
    (blocks.form, 5),
    (blocks.areas, 2),
    (blocks.listing, 3),
    (blocks.table, 3),
    (blocks.toolbar, 3),
    (blocks.picture, 1),
    (records.sections, 3),
    (records.mails, 2),
    (records.cards, 2),
    (records.counters, 2),
    (records.tree, 2),
    (records.results, 2),
    (records.facts, 2),
)
"""Blocks with how often each is used."""


def stack(kit: Kit, box: Box, most: int = 6) -> float:
    """Blocks below each other until the box is full."""
    y = box.top
    kinds, weights = zip(*BLOCKS, strict=True)
    for block in kit.rng.choices(kinds, weights, k=kit.rng.randint(1, most)):
        if box.bottom - y < kit.theme.body.line + kit.px(10):
            break
        y = round(block(kit, box._replace(top=y))) + kit.px(kit.rng.choice((2, 4, 6, 10)))
    return y


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
        stack(kit, part._replace(top=y), 12)
