"""A second look at the patches, by someone who knows what is asked.

The encoder does not know the question, and the decoder has read all patches before it, so the other
heads choose by one dot product of both. Here a few narrow blocks of the encoder's kind go over the
patches again, with the decoder's state and what the other heads found mixed into each: the question
meets the picture before the choice, as in Grounding DINO (arXiv 2303.05499). At first they change
nothing.
"""

from __future__ import annotations

from torch import Tensor, nn

from agent.model.config import KimiVLConfig
from vision.moonvit import MoonVitEncoder, VisionConfig

HEAD = 32
"""Channels of an attention head."""

WIDER = 3
"""How many times wider the MLPs are inside."""


class SecondLook(nn.Module):
    """Corrects where the other heads would point."""

    def __init__(self, config: KimiVLConfig, clues: int) -> None:
        super().__init__()
        assert config.pointer is not None
        size, blocks = config.pointer.look_size, config.pointer.look_blocks
        self.patch = nn.Linear(config.vision.hidden_size, size)
        self.asked = nn.Linear(config.text.hidden_size, 2 * size)
        self.clue = nn.Linear(clues, size)
        self.encoder = MoonVitEncoder(
            VisionConfig(
                hidden_size=size,
                num_hidden_layers=blocks,
                num_attention_heads=size // HEAD,
                intermediate_size=WIDER * size,
            )
        )
        self.found = nn.Linear(size, 3)

    def forward(
        self, states: Tensor, patches: Tensor, rows: Tensor, clues: Tensor, grid: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """What is added to the logits of the patches, and to those of the place in each.

        Args:
            states: (Q, text hidden), one per coordinate.
            patches: (B, L, vision hidden) of the screens.
            rows: (Q,) which screen each coordinate lies on.
            clues: (Q, L, clues), what other heads found there.
            grid: rows and columns of patches.

        Returns:
            (Q, L) and (Q, L, 2) as (x, y), both fp32.
        """
        scale, shift = self.asked(states).unsqueeze(1).chunk(2, -1)
        x = self.patch(patches)[rows] * (1 + scale) + shift + self.clue(clues.to(states.dtype))
        seen = self.encoder(x.flatten(0, 1), [grid] * len(states))
        found = self.found(seen).float().unflatten(0, x.shape[:2])
        return found[..., 0], found[..., 1:]
