"""The latent cache of multi-head latent attention: one vector per token and layer, for all heads.

A `Cache` is the history of one batch, `Packed` that of several sequences in one pass. Sizes are in
tokens; a vector holds R + rope values, R = kv_lora_rank (512 + 64 in Moonlight).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from agent.model.config import TextConfig


@dataclass
class LayerCache:
    """The history of one layer.

    Attributes:
        latent: (B, capacity, R + rope): normalised latent, then the rotated shared key.
        length: tokens in use.
    """

    latent: Tensor
    length: int = 0

    def append(self, new: Tensor) -> Tensor:
        """Store (B, T, R + rope); return all that is in use, (B, S, R + rope)."""
        end = self.length + new.shape[1]
        if end > self.latent.shape[1]:
            self.reserve(max(end, 2 * self.latent.shape[1]))
        self.latent[:, self.length : end] = new
        self.length = end
        return self.latent[:, :end]

    def reserve(self, capacity: int) -> None:
        """Move to storage for this many tokens."""
        batch, _, width = self.latent.shape
        moved = self.latent.new_empty(batch, capacity, width)
        moved[:, : self.length] = self.latent[:, : self.length]
        self.latent = moved


class Cache:
    """The latent cache of all layers of one batch."""

    def __init__(
        self,
        config: TextConfig,
        batch: int = 1,
        capacity: int = 256,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        shape = (batch, capacity, config.latent_size)
        self.layers = [
            LayerCache(torch.empty(shape, dtype=dtype, device=device))
            for _ in range(config.num_hidden_layers)
        ]

    @property
    def length(self) -> int:
        """Tokens in use."""
        return self.layers[0].length

    @property
    def capacity(self) -> int:
        """Tokens that fit without moving."""
        return self.layers[0].latent.shape[1]

    def reserve(self, capacity: int) -> None:
        """Make room for this many tokens in all; does nothing where there is room."""
        for layer in self.layers:
            if capacity > layer.latent.shape[1]:
                layer.reserve(capacity)

    def truncate(self, length: int) -> None:
        """Forget all tokens after the first `length`."""
        for layer in self.layers:
            layer.length = min(layer.length, length)

    def positions(self, new: int) -> Tensor:
        """(new,): where the next tokens stand."""
        device = self.layers[0].latent.device
        return torch.arange(self.length, self.length + new, device=device)

    def at(self, index: int) -> LayerCache:
        """The history of one layer."""
        return self.layers[index]


@dataclass(frozen=True)
class Packed:
    """Several sequences in one pass: their new tokens lie one after the other in one row.

    What reads weights (projections, experts) sees one long sequence; attention goes sequence by
    sequence, so their lengths may differ and nothing is padded or copied.

    Attributes:
        caches: the history of each sequence, batch 1.
        lengths: new tokens of each.
    """

    caches: Sequence[Cache]
    lengths: Sequence[int]

    def positions(self, new: int) -> Tensor:
        """(new,): where each new token stands in its own sequence."""
        assert new == sum(self.lengths)
        return torch.cat(
            [cache.positions(n) for cache, n in zip(self.caches, self.lengths, strict=True)]
        )

    def at(self, index: int) -> PackedLayer:
        """The histories of one layer."""
        return PackedLayer([cache.layers[index] for cache in self.caches], self.lengths)


@dataclass(frozen=True)
class PackedLayer:
    """One layer of `Packed`."""

    layers: Sequence[LayerCache]
    lengths: Sequence[int]


History = LayerCache | PackedLayer
