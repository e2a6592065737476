"""A small Kimi-VL with random weights, sharp enough for every part to count."""

import math

import torch
from torch import Tensor

from agent.model.cache import Cache
from agent.model.config import KimiVLConfig, TextConfig
from agent.model.kimi_vl import KimiVL
from vision.moonvit import Grid, VisionConfig

PAD = 319
VISION = VisionConfig(
    hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96
)
TEXT = TextConfig(
    vocab_size=320,
    hidden_size=64,
    num_hidden_layers=4,
    num_attention_heads=4,
    intermediate_size=128,
    moe_intermediate_size=48,
    n_routed_experts=8,
    num_experts_per_tok=3,
    kv_lora_rank=32,
    qk_nope_head_dim=16,
    qk_rope_head_dim=16,
    v_head_dim=24,
)
CONFIG = KimiVLConfig(vision=VISION, text=TEXT, media_placeholder_token_id=PAD)
GRIDS: list[Grid] = [(70, 4), (6, 10), (2, 14)]
"""Odd, unequal grids; the first is longer than the 64 rows of the position table."""
TOLERANCE = 1e-4


@torch.no_grad()
def randomize(model: KimiVL) -> KimiVL:
    """Weights large enough for sharp attention and routing; every bias and norm counts."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name and name.endswith("weight"):
            parameter.copy_(1 + 0.3 * noise)
        elif "embed_tokens" in name:
            parameter.copy_(noise)
        elif parameter.dim() > 1 and "pos_emb" not in name:
            parameter.copy_(1.5 * noise / math.sqrt(parameter[0].numel()))
        else:
            parameter.copy_(0.3 * noise)
    return model.eval()


def network() -> KimiVL:
    return randomize(KimiVL(CONFIG))


def prompt() -> tuple[Tensor, Tensor]:
    """Token ids (1, T) with the pads of three images between words, and the packed patches."""
    generator = torch.Generator().manual_seed(1)
    ids: list[int] = []
    for h, w in GRIDS:
        ids += torch.randint(0, PAD, (5,), generator=generator).tolist()
        ids += [PAD] * (h * w // 4)
    ids += torch.randint(0, PAD, (9,), generator=generator).tolist()
    count = sum(h * w for h, w in GRIDS)
    return torch.tensor([ids]), torch.randn(count, 3, 14, 14, generator=generator)


def words(count: int, batch: int = 1) -> Tensor:
    return torch.randint(0, PAD, (batch, count), generator=torch.Generator().manual_seed(2))


def relative(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).abs().max() / expected.abs().max())


def assert_same_logits(actual: Tensor, expected: Tensor) -> None:
    assert actual.shape == expected.shape
    assert relative(actual, expected) <= TOLERANCE
    assert torch.equal(actual.argmax(-1), expected.argmax(-1))


def in_chunks(model: KimiVL, ids: Tensor, sizes: list[int], dtype: torch.dtype) -> Tensor:
    """Logits of ids fed piece by piece through a cache that has to grow."""
    cache = Cache(TEXT, batch=len(ids), capacity=2, dtype=dtype)
    logits = torch.cat([model(part, cache=cache) for part in ids.split(sizes, 1)], 1)
    assert cache.length == ids.shape[1]
    return logits
