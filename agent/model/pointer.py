"""Heads that Kimi-VL does not have: pointing at patches and reading the letters in them.

A small decoder cannot learn to write coordinates as digits in our budget (docs/experiments.md);
comparing its state with every patch works within minutes (GUI-Actor, MolmoPoint). With
`KimiVLConfig.pointer` unset none of this exists and the network is exactly Kimi-VL.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agent.model.config import KimiVLConfig, PointerConfig

PRINTABLE = "".join(map(chr, range(32, 127)))
"""Glyph classes are indices into this string plus one; class 0 is "nothing"."""


class PointingHead(nn.Module):
    """Compares the decoder's state where a coordinate is due with every patch of the screen."""

    def __init__(self, config: KimiVLConfig, pointer: PointerConfig) -> None:
        super().__init__()
        size = pointer.size
        self.query = nn.Sequential(
            nn.Linear(config.text.hidden_size, size), nn.GELU(), nn.Linear(size, size)
        )
        self.key = nn.Linear(config.vision.hidden_size, size)
        self.offset = nn.Sequential(nn.Linear(2 * size, size), nn.GELU(), nn.Linear(size, 2))
        self.log_scale = nn.Parameter(torch.tensor(2.5))

    def keys(self, patches: Tensor) -> Tensor:
        """(..., vision hidden) -> (..., size): what `forward` compares with, at unit length."""
        return F.normalize(self.key(patches).float(), dim=-1)

    def forward(self, states: Tensor, keys: Tensor) -> Tensor:
        """Logits of pointing at each patch.

        Args:
            states: (Q, text hidden), one per coordinate.
            keys: (Q, L, size) or (L, size): `keys` of the patches of that coordinate's screen.

        Returns:
            (Q, L): scaled cosine similarities.
        """
        query = F.normalize(self.query(states).float(), dim=-1)
        with torch.autocast(states.device.type, enabled=False):
            return (keys @ query.unsqueeze(-1)).squeeze(-1) * self.log_scale.exp()

    def offsets(self, states: Tensor, keys: Tensor) -> Tensor:
        """Logits of where inside a patch.

        Args:
            states: (Q, text hidden).
            keys: (Q, size): `keys` of the patch that each of them points at.

        Returns:
            (Q, 2): of (x, y) as fractions of the patch's side.
        """
        return self.offset(torch.cat([self.query(states), keys], -1)).float()


class ReadingHead(nn.Module):
    """Which letters have their centre in a patch, in reading order: a dense auxiliary task."""

    def __init__(self, config: KimiVLConfig, pointer: PointerConfig) -> None:
        super().__init__()
        self.shape = (pointer.glyph_slots, pointer.glyph_classes)
        self.proj = nn.Linear(
            config.vision.hidden_size, pointer.glyph_slots * pointer.glyph_classes
        )

    def forward(self, patches: Tensor) -> Tensor:
        """(..., vision hidden) -> (..., slots, classes) logits."""
        return self.proj(patches).unflatten(-1, self.shape)
