"""MoonViT: Kimi-VL's native-resolution vision encoder.

- Images of any size are packed into one sequence; attention stays inside each image.
- Learned 64x64 position embeddings, bicubically resized to each grid, plus 2D RoPE.
- Pre-norm blocks with biases, fused qkv, tanh GELU.
- Optional convolutional stem and letter tower in front of the patch embedding (`stem_channels`,
  `letter_blocks`); without them the network and its parameter names are exactly Kimi-VL's (arXiv
  2504.07491, `vision_tower.*`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from vision.attention import segment_attention
from vision.linear import Linear
from vision.stem import CELL, ConvStem, LetterCodes, LetterTower

Grid = tuple[int, int]
"""(rows, columns) of an image in patches."""


@dataclass(frozen=True)
class VisionConfig:
    """Shape of the encoder; the defaults are Kimi-VL-A3B's."""

    patch_size: int = 14
    hidden_size: int = 1152
    num_hidden_layers: int = 27
    num_attention_heads: int = 16
    intermediate_size: int = 4304
    init_pos_emb_height: int = 64
    init_pos_emb_width: int = 64
    merge_kernel_size: tuple[int, int] = (2, 2)
    rope_theta: float = 10000.0
    layer_norm_eps: float = 1e-5
    stem_channels: tuple[int, ...] = ()
    """Channels of the stem's 3x3 convolutions; the second one has stride 2. Empty: no stem."""
    letter_blocks: int = 0
    """Blocks of the tower that reads letters from the stem's features. 0: no tower."""

    def __post_init__(self) -> None:
        """Refuse shapes that cannot work."""
        if self.hidden_size % self.num_attention_heads or self.head_dim % 4:
            raise ValueError(
                f"hidden_size {self.hidden_size} over {self.num_attention_heads} heads must give "
                "a head size divisible by 4 (two axes of rotating pairs)"
            )

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.hidden_size // self.num_attention_heads


class PosEmb(nn.Module):
    """A learned table of positions, resized to any grid (bicubic, no antialias)."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        shape = (config.init_pos_emb_height, config.init_pos_emb_width, config.hidden_size)
        self.weight = nn.Parameter(torch.empty(shape))

    def forward(self, grids: Sequence[Grid]) -> Tensor:
        """(L, hidden), raster order inside each image."""
        table = {grid: self._resized(grid) for grid in set(grids)}
        return torch.cat([table[grid] for grid in grids])

    def _resized(self, grid: Grid) -> Tensor:
        if grid == tuple(self.weight.shape[:2]):
            return self.weight.flatten(0, 1)
        image_1DHW = self.weight.permute(2, 0, 1).unsqueeze(0)
        resized = F.interpolate(image_1DHW, size=grid, mode="bicubic", align_corners=False)
        return resized[0].permute(1, 2, 0).flatten(0, 1)


class PatchEmbed(nn.Module):
    """Patches -> embeddings: a convolution with stride = kernel, one linear map a patch."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.patch_size = config.patch_size
        self.stem = ConvStem(config.stem_channels) if config.stem_channels else None
        inner, side = 3, config.patch_size
        if config.stem_channels:
            inner, side = config.stem_channels[-1], config.patch_size // CELL
        towers = config.letter_blocks > 0
        self.letters = LetterTower(inner, config.letter_blocks) if towers else None
        self.codes = LetterCodes(config.hidden_size, side) if towers else None
        self.proj = nn.Conv2d(inner, config.hidden_size, side, stride=side)
        self.pos_emb = PosEmb(config)

    def forward(self, patches: Tensor, grids: Sequence[Grid]) -> tuple[Tensor, Tensor | None]:
        """Packed patches (L, 3, 14, 14) -> embeddings (L, hidden), and letters if there is a tower.

        Letters are (L, cells, classes): cells of 2x2 pixels, in raster order inside each patch.
        """
        if self.stem is None:
            embedded = F.linear(patches.flatten(1), self.proj.weight.flatten(1), self.proj.bias)
            return embedded + self.pos_emb(grids), None
        embedded, letters = self._through_stem(patches, grids)
        return embedded + self.pos_emb(grids), letters

    def _through_stem(self, patches: Tensor, grids: Sequence[Grid]) -> tuple[Tensor, Tensor | None]:
        """The stem looks across patch borders, so it works on reassembled images."""
        if len(set(grids)) == 1:
            return self._stemmed(patches, len(grids), grids[0])
        parts = patches.split([h * w for h, w in grids])
        stemmed = [self._stemmed(x, 1, grid) for x, grid in zip(parts, grids, strict=True)]
        letters = [letters for _, letters in stemmed if letters is not None]
        return torch.cat([x for x, _ in stemmed]), torch.cat(letters) if letters else None

    def _stemmed(self, patches: Tensor, count: int, grid: Grid) -> tuple[Tensor, Tensor | None]:
        assert self.stem is not None
        (h, w), p = grid, self.patch_size
        x = (
            patches.view(count, h, w, 3, p, p)
            .permute(0, 3, 1, 4, 2, 5)
            .reshape(count, 3, h * p, w * p)
        )
        features = self.stem(x.contiguous(memory_format=torch.channels_last))
        # As in `forward`, one matrix product: a convolution's backward takes four times as long.
        weight = self.proj.weight.permute(0, 2, 3, 1).flatten(1)
        embedded = F.linear(_cells(features, grid).flatten(1), weight, self.proj.bias)
        if self.letters is None or self.codes is None:
            return embedded, None
        letters = _cells(self.letters(features), grid)
        return embedded + self.codes(letters), letters


