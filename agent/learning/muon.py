"""Muon where the processor has no instructions for bf16."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

STEEPNESS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
TINY = 1e-7


class WideMuon(torch.optim.Muon):
    """`torch.optim.Muon` with orthogonal updates found in fp32.

    PyTorch's always find them in bf16, which a processor without such instructions widens number
    by number, at three times the cost on a Cascade Lake Xeon (docs/experiments.md). Of its options
    only rate and decay; Nesterov momentum and updates as large as AdamW's, as in arXiv 2502.16982,
    section 2.2.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move each parameter that has a gradient.

        Raises:
            ValueError: a closure is given, which no caller here needs.
        """
        if closure is not None:
            raise ValueError("expected no closure")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                past = self.state[parameter].setdefault(
                    "momentum_buffer", torch.zeros_like(parameter)
                )
                past.lerp_(parameter.grad, 1 - group["momentum"])
                update = orthogonal(parameter.grad.lerp(past, group["momentum"]))
                size: float = 0.2 * max(parameter.shape) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * size)


def orthogonal(matrix: Tensor) -> Tensor:
    """`U V^T` of a matrix `U S V^T`, roughly: singular values come out between 0.5 and 1.5.

    Newton and Schulz's iteration with five terms, whose coefficients are Keller Jordan's
    (https://kellerjordan.github.io/posts/muon).
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    found = wide / wide.norm().clamp(min=TINY)
    linear, cubic, quintic = STEEPNESS
    for _ in range(ITERATIONS):
        gram = found @ found.T
        bend = torch.addmm(gram, gram, gram, beta=cubic, alpha=quintic)
        found = torch.addmm(found, bend, found, beta=linear)
    return found if wide is matrix else found.T
