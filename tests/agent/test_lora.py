"""Adapters on a tiny network of Kimi-VL's own shape, without a pointing head."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from agent.learning.lora import LowRank, adapt, adapters, merge
from agent.model.cache import Cache
from agent.model.checkpoint import load, save
from agent.model.kimi_vl import KimiVL
from tests.agent.tiny import tiny_model

IDS = torch.arange(3, 19).unsqueeze(0)


def a_model() -> KimiVL:
    return tiny_model(pointing=False, stem=False)


def trained(rank: int = 2) -> tuple[KimiVL, list[float]]:
    """An adapted network after some steps, and its losses."""
    torch.manual_seed(1)
    model = a_model()
    adapt(model, rank)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2)
    losses = []
    for _ in range(12):
        loss = F.cross_entropy(model(IDS)[0, :-1], IDS[0, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return model, losses


def test_an_adapted_network_begins_as_the_one_it_was() -> None:
    plain, adapted = a_model(), a_model()
    count = adapt(adapted, rank=2)
    with torch.no_grad():
        assert torch.equal(plain(IDS), adapted(IDS))
    assert count == sum(tensor.numel() for tensor in adapters(adapted).values())
    assert count < 0.4 * sum(p.numel() for p in plain.parameters())


def test_only_adapters_learn() -> None:
    before = a_model().state_dict()
    model, losses = trained()
    assert losses[-1] < 0.8 * losses[0]
    for name, value in model.state_dict().items():
        kept = name.replace(".base.", ".")
        if kept in before:
            assert torch.equal(value, before[kept]), name


def test_merged_is_the_same_network_and_a_plain_checkpoint(tmp_path: Path) -> None:
    model, _ = trained()
    with torch.no_grad():
        adapted = model(IDS)
        merge(model)
        torch.testing.assert_close(model(IDS), adapted, rtol=1e-4, atol=1e-5)
        save(model, tmp_path)
        torch.testing.assert_close(load(tmp_path)(IDS), adapted, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(module, LowRank) for module in model.modules())


def test_decoding_token_by_token_sees_the_adapters() -> None:
    """Decoding multiplies with the weight of kv_b_proj itself, past any forward."""
    model, _ = trained()
    with torch.no_grad():
        cache = Cache(model.config.text)
        steps = [model(IDS[:, i : i + 1], cache=cache) for i in range(IDS.shape[1])]
        torch.testing.assert_close(torch.cat(steps, 1), model(IDS), rtol=1e-4, atol=1e-4)


def test_a_pattern_that_names_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="names linear maps, actually: 'nowhere'"):
        adapt(a_model(), 2, where="nowhere")
