"""Which numbers a training computes with."""

from __future__ import annotations

import torch

from vision.linear import has_bf16


def quick_numbers() -> torch.autocast:
    """bf16 products, where the processor has instructions for them, else fp32 ones.

    Processors without such instructions widen every number first: a Cascade Lake Xeon trained the
    embedded model three times slower in bf16 than in fp32. Weights and sums are fp32 on all.
    """
    return torch.autocast("cpu", torch.bfloat16, enabled=has_bf16())
