"""Matrix products that take the quickest way a CPU has for bf16 weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDEN_FROM = 32
"""Rows from which fp32 products pay for widening the weights (benchmarks/int4_kernels.py)."""
_BLOCK = 1 << 19
"""Weights that are widened at once: 2 MB in fp32, and a product of few columns."""
_ONEDNN = bool(torch.backends.mkldnn.enabled)


def has_bf16() -> bool:
    """Whether this CPU multiplies bf16 numbers itself; others widen every number first."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


class Linear(nn.Linear):
    """`nn.Linear`, with two other ways for bf16 on a CPU.

    - A single row, as in decoding, is bound by how fast the weights are read. On a CPU with bf16
      instructions PyTorch's own kernel was measured at twice the speed of oneDNN's matrix product;
      on one without them oneDNN's product with a vector is quickest (benchmarks/model_limits.md).
    - Many rows are multiplied in fp32 where the CPU has no instructions for bf16, which is two to
      four times faster there.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        if x.dtype != torch.bfloat16 or x.device.type != "cpu":
            return F.linear(x, self.weight, self.bias)
        rows = x.numel() // x.shape[-1]
        if rows == 1:
            return self._one_row(x)
        if rows >= WIDEN_FROM and not has_bf16():
            return widened_product(x, self.weight, self.bias)
        return F.linear(x, self.weight, self.bias)

    def _one_row(self, x: Tensor) -> Tensor:
        if not has_bf16():
            product = torch.mv(self.weight, x.flatten())
            return (product if self.bias is None else product + self.bias).view(*x.shape[:-1], -1)
        # The switch is global. It returns to its first value, not to the one found, so threads
        # that overlap here can slow each other down for a moment but never leave it off.
        _use_onednn(False)
        try:
            return F.linear(x, self.weight, self.bias)
        finally:
            _use_onednn(_ONEDNN)


def widened_product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`F.linear` of bf16 operands with fp32 in between, some rows of the weights at a time.

    Args:
        x: (..., in).
        weight: (out, in).
        bias: (out,).

    Returns:
        (..., out) in the dtype of x; rounded once.
    """
    wide = x.float()
    product = x.new_empty(*x.shape[:-1], len(weight))
    for start in range(0, len(weight), rows := max(1, _BLOCK // weight.shape[1])):
        block = slice(start, start + rows)
        added = None if bias is None else bias[block].float()
        product[..., block] = F.linear(wide, weight[block].float(), added)
    return product


def _use_onednn(enabled: bool) -> None:
    torch.backends.mkldnn.enabled = enabled  # type: ignore[assignment]  # typed as a descriptor
