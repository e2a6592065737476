"""Weights of 8 bits for shipping: w = code * scale, one scale per output channel.

They are widened again while a checkpoint is read, so the network computes as it did and only the
file is small. Vectors are few and stay as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor

SCALE = ".scale"
"""Follows the name of a matrix in the name of its scales."""


def quantised(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(out, ...) -> codes (out, ...) int8 in -127..127 and scales (out,) fp32.

    No weight moves by more than half a step, which is 1/127 of its channel's largest.
    """
    rows = weight.float().flatten(1)
    scales = (rows.abs().amax(1) / 127).clamp(min=1e-12)
    codes = (rows / scales[:, None]).round_().clamp_(-127, 127)
    return codes.to(torch.int8).view(weight.shape), scales


def dequantised(codes: Tensor, scales: Tensor) -> Tensor:
    """The weights (out, ...) in fp32 that stored codes stand for."""
    return codes.float() * scales.view(-1, *[1] * (codes.dim() - 1))
