"""What is written where a visual token looks, told to that token.

The projector makes one token of four patches, 28 pixels square, and a decoder of this size does not
find out letter by letter what numbers stand in it. The letter tower has read them (`Transcript`),
and the copying head knows every character together with those around it; here each token is told
what that head knows of the characters inside it. At first it is told nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agent.model.config import KimiVLConfig
from vision.moonvit import Grid


class Inscriptions(nn.Module):
    """Adds up, for each visual token, what is known of the characters in its patches."""

    def __init__(self, config: KimiVLConfig, known: int) -> None:
        super().__init__()
        self.kernel = config.vision.merge_kernel_size
        self.inner = nn.Linear(known, known)
        self.told = nn.Linear(known, config.text.hidden_size, bias=False)

    def forward(self, known: Tensor, patches: Sequence[int], grid: Grid) -> Tensor:
        """What is added to the visual tokens of one picture.

        Args:
            known: (T, known), from `CopyingHead.read`.
            patches: of each character, `Transcript.patches`.
            grid: rows and columns of patches.

        Returns:
            (L / 4, text hidden).
        """
        tall, wide = self.kernel
        rows, columns = grid[0] // tall, grid[1] // wide
        at = torch.tensor(patches, dtype=torch.long, device=known.device)
        tokens = at // grid[1] // tall * columns + at % grid[1] // wide
        told = self.told(F.gelu(self.inner(known)))
        return told.new_zeros(rows * columns, told.shape[1]).index_add(0, tokens, told)
