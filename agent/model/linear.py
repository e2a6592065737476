"""A matrix product that reads its weights as fast as a CPU's memory gives them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_ONEDNN = bool(torch.backends.mkldnn.enabled)


class Linear(nn.Linear):
    """`nn.Linear`, except that a single bf16 row on a CPU goes past oneDNN.

    Decoding multiplies one row at a time, so memory is its limit. There PyTorch's own kernel was
    measured at twice the speed of oneDNN, with the same rounding (benchmarks/model_limits.md).
    """

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        one_row = x.numel() == x.shape[-1] and x.dtype == torch.bfloat16
        if not one_row or x.device.type != "cpu":
            return F.linear(x, self.weight, self.bias)
        # The switch is global. It returns to its first value, not to the one found, so threads
        # that overlap here can slow each other down for a moment but never leave it off.
        _use_onednn(False)
        try:
            return F.linear(x, self.weight, self.bias)
        finally:
            _use_onednn(_ONEDNN)


def _use_onednn(enabled: bool) -> None:
    torch.backends.mkldnn.enabled = enabled  # type: ignore[assignment]  # typed as a descriptor
