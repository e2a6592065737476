"""Weights of 4 bits in groups, for the MLPs of a network that is too large in bf16.

In a group of neighbouring inputs of one output, w = (code - 8) * scale + zero, code in 0..15. On a
CPU the product is PyTorch's own int4 kernel; benchmarks/int4_kernels.py compares it with others.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = (32, 64, 128, 256)
"""Group sizes that the kernel takes."""


class Int4Linear(nn.Module):
    """y = x W^T; not for training.

    Attributes:
        codes: (out, in / 2) uint8. As stored: two codes a byte, the first in the low bits. After
            `pack`: in the order that this CPU's kernel reads.
        scales: (in / group, out, 2): scale and zero of each group, in the dtype of x.
        packed: which of the two `codes` are.
    """

    codes: Tensor
    scales: Tensor

    def __init__(self, in_features: int, out_features: int, group: int) -> None:
        super().__init__()
        if group not in GROUPS or in_features % group or out_features % 16:
            raise ValueError(
                f"expected a group size of {GROUPS} that divides {in_features} inputs, and a "
                f"multiple of 16 outputs, actually: {group} and {out_features} outputs"
            )
        self.group, self.packed = group, False
        self.register_buffer("codes", torch.empty(out_features, in_features // 2).to(torch.uint8))
        self.register_buffer("scales", torch.empty(in_features // group, out_features, 2))

    def pack(self) -> None:
        """Reorder the codes for this CPU; on other devices they stay as they are."""
        if self.codes.device.type == "cpu" and not self.packed:
            self.codes = torch._convert_weight_to_int4pack_for_cpu(unpacked(self.codes).int(), 1)
            self.packed = True

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        if not self.packed:
            return F.linear(x, dequantised(self.codes, self.scales).to(x.dtype))
        rows = x.reshape(-1, x.shape[-1])
        out = torch._weight_int4pack_mm_for_cpu(rows, self.codes, self.group, self.scales)
        return out.view(*x.shape[:-1], -1)


def quantised(weight: Tensor, group: int) -> tuple[Tensor, Tensor]:
    """(out, in) -> codes (out, in / 2) and scales (in / group, out, 2) in bf16.

    The 16 steps of a group reach from its smallest to its largest weight.
    """
    # Few rows at a time stay in a CPU's cache; whole matrices took three times as long.
    codes, pairs = zip(*(_quantised_rows(rows, group) for rows in weight.split(64)), strict=True)
    return torch.cat(codes), torch.cat(pairs).transpose(0, 1).contiguous()


def _quantised_rows(weight: Tensor, group: int) -> tuple[Tensor, Tensor]:
    """(rows, in) -> codes (rows, in / 2) and scales (rows, in / group, 2)."""
    grouped = weight.float().unflatten(1, (-1, group))
    low, high = grouped.aminmax(dim=-1, keepdim=True)
    scale = ((high - low) / 15).clamp(min=1e-8).bfloat16().float()
    zero = (low + 8 * scale).bfloat16().float()
    codes = (grouped - zero).div_(scale).add_(8).round_().clamp_(0, 15).to(torch.uint8).flatten(1)
    return codes[:, ::2] | (codes[:, 1::2] << 4), torch.cat([scale, zero], -1).bfloat16()


def dequantised(codes: Tensor, scales: Tensor) -> Tensor:
    """The weights (out, in) that stored codes stand for; the twin of the kernel."""
    scale, zero = scales.transpose(0, 1).unsqueeze(-1).unbind(2)
    values = unpacked(codes).unflatten(1, (scales.shape[0], -1)).to(scales.dtype) - 8
    return (values * scale + zero).flatten(1)


def unpacked(codes: Tensor) -> Tensor:
    """(out, in / 2) -> (out, in), one code a byte."""
    return torch.stack([codes & 15, codes >> 4], -1).flatten(1)
