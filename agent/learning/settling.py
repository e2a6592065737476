"""How far to go: new weights are taken only as far as next to nothing else is lost.

On the way from a network's weights to those that training made of them, lessons are learned early
and other things lost late (arXiv 2109.01903), so a part of the way often has all of the first and
none of the second. Generated screens of the validation split decide; neither training nor the gate
has seen them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from agent.learning.batch import Batch, collate
from agent.learning.gate import DESKTOP_SIZE, POINTING_SIZE
from agent.learning.losses import Weights, score
from agent.learning.screens.generator import ScreenGenerator
from agent.model import checkpoint
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import embedded_tokenizer
from vision.geometry import Size

SHARES = (1.0, 0.85, 0.7, 0.6, 0.5, 0.4, 0.3)
"""Parts of the way that are tried, the farthest first."""

SPARE = 0.01
"""The share of answers that may be lost here; the gate asks other screens, and more of them."""

_SEED = 30_000
_SCREENS, _BATCH, _QUESTIONS = 32, 4, 6


def settle(start: Path, trained: Path) -> float:
    """Rewrite trained weights as the farthest part of the way that loses no more than `SPARE`.

    Args:
        start: model folder that training began from.
        trained: model folder of the same kind; its weights are rewritten.

    Returns:
        The part of the way, 0..1; the shortest one where all lose something.
    """
    model = checkpoint.load(start)
    then = {name: value.clone() for name, value in model.state_dict().items()}
    there = load_file(trained / checkpoint.WEIGHTS)
    sets = [list(_screens(POINTING_SIZE, _SCREENS)), list(_screens(DESKTOP_SIZE, _SCREENS // 4))]
    least = [_right(model, screens) - SPARE * _asked(screens) for screens in sets]
    for share in SHARES:
        weights = {name: _between(then[name], new, share) for name, new in there.items()}
        model.load_state_dict(weights)
        if all(_right(model, each) >= few for each, few in zip(sets, least, strict=True)):
            break
    checkpoint.save(model, trained, weights)
    return share


def _between(then: Tensor, new: Tensor, share: float) -> Tensor:
    """So far from one to the other, in the numbers of the other; counts are the other's."""
    if not new.is_floating_point():
        return new
    return torch.lerp(then.float(), new.float(), share).to(new.dtype)


def _screens(size: Size, count: int) -> Iterator[Batch]:
    generator = ScreenGenerator(_SEED, size, "validation", _QUESTIONS)
    for first in range(0, count, _BATCH):
        samples = [generator.sample(first + index) for index in range(min(_BATCH, count - first))]
        yield collate(samples, embedded_tokenizer())


def _asked(batches: list[Batch]) -> int:
    return sum(len(batch.point_rows) for batch in batches)


@torch.no_grad()
def _right(model: KimiVL, batches: list[Batch]) -> int:
    """How many questions are answered with a point on the target."""
    found = 0.0
    for batch in batches:
        share = score(model, batch, Weights()).metrics["point_right"]
        found += float(share) * len(batch.point_rows)
    return round(found)
