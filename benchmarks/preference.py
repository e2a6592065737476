"""Our DPO loss beside TRL's own code, on the same log-likelihoods.

    pip install trl && python benchmarks/preference.py

TRL (with datasets, pyarrow and pandas, 300 MB) is no dependency of ours; the largest difference
that this prints is what tests/agent/test_preference.py's golden values stand for.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import nullcontext
from types import SimpleNamespace

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from agent.learning.preference import dpo_loss

BETAS = (0.05, 0.1, 0.5)


def _same(value: Tensor) -> Tensor:
    return value


def theirs(chosen: Tensor, rejected: Tensor, reference: Tensor, beta: float) -> float:
    """The loss that TRL's DPO trainer computes for answers of one token each."""
    from trl.trainer.dpo_trainer import DPOTrainer

    log_probs = torch.cat([chosen, rejected]).unsqueeze(1)
    half = len(chosen)
    answers = torch.ones(2 * half, 2, dtype=torch.long)
    answers[:, 0] = 0

    nothing = torch.zeros_like(log_probs)

    class Outputs:
        """Log-likelihoods, and nothing in all that TRL only logs."""

        def __getattr__(self, name: str) -> Tensor:
            known = {"log_probs": log_probs, "is_top1": nothing.bool()}
            return known.get(name, nothing)

    class Network:
        """Gives the log-likelihoods that it was made of."""

        training = True

        def __call__(self, **_: object) -> Outputs:
            return Outputs()

    trainer = SimpleNamespace(
        model=Network(), ref_model=None, beta=beta, ld_alpha=None, precompute_ref_logps=True,
        f_divergence_type="reverse_kl", loss_types=["sigmoid"], loss_weights=[1.0],
        use_weighting=False, aux_loss_enabled=False, label_smoothing=0.0, _tp_size=1,
        _metrics=defaultdict(lambda: defaultdict(list)), _total_train_tokens=0,
        args=SimpleNamespace(),
        accelerator=SimpleNamespace(
            device="cpu", gather=_same, gather_for_metrics=_same, autocast=nullcontext
        ),
    )  # fmt: skip
    inputs = {
        "input_ids": torch.ones(2 * half, 2, dtype=torch.long), "completion_mask": answers,
        "attention_mask": torch.ones(2 * half, 2, dtype=torch.long),
        "ref_chosen_logps": reference[:half], "ref_rejected_logps": reference[half:],
    }  # fmt: skip
    return float(DPOTrainer._compute_loss(trainer, trainer.model, inputs, False))


def main() -> None:
    """Compare and print."""
    generator = torch.Generator().manual_seed(5)
    values = -10 * torch.rand(4, 8, generator=generator)
    table = Table("beta", "ours", "TRL", "difference")
    for beta in BETAS:
        ours = float(dpo_loss(*values, beta).mean())
        trl = theirs(values[0], values[1], torch.cat([values[2], values[3]]), beta)
        table.add_row(str(beta), f"{ours:.9f}", f"{trl:.9f}", f"{abs(ours - trl):.1e}")
    Console().print(table)


if __name__ == "__main__":
    main()
