"""The bridge from patches to the language model: 2x2 merge, then an MLP."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vision.linear import Linear
from vision.moonvit import Grid, VisionConfig


def merge_patches(features: Tensor, grids: Sequence[Grid], kernel: tuple[int, int]) -> Tensor:
    """Group each kernel of neighbouring patches into one visual token.

    Args:
        features: (L, D), raster order inside each image.
        grids: (rows, columns) of each image, divisible by the kernel.
        kernel: (rows, columns) merged into one token.

    Returns:
        (L / (kh kw), kh kw, D); inside a token the order is (0,0), (0,1), (1,0), (1,1).
    """
    kh, kw = kernel
    merged = []
    for x, (h, w) in zip(features.split([h * w for h, w in grids]), grids, strict=True):
        blocks = x.view(h // kh, kh, w // kw, kw, -1).permute(0, 2, 1, 3, 4)
        merged.append(blocks.reshape(h // kh * (w // kw), kh * kw, -1))
    return torch.cat(merged)


class Projector(nn.Module):
    """LayerNorm of each patch, concatenation of a 2x2 block, Linear, exact GELU, Linear."""

    def __init__(self, vision: VisionConfig, text_hidden: int) -> None:
        super().__init__()
        kh, kw = self.kernel = vision.merge_kernel_size
        width = vision.hidden_size * kh * kw
        self.pre_norm = nn.LayerNorm(vision.hidden_size, eps=1e-5)
        self.linear_1 = Linear(width, width)
        self.linear_2 = Linear(width, text_hidden)

    def forward(self, features: Tensor, grids: Sequence[Grid]) -> Tensor:
        """(L, D) patch features -> (L / 4, text_hidden) visual tokens."""
        merged = merge_patches(self.pre_norm(features), grids, self.kernel)
        return self.linear_2(F.gelu(self.linear_1(merged.flatten(1))))
