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
from agent.learning.looking import Look, look, point
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
            seen = look(self._start, batch)
            then = _said(self._start, batch, seen)
        eyes = (model.vision_tower, model.multi_modal_projector)
        resting = not any(p.requires_grad for part in eyes for p in part.parameters())
        now = _said(model, batch, look(model, batch, seen.encoded if resting else None))
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


def _said(model: KimiVL, batch: Batch, seen: Look) -> tuple[Tensor, Tensor]:
    """Logits: (answers' tokens, vocabulary) and (coordinates, patches)."""
    written = model.language_model.lm_head(seen.states[batch.labels != IGNORE]).float()
    return written, point(model, batch, seen).logits.float()
