"""Low-rank adapters (LoRA, arXiv 2106.09685): large weights rest, thin matrices beside them learn.

    W x  ->  W x + (alpha / rank) up (down x)

`up` starts at zero, so an adapted network begins as the one it was; merged, it is a plain network
again, of the same names and shapes.
"""

from __future__ import annotations

import math
import re

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agent.model.kimi_vl import KimiVL

EVERYWHERE = r"(wqkv|wo|fc[01]|(q|kv_b|o|gate|up|down)_proj|kv_a_proj_with_mqa|linear_[12])"
"""Every map between hidden states: attention, MLPs and experts of both halves, the projector."""


class LowRank(nn.Module):
    """A linear map with an adapter beside it."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.base = base
        self.scale = alpha / rank
        like = base.weight
        self.down = nn.Parameter(like.new_empty(rank, base.in_features))
        self.up = nn.Parameter(like.new_zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    @property
    def weight(self) -> Tensor:
        """(out, in): what both come to; for code that multiplies with the weight itself."""
        return self.base.weight + self.scale * (self.up @ self.down)

    @property
    def bias(self) -> Tensor | None:
        """That of the map itself."""
        return self.base.bias

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out); no gradient of the size of the weight is ever made."""
        return self.base(x) + self.scale * F.linear(F.linear(x, self.down), self.up)


def adapt(model: KimiVL, rank: int, alpha: float | None = None, where: str = EVERYWHERE) -> int:
    """Put adapters beside linear maps and let nothing else learn.

    Args:
        model: changed in place.
        rank: of the adapters, at least 1.
        alpha: their strength; None means twice the rank.
        where: pattern of the last part of a map's name.

    Returns:
        How many numbers are trained.

    Raises:
        ValueError: the pattern names no linear map.
    """
    model.requires_grad_(False)
    chosen = [
        (parent, name, child)
        for parent in list(model.modules())
        for name, child in parent.named_children()
        if isinstance(child, nn.Linear) and re.fullmatch(where, name)
    ]
    if not chosen:
        raise ValueError(f"expected a pattern that names linear maps, actually: {where!r}")
    for parent, name, child in chosen:
        setattr(parent, name, LowRank(child, rank, alpha or 2.0 * rank))
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def merged(model: KimiVL) -> dict[str, Tensor]:
    """The state of the plain network that `merge` would make, by its names; nothing changes."""
    state = model.state_dict()
    for path, module in model.named_modules():
        if isinstance(module, LowRank):
            for kind in ("down", "up", "base.weight"):
                del state[f"{path}.{kind}"]
            state[f"{path}.weight"] = module.weight.detach()
            if module.bias is not None:
                state[f"{path}.bias"] = state.pop(f"{path}.base.bias")
    return state


def adapters(model: nn.Module) -> dict[str, Tensor]:
    """What `adapt` added, by name: all that has to be kept of a training."""
    return {
        f"{path}.{kind}": getattr(module, kind)
        for path, module in model.named_modules()
        if isinstance(module, LowRank)
        for kind in ("down", "up")
    }


@torch.no_grad()
def merge(model: KimiVL) -> None:
    """Add every adapter to its weight and take it away: a plain network, in place."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, LowRank):
                child.base.weight.copy_(child.weight)
                setattr(parent, name, child.base)
