"""Attention inside packed segments: full within an image, none across images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def segment_attention(q: Tensor, k: Tensor, v: Tensor, lengths: Sequence[int]) -> Tensor:
    """Softmax attention of each segment with itself.

    Memory grows with the longest segment, never with the number of segments: no mask over the
    packed length is ever built.

    Args:
        q: (L, heads, head_dim), L = sum(lengths); k and v alike.
        k: keys.
        v: values.
        lengths: tokens of each segment, in packing order.

    Returns:
        (L, heads, head_dim).
    """
    if len(set(lengths)) == 1:
        shape = (len(lengths), lengths[0], *q.shape[1:])
        heads_first = [x.reshape(shape).transpose(1, 2) for x in (q, k, v)]
        return _attend(*heads_first).transpose(1, 2).reshape(q.shape)
    parts = zip(*(x.split(list(lengths)) for x in (q, k, v)), strict=True)
    heads_first_parts = ([x.unsqueeze(0).transpose(1, 2) for x in part] for part in parts)
    return torch.cat([_attend(*part).transpose(1, 2).squeeze(0) for part in heads_first_parts])


def segment_attention_masked(q: Tensor, k: Tensor, v: Tensor, lengths: Sequence[int]) -> Tensor:
    """The slow, simple twin of `segment_attention`: one dense block-diagonal mask."""
    owner = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(list(lengths)))
    scores = torch.einsum("qhd,khd->hqk", q, k) * q.shape[-1] ** -0.5
    scores = scores.masked_fill(owner[:, None] != owner[None, :], float("-inf"))
    return torch.einsum("hqk,khd->qhd", scores.softmax(-1), v)


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """(n, heads, L, head_dim) -> the same shape."""
    if q.requires_grad and q.device.type == "cpu":
        # The backward of the fused CPU kernel is slower than two matrix products at the few
        # hundred patches of a training screen (measured: docs/experiments.md).
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        return scores.softmax(-1) @ v
    # With four axes; with three this took three times as long on a CPU. Contiguous is a bit faster.
    return F.scaled_dot_product_attention(q.contiguous(), k.contiguous(), v.contiguous())
