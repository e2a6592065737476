"""What the embedded model's encoder has in front of its patch embedding: it sees letters whole.

A patch is a bad place to learn letters in: one that moves by a pixel gives another patch, so every
letter has to be learned at every place. Convolutions learn it once for all places. Kimi-VL itself
has neither of these parts (`VisionConfig.stem_channels`, `letter_blocks`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

LETTER_CLASSES = 96
"""Class 0 is no letter, the others are printable ASCII (`agent.model.pointer.PRINTABLE`)."""
CELL = 2
"""Side of a cell in pixels: what the stem's one stride makes of the screen."""
CODE_SIZE = 32
"""Numbers that stand for a letter."""


class ConvStem(nn.Module):
    """3x3 convolutions with BatchNorm over whole images: (n, 3, H, W) -> (n, C, H/2, W/2)."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.gradient_checkpointing = False
        layers: list[nn.Module] = []
        for index, (inner, outer) in enumerate(pairwise((3, *channels))):
            stride = 2 if index == 1 else 1
            layers += [
                nn.Conv2d(inner, outer, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(outer),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Images normalised to -1..1."""
        if self.gradient_checkpointing and self.training:
            return _twice(self.layers, images)
        return self.layers(images)


class LetterBlock(nn.Module):
    """x + pointwise(relu(norm(depthwise 5x5(x)))): each sees four pixels of the screen further."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(channels, channels, 5, padding=2, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, C, H, W) -> the same shape."""
        return x + self.mix(F.relu(self.norm(self.spread(x))))

    def at_rest(self, x: Tensor) -> Tensor:
        """The same of (n, H, W, C) -> (n, H, W, C), with the running statistics.

        The norm goes into the kernels, and the pointwise convolution is a matrix product that adds
        to x: PyTorch would write each of the five steps to memory.
        """
        mean, variance = self.norm.running_mean, self.norm.running_var
        assert mean is not None and variance is not None and self.mix.bias is not None
        scale = self.norm.weight * (variance + self.norm.eps).rsqrt()
        kernels = self.spread.weight * scale[:, None, None, None]
        bias = self.norm.bias - mean * scale
        spread = F.conv2d(x.permute(0, 3, 1, 2), kernels, bias, padding=2, groups=x.shape[-1])
        rows = F.relu_(spread).permute(0, 2, 3, 1).reshape(-1, x.shape[-1])
        mixed = torch.addmm(x.reshape(rows.shape), rows, self.mix.weight.flatten(1).T)
        return mixed.add_(self.mix.bias).view(x.shape)


class LetterTower(nn.Module):
    """Which letter has its centre in a cell of 2x2 pixels (`CELL`), from the stem's features."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.gradient_checkpointing = False
        self.blocks = nn.Sequential(*(LetterBlock(channels) for _ in range(blocks)))
        self.spell = nn.Conv2d(channels, LETTER_CLASSES, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(n, C, H, W) -> (n, classes, H, W) logits; class 0 is "no letter"."""
        if any(norm.training for norm in self.modules() if isinstance(norm, nn.BatchNorm2d)):
            return self.forward_learning(features)
        return torch.cat([self._at_rest(image) for image in features.split(1)])

    def _at_rest(self, features: Tensor) -> Tensor:
        """One image, which caches can hold, with half the passes over memory."""
        x = features.permute(0, 2, 3, 1)
        for block in self.blocks:
            assert isinstance(block, LetterBlock)
            x = block.at_rest(x)
        return F.linear(x, self.spell.weight.flatten(1), self.spell.bias).permute(0, 3, 1, 2)

    def forward_learning(self, features: Tensor) -> Tensor:
        """The slow, simple twin, whose norms may take the statistics of the batch."""
        for block in self.blocks:
            keep = not (self.gradient_checkpointing and self.training)
            features = block(features) if keep else _twice(block, features)
        return self.spell(features)


class LetterCodes(nn.Module):
    """The letters of a patch as one vector: what they are, in which column, how high."""

    def __init__(self, hidden: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.code = nn.Linear(LETTER_CLASSES - 1, CODE_SIZE, bias=False)
        self.place = nn.Linear(2 * side * CODE_SIZE, hidden)

    def forward(self, cells: Tensor) -> Tensor:
        """(L, cells, classes) logits, raster order -> (L, hidden)."""
        codes = self.code(cells.softmax(-1)[..., 1:]).unflatten(1, (self.side, self.side))
        height = torch.linspace(-1, 1, self.side, device=cells.device)[:, None, None]
        columns = torch.cat([codes.sum(1), (codes * height).sum(1)], -1)
        return self.place(columns.flatten(1))


def _twice(layers: nn.Module, x: Tensor) -> Tensor:
    """`layers(x)`, computed once more in the backward pass in place of being kept."""
    contexts = nullcontext(), _counted(layers)
    return checkpoint(layers, x, use_reentrant=False, context_fn=lambda: contexts)


@contextmanager
def _counted(layers: nn.Module) -> Iterator[None]:
    """Inside the block running statistics stay: a batch counts once, though computed twice."""
    norms = [layer for layer in layers.modules() if isinstance(layer, nn.BatchNorm2d)]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, usual, strict=True):
            norm.momentum = momentum
