"""The slow, simple twin of the engine: every step runs the whole network again, without a cache."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from agent.model.kimi_vl import KimiVL
from vision.moonvit import Grid


@torch.no_grad()
def greedy(
    model: KimiVL,
    ids: Sequence[int],
    patches: Tensor | None = None,
    grids: Sequence[Grid] = (),
    max_tokens: int = 64,
    stop: Collection[int] = (),
) -> list[int]:
    """The most likely continuation, up to and including a stop token; never a placeholder.

    Args:
        model: in eval mode.
        ids: the prompt.
        patches: packed patches of its pictures, None without pictures.
        grids: (rows, columns) of each picture in patches.
        max_tokens: most tokens to write.
        stop: token ids that end the text.
    """
    written: list[int] = []
    while len(written) < max_tokens and not (written and written[-1] in stop):
        logits = model(torch.tensor([[*ids, *written]]), patches, grids)[0, -1]
        logits[model.config.media_placeholder_token_id] = float("-inf")
        written.append(int(logits.argmax()))
    return written
