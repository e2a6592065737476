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
from agent.model.transcript import Transcript
from vision.moonvit import Grid


class Inscriptions(nn.Module):
    """Adds up, for each visual token, what is known of the characters in its patches."""

    def __init__(self, config: KimiVLConfig, known: int) -> None:
        super().__init__()
        self.kernel = config.vision.merge_kernel_size
        self.inner = nn.Linear(known, known)
        self.told = nn.Linear(known, config.text.hidden_size, bias=False)

    def forward(self, known: Tensor, pages: Sequence[Transcript], grids: Sequence[Grid]) -> Tensor:
        """What is added to the visual tokens of some pictures.

        Args:
            known: (T, known), from `CopyingHead.read_all`.
            pages: what is written on each picture.
            grids: rows and columns of their patches.

        Returns:
            (L / 4, text hidden), packed.
        """
        tall, wide = self.kernel
        tokens: list[int] = []
        before = 0
        for page, (rows, columns) in zip(pages, grids, strict=True):
            tokens += [
                before + patch // columns // tall * (columns // wide) + patch % columns // wide
                for patch in page.patches
            ]
            before += rows // tall * (columns // wide)
        told = self.told(F.gelu(self.inner(known)))
        where = torch.tensor(tokens, dtype=torch.long, device=known.device)
        return told.new_zeros(before, told.shape[1]).index_add(0, where, told)
