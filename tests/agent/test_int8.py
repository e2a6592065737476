"""8-bit weights: how far they move, and whole checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from agent.cli import app
from agent.model.checkpoint import CONFIG, CheckpointError, load, save
from agent.model.int8 import dequantised, quantised
from agent.model.kimi_vl import KimiVL
from agent.model.quantise import EIGHT, quantise
from tests.agent.tiny import tiny_config


def network() -> KimiVL:
    model = KimiVL(tiny_config())
    model.initialize(1)
    return model.eval()


@settings(max_examples=30)
@given(
    shape=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    spread=st.sampled_from([1e-8, 1e-3, 1.0, 1e4]),
    seed=st.integers(0, 99),
)
def test_no_weight_moves_by_more_than_half_a_step(
    shape: list[int], spread: float, seed: int
) -> None:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * spread
    codes, scales = quantised(weight)
    assert codes.dtype == torch.int8
    assert codes.shape == weight.shape
    error = (dequantised(codes, scales) - weight).abs().flatten(1).amax(1)
    assert (error <= 0.5001 * scales).all()


def test_a_channel_of_zeros_stays_one() -> None:
    assert not dequantised(*quantised(torch.zeros(2, 3))).any()


@torch.no_grad()
def test_a_checkpoint_is_stored_in_8_bits_and_read_as_any_other(tmp_path: Path) -> None:
    ours = network()
    save(ours, tmp_path / "whole")
    quantise(tmp_path / "whole", tmp_path / "small", bits=EIGHT)
    assert json.loads((tmp_path / "small" / CONFIG).read_text())["int8"] is True
    small = load(tmp_path / "small")
    assert small.config == ours.config  # nothing of it is left in the network
    for name, tensor in ours.state_dict().items():
        meant = dequantised(*quantised(tensor)) if tensor.dim() > 1 else tensor
        assert torch.equal(small.state_dict()[name], meant), name
    save(small, tmp_path / "again")
    assert torch.equal(
        load(tmp_path / "again")(torch.arange(9)[None]), small(torch.arange(9)[None])
    )


def test_scales_that_are_missing_or_too_many_are_refused(tmp_path: Path) -> None:
    save(network(), tmp_path / "whole")
    quantise(tmp_path / "whole", tmp_path / "small", bits=EIGHT)
    (file,) = (tmp_path / "small").glob("*.safetensors")
    whole = load_file(file)
    matrix = next(name for name in whole if name + ".scale" in whole)
    save_file({k: v for k, v in whole.items() if k != matrix + ".scale"}, file)
    with pytest.raises(CheckpointError, match="of another type"):
        load(tmp_path / "small")
    save_file({k: v for k, v in whole.items() if k != matrix}, file)
    with pytest.raises(CheckpointError, match="missing"):
        load(tmp_path / "small")
    save_file({**whole, matrix + ".scale": torch.ones(1)}, file)
    with pytest.raises(CheckpointError, match="unexpected"):
        load(tmp_path / "small")


def test_what_is_quantised_is_not_quantised_again(tmp_path: Path) -> None:
    save(network(), tmp_path / "whole")
    quantise(tmp_path / "whole", tmp_path / "small", bits=EIGHT)
    with pytest.raises(CheckpointError, match="not quantised, actually: it is"):
        quantise(tmp_path / "small", tmp_path / "again")


def test_the_command_halves_the_file(tmp_path: Path) -> None:
    save(network(), tmp_path / "whole")
    arguments = ["quantise", str(tmp_path / "whole"), str(tmp_path / "small"), "--bits"]
    done = CliRunner().invoke(app, [*arguments, "8"])
    assert done.exit_code == 0, done.output
    load(tmp_path / "small")
    assert CliRunner().invoke(app, [*arguments, "5"]).exit_code == 2
