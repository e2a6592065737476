"""4-bit weights: the kernel against its twin, and whole checkpoints."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from typer.testing import CliRunner

from agent.cli import app
from agent.model.checkpoint import INDEX, CheckpointError, expected_shapes, load, save
from agent.model.config import KimiVLConfig
from agent.model.int4 import Int4Linear, dequantised, quantised, unpacked
from agent.model.kimi_vl import KimiVL
from agent.model.quantise import quantise
from tests.agent.tiny import tiny_config

BASE = tiny_config(pointing=False)
CONFIG = replace(
    BASE, text=replace(BASE.text, hidden_size=64, intermediate_size=96, moe_intermediate_size=32)
)


def network() -> KimiVL:
    model = KimiVL(CONFIG)
    model.initialize(1)
    return model.eval()


@settings(max_examples=30)
@given(
    rows=st.integers(1, 5),
    groups=st.integers(1, 3),
    outputs=st.integers(1, 4),
    group=st.sampled_from([32, 64]),
    seed=st.integers(0, 99),
)
def test_the_kernel_multiplies_by_what_the_codes_stand_for(
    rows: int, groups: int, outputs: int, group: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(16 * outputs, group * groups, generator=generator)
    x = torch.randn(2, rows, group * groups, generator=generator)
    layer = Int4Linear(group * groups, 16 * outputs, group)
    layer.codes, layer.scales = quantised(weight, group)
    layer.scales = layer.scales.float()
    meant = dequantised(layer.codes, layer.scales)
    plain = layer(x)
    layer.pack()
    assert layer.packed
    assert torch.allclose(plain, x @ meant.T, atol=1e-4)
    assert torch.allclose(layer(x), plain, atol=1e-3)


def test_no_weight_moves_by_more_than_half_a_step() -> None:
    weight = torch.randn(32, 256, generator=torch.Generator().manual_seed(0))
    weight[3, :64] = 0.7  # a group without any spread
    codes, scales = quantised(weight, 64)
    step = scales[:, :, 0].T.float().repeat_interleave(64, 1)
    error = (dequantised(codes, scales.float()) - weight).abs()
    assert (error <= 0.52 * step + 0.01 * weight.abs()).all()  # scale and zero are bf16
    assert unpacked(codes).max() == 15


@pytest.mark.parametrize(("inputs", "outputs", "group"), [(96, 32, 64), (64, 17, 32), (64, 32, 16)])
def test_sizes_that_the_kernel_does_not_take_are_refused(
    inputs: int, outputs: int, group: int
) -> None:
    with pytest.raises(ValueError, match="expected a group size"):
        Int4Linear(inputs, outputs, group)


@torch.no_grad()
def test_a_checkpoint_is_quantised_and_loaded(tmp_path: Path) -> None:
    ours = network()
    save(ours, tmp_path / "whole")
    (tmp_path / "whole" / "tokenizer.json").write_text("{}")
    quantise(tmp_path / "whole", tmp_path / "small", group=32)
    small = load(tmp_path / "small")
    assert small.config.text.int4_group == 32
    assert (tmp_path / "small" / "tokenizer.json").is_file()
    for name, module in small.named_modules():
        if isinstance(module, Int4Linear):
            weight = ours.get_submodule(name).weight
            assert isinstance(weight, torch.Tensor)
            codes, scales = quantised(weight, 32)
            weight.copy_(dequantised(codes, scales.float()))
    ids = torch.arange(20)[None]
    assert torch.allclose(small(ids), ours(ids), atol=1e-3)


def test_only_the_mlps_of_the_decoder_are_quantised(tmp_path: Path) -> None:
    save(network(), tmp_path / "whole")
    quantise(tmp_path / "whole", tmp_path / "small", group=32)
    whole = expected_shapes(CONFIG)
    names = json.loads((tmp_path / "small" / INDEX).read_text())["weight_map"]
    kept = set(whole) & set(names)
    assert all(".mlp." in name and "_proj" in name for name in set(whole) - kept)
    assert sum(".experts." in name for name in set(names) - kept) == 2 * 3 * 4
    with safe_open(next((tmp_path / "small").glob("*.safetensors")), "pt") as file:
        assert file.get_tensor("language_model.model.layers.0.mlp.up_proj.codes").shape == (96, 32)


def test_what_cannot_be_quantised_is_refused(tmp_path: Path) -> None:
    save(network(), tmp_path / "whole")
    quantise(tmp_path / "whole", tmp_path / "small", group=32)
    with pytest.raises(CheckpointError, match="not quantised, actually: it is"):
        quantise(tmp_path / "small", tmp_path / "again")
    with pytest.raises(CheckpointError, match="cannot make the folder"):
        quantise(tmp_path / "whole", tmp_path / "small")


def test_packed_weights_are_not_saved(tmp_path: Path) -> None:
    """Their order belongs to one kind of CPU."""
    save(network(), tmp_path / "whole")
    quantise(tmp_path / "whole", tmp_path / "small", group=32)
    with pytest.raises(CheckpointError, match="copy the folder"):
        save(load(tmp_path / "small"), tmp_path / "again")


def test_published_configurations_do_not_change() -> None:
    assert "int4_group" not in KimiVLConfig().to_json()["text_config"]


def test_the_command_writes_a_folder_that_loads(tmp_path: Path) -> None:
    save(network(), tmp_path / "whole")
    done = CliRunner().invoke(
        app, ["quantise", str(tmp_path / "whole"), str(tmp_path / "small"), "--group", "32"]
    )
    assert done.exit_code == 0, done.output
    assert done.output.endswith(" MB\n")
    assert load(tmp_path / "small").config.text.int4_group == 32
    wrong = CliRunner().invoke(
        app, ["quantise", str(tmp_path), str(tmp_path / "x"), "--group", "5"]
    )
    assert wrong.exit_code == 2
