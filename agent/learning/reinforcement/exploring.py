"""Makes a network that takes the likeliest choice take every choice with its probability."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from agent.model.kimi_vl import KimiVL


@contextmanager
def exploring(model: KimiVL, seed: int, temperature: float = 1.0) -> Iterator[None]:
    """Inside the block words and pointed patches are drawn from softmax(logits / temperature).

    The largest of logits / temperature + Gumbel noise falls on each choice with just that
    probability, also when a grammar forbids some of them afterwards (Gumbel 1954; arXiv 1411.0030).
    The whole path from screenshot to action stays as it is; confidences mean nothing meanwhile, and
    where a text is quoted from stays the likeliest place.

    Args:
        model: its output head and its pointing head are listened to.
        seed: decides all draws.
        temperature: above 1 is bolder.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(_module: nn.Module, _given: object, logits: Tensor) -> Tensor:
        noise = torch.empty(logits.shape).exponential_(generator=generator).log().neg()
        return logits / temperature + noise.to(logits)

    heads = [model.language_model.lm_head] + ([model.pointer] if model.pointer else [])
    handles = [head.register_forward_hook(draw) for head in heads]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