def _cells(features_NCHW: Tensor, grid: Grid) -> Tensor:
    """Features of whole images -> (patches, cells, channels), both in raster order."""
    h, w = grid
    tiles = features_NCHW.permute(0, 2, 3, 1).unflatten(2, (w, -1)).unflatten(1, (h, -1))
    return tiles.transpose(2, 3).flatten(3, 4).flatten(0, 2)


def rope_table(grids: Sequence[Grid], head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the 2D rotary embedding, each (L, head_dim / 2) in fp32.

    Pair 2i turns by column * inv_i, pair 2i+1 by row * inv_i, inv_i = theta^(-4i / head_dim): the
    published code puts x first, whatever its comment says.
    """
    inverse = theta ** -(torch.arange(0, head_dim, 4).float() / head_dim)
    angles = []
    for h, w in grids:
        rows = torch.arange(h).repeat_interleave(w).float()
        columns = torch.arange(w).repeat(h).float()
        angles.append(torch.stack([torch.outer(columns, inverse), torch.outer(rows, inverse)], -1))
    angle = torch.cat(angles).flatten(1)
    return angle.cos(), angle.sin()


def rotate_pairs(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (2j, 2j+1) of the last axis by the given angles; computed in fp32.

    Args:
        x: (..., head_dim).
        cos: broadcastable to (..., head_dim / 2); sin alike.
        sin: sines.
    """
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))  # one product instead of four
    return torch.view_as_real(pairs * torch.complex(cos, sin)).flatten(-2).to(x.dtype)


MLP_ROWS = 1024
"""Patches that go through an MLP at once: its inner layer is four times as wide as the others."""
HEADS = 4
"""Heads that attend at once, unless a backward pass has to keep everything anyway."""


class VisionMLP(nn.Module):
    """fc1(gelu_tanh(fc0(x)))."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.fc0 = Linear(config.hidden_size, config.intermediate_size)
        self.fc1 = Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """(L, hidden) -> (L, hidden)."""
        if len(x) > MLP_ROWS and not torch.is_grad_enabled():
            return torch.cat([self(part) for part in x.split(MLP_ROWS)])
        return self.fc1(F.gelu(self.fc0(x), approximate="tanh"))


class VisionBlock(nn.Module):
    """x += attention(norm0(x)); x += mlp(norm1(x))."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        hidden = config.hidden_size
        self.heads = config.num_attention_heads
        self.norm0 = nn.LayerNorm(hidden, eps=config.layer_norm_eps)
        self.norm1 = nn.LayerNorm(hidden, eps=config.layer_norm_eps)
        self.wqkv = Linear(hidden, 3 * hidden)
        self.wo = Linear(hidden, hidden)
        self.mlp = VisionMLP(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, lengths: Sequence[int]) -> Tensor:
        """(L, hidden) -> (L, hidden)."""
        x = x + self._attend(self.norm0(x), cos, sin, lengths)
        return x + self.mlp(self.norm1(x))

    def _attend(self, x: Tensor, cos: Tensor, sin: Tensor, lengths: Sequence[int]) -> Tensor:
        heads = self.wqkv(x).view(x.shape[0], 3, self.heads, -1)
        groups = heads.split(self.heads if torch.is_grad_enabled() else HEADS, 2)
        mixed = []
        for q, k, v in (group.unbind(1) for group in groups):
            q, k = rotate_pairs(q, cos, sin), rotate_pairs(k, cos, sin)
            mixed.append(segment_attention(q, k, v, lengths))
        return self.wo(torch.cat(mixed, 1).flatten(1))


class MoonVitEncoder(nn.Module):
    """The stack of blocks and the final LayerNorm."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.gradient_checkpointing = False
        self.blocks = nn.ModuleList(VisionBlock(config) for _ in range(config.num_hidden_layers))
        self.final_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, x: Tensor, grids: Sequence[Grid]) -> Tensor:
        """(L, hidden) -> (L, hidden)."""
        table = rope_table(grids, self.config.head_dim, self.config.rope_theta)
        cos, sin = (t.to(x.device).unsqueeze(1) for t in table)
        lengths = [h * w for h, w in grids]
        for block in self.blocks:
            if self.gradient_checkpointing and self.training:
                x = checkpoint(block, x, cos, sin, lengths, use_reentrant=False)
            else:
                x = block(x, cos, sin, lengths)
        return self.final_layernorm(x)


class MoonVit(nn.Module):
    """Packed patches of any number of images -> one feature vector a patch."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config)
        self.encoder = MoonVitEncoder(config)

    def forward(self, patches: Tensor, grids: Sequence[Grid]) -> Tensor:
        """Encode: (L, hidden), one feature vector a patch; arguments as in `embed`."""
        return self.encoder(self.embed(patches, grids)[0], grids)

    def embed(self, patches: Tensor, grids: Sequence[Grid]) -> tuple[Tensor, Tensor | None]:
        """What the encoder's blocks begin with.

        Args:
            patches: (L, 3, patch, patch), normalised, images one after another, raster order.
            grids: (rows, columns) of each image; the products add up to L.

        Returns:
            (L, hidden), the same order, and the tower's letters (see `PatchEmbed`).

        Raises:
            ValueError: the grids do not add up to L.
        """
        expected = sum(h * w for h, w in grids)
        if expected != patches.shape[0]:
            raise ValueError(f"grids {list(grids)} need {expected} patches, got {patches.shape[0]}")
        return self.patch_embed(patches, grids)
