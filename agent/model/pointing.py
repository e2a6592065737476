"""Where a coordinate lies: what all heads that point say together, in training and in use."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agent.model.kimi_vl import KimiVL
from agent.model.lexical import Sought
from vision.moonvit import Grid

TENTH = 0.1
"""Logits as clues: of the size of what the network computes with."""


@dataclass(frozen=True)
class Pointed:
    """Where some coordinates would lie.

    Attributes:
        logits: (Q, L) of the patches.
        keys: (Q, L, size) of the pointing head.
        shifts: (Q, L, 2) what a second look adds to the logits of the place in each patch.
    """

    logits: Tensor
    keys: Tensor
    shifts: Tensor | None = None


def point(
    model: KimiVL,
    states: Tensor,
    patches: Tensor,
    rows: Tensor,
    grid: Grid,
    sought: Sought | None = None,
) -> Pointed:
    """Compare states with patches.

    Args:
        model: a network with a pointing head.
        states: (Q, text hidden), the decoder's at the box tokens.
        patches: (B, L, vision hidden), of screens of one size.
        rows: (Q,) which screen each coordinate lies on.
        grid: rows and columns of patches.
        sought: the words, where there is a lexicon.
    """
    assert model.pointer is not None
    # Every question of a screen is compared with that screen's patches only.
    keys = model.pointer.keys(patches)[rows]
    logits = model.pointer(states, keys)
    if model.lexicon is None or sought is None or not len(states):
        return Pointed(logits, keys)
    maps = model.lexicon.choose(states, sought)
    logits = logits + model.lexicon.aim(maps, grid)
    if model.second_look is None:
        return Pointed(logits, keys)
    anything = sought.shares.amax(1, keepdim=True)
    clues = torch.cat([maps, anything, TENTH * logits.unsqueeze(1)], 1).transpose(1, 2)
    more, shifts = model.second_look(states, patches, rows, clues, grid)
    return Pointed(logits + more, keys, shifts)


def places(model: KimiVL, states: Tensor, pointed: Pointed, at: Tensor) -> Tensor:
    """Where inside a patch each coordinate lies.

    Args:
        model: that pointed.
        states: (Q, text hidden).
        pointed: what it said.
        at: (Q,) the patches.

    Returns:
        (Q, 2): (x, y) as fractions 0..1 of the patch's side.
    """
    assert model.pointer is not None
    every = torch.arange(len(at), device=at.device)
    logits = model.pointer.offsets(states, pointed.keys[every, at].to(states.dtype))
    if pointed.shifts is not None:
        logits = logits + pointed.shifts[every, at]
    return logits.sigmoid()
