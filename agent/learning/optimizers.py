"""Which optimiser takes which parameter."""

from __future__ import annotations

import torch
from torch import nn

from agent.learning.muon import WideMuon
from agent.learning.recipe import Recipe
from agent.model.kimi_vl import KimiVL
from vision.linear import has_bf16

NOT_HIDDEN = (
    "embed_tokens.weight",
    "lm_head.weight",
    "reader.proj.weight",
    "codes.code.weight",
    "gate.weight",
    "quoter.embed.weight",
    "quoter.places.weight",
    "quoter.case.weight",
    "copier.embed.weight",
    "copier.before.weight",
    "copier.after.weight",
    "second_look.clue.weight",
    "second_look.found.weight",
    ".down",
    ".up",
)
"""Matrices that are not maps between hidden states, and the thin ones of adapters."""


def optimizers(model: KimiVL, recipe: Recipe, fused: bool) -> tuple[torch.optim.Optimizer, ...]:
    """Muon for hidden matrices, as Moonlight was trained (arXiv 2502.16982), else AdamW.

    Embeddings, output heads, kernels and vectors are AdamW's: orthogonal updates are meant for
    maps between hidden states.

    Args:
        model: its parameters that learn are taken.
        recipe: rate and decay.
        fused: whether AdamW may take its fused kernel, which knows no cut parameters.
    """
    hidden: list[nn.Parameter] = []
    other: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_map = parameter.dim() == 2 and not name.endswith(NOT_HIDDEN)
            (hidden if is_map else other).append(parameter)
    adam = torch.optim.AdamW(other, recipe.rate, (0.9, 0.98), weight_decay=0.0, fused=fused)
    if not hidden:
        return (adam,)
    kind = torch.optim.Muon if has_bf16() else WideMuon
    muon = kind(hidden, recipe.rate, recipe.weight_decay, adjust_lr_fn="match_rms_adamw")
    return muon, adam
