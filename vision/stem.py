"""What the embedded model's encoder has in front of its patch embedding: it sees letters whole.

A patch is a bad place to learn letters in: one that moves by a pixel gives another patch, so every
letter has to be learned at every place. Convolutions learn it once for all places. Kimi-VL itself
has neither of these parts (`VisionConfig.stem_channels`, `letter_blocks`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F


class ConvStem(nn.Module):
    """3x3 convolutions with BatchNorm over whole images: (n, 3, H, W) -> (n, C, H/2, W/2)."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
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


class LetterTower(nn.Module):
    """What letter is where, cell by cell of 2x2 pixels, from the stem's features.

    `merge` starts at zero: a network that gets a tower is at first the one that it was.
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(LetterBlock(channels) for _ in range(blocks)))
        self.merge = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(n, C, H, W) features -> letters of the same shape, and features that know of them."""
        letters = self.blocks(features)
        return letters, features + self.merge(letters)
