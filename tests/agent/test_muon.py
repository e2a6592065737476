"""Updates in fp32 against PyTorch's in bf16 and against a decomposition."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from agent.learning.muon import WideMuon, orthogonal


@pytest.mark.parametrize("shape", [(24, 40), (40, 24), (32, 32)])
def test_an_orthogonal_update_keeps_directions_and_evens_lengths(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    lengths = left.T @ orthogonal(matrix) @ right.T
    diagonal = lengths.diagonal()
    assert (diagonal > 0.3).all() and (diagonal < 1.6).all()
    assert (lengths - diagonal.diag()).abs().max() < 1e-4


def _moved(kind: type[torch.optim.Muon]) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(2)
    wide, resting = nn.Parameter(torch.randn(16, 48)), nn.Parameter(torch.randn(4, 4))
    start = wide.detach().clone()
    muon = kind([wide, resting], 2e-2, 0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(4):
        muon.zero_grad()
        (wide @ torch.randn(48, 8)).square().sum().backward()
        muon.step()
    return wide.detach() - start, muon.state[wide]["momentum_buffer"]


def test_weights_and_momentum_are_those_of_pytorch_up_to_its_rounding() -> None:
    way, momentum = _moved(WideMuon)
    their_way, their_momentum = _moved(torch.optim.Muon)
    assert (way - their_way).norm() < 0.1 * their_way.norm()
    assert (momentum - their_momentum).norm() < 0.01 * their_momentum.norm()


def test_a_closure_is_refused() -> None:
    muon = WideMuon([nn.Parameter(torch.ones(2, 2))])
    with pytest.raises(ValueError, match="no closure"):
        muon.step(lambda: 0.0)
