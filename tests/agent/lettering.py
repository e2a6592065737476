"""Pages as a letter tower that is sure of itself would read them."""

from __future__ import annotations

import torch
from torch import Tensor

from agent.model.lexical import Lines, read_lines
from agent.model.pointer import PRINTABLE

GRID = (3, 6)
"""Rows and columns of patches."""

SIDE = 7
"""Cells along a patch."""


def letters(*texts: tuple[int, int, str], tall: bool = False) -> Tensor:
    """Logits (L, cells, classes) of letters three cells apart.

    Args:
        texts: each with the row and the column of cells of its first letter; a space takes three
            cells as well.
        tall: whether the cells above and below say the same, as those of a real tower.
    """
    height, width = GRID[0] * SIDE, GRID[1] * SIDE
    image = torch.full((height, width, len(PRINTABLE) + 1), -9.0)
    image[..., 0] = 9.0
    for row, column, text in texts:
        for index, char in enumerate(text):
            for beside in (-1, 0, 1) if tall else (0,):
                if char != " ":
                    letter = image[row + beside, column + 3 * index]
                    letter[0], letter[PRINTABLE.index(char) + 1] = -9.0, 9.0
    tiles = image.unflatten(1, (GRID[1], SIDE)).unflatten(0, (GRID[0], SIDE))
    return tiles.transpose(1, 2).flatten(2, 3).flatten(0, 1)


def page(*texts: tuple[int, int, str], tall: bool = False) -> Lines:
    """The same as lines."""
    return read_lines(letters(*texts, tall=tall), GRID)
