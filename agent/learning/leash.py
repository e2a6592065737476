"""Holds a network to what it said before, on screens that have nothing to do with its lessons.

A few recordings of one app teach its buttons in a minute, and the same steps pull everything else
along. Labels on other screens do not stop that: they are noisier than what is lost. The answers of
the network as it was are exact, so the distance to them is what is kept small.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from agent.learning.batch import IGNORE, Batch
from agent.model import checkpoint
from agent.model.kimi_vl import KimiVL


class Leash:
    """Measures how far a network has gone from where it began.

    Args:
        start: folder of the network at the beginning; one with a pointing head.
    """

    def __init__(self, start: Path) -> None:
        self._start = checkpoint.load(start).requires_grad_(False).eval()

    def length(self, model: KimiVL, batch: Batch) -> Tensor:
        """Mean KL divergence, start to now, of a token of an answer plus that of a point."""
        with torch.no_grad():
            seen = self._start.vision_tower(batch.patches, batch.grids)
            then = _said(self._start, batch, seen)
        if any(p.requires_grad for p in model.vision_tower.parameters()):
            seen = model.vision_tower(batch.patches, batch.grids)  # else it is still the same
        now = _said(model, batch, seen)
        apart = [
            _divergence(new, old)
            for new, old in zip(now, then, strict=True)
            if len(new)  # a batch may ask for no point at all
        ]
        return torch.stack(apart).sum()


def _divergence(now: Tensor, then: Tensor) -> Tensor:
    """Mean KL divergence, then to now, of rows of logits."""
    new, old = now.log_softmax(-1), then.log_softmax(-1)
    return F.kl_div(new, old, log_target=True, reduction="batchmean")


def _said(model: KimiVL, batch: Batch, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Logits: (answers' tokens, vocabulary) and (coordinates, patches), of encoded patches."""
    assert model.pointer is not None
    tokens = model.multi_modal_projector(seen, batch.grids)
    states = model.hidden(batch.ids, tokens, batch.positions, batch.mask)
    written = model.language_model.lm_head(states[batch.labels != IGNORE]).float()
    keys = model.pointer.keys(seen.unflatten(0, (len(batch.grids), -1)))[batch.point_rows]
    return written, model.pointer(states[batch.point_rows, batch.point_tokens], keys).float()
