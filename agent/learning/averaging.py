"""The mean of a model's weights before and after a training: a model of its own, at no cost.

    python -m agent.learning.averaging BEFORE AFTER --out DIR

What the training taught mostly stays, and what it took from tasks that it did not show comes back
(Wortsman et al. 2022, arXiv 2109.01903).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from agent.learning.damage import DamageError, read_tensors
from agent.learning.release import RECIPE
from agent.learning.train import TrainingError
from agent.model import checkpoint
from agent.model.checkpoint import WEIGHTS, CheckpointError
from agent.model.kimi_vl import ZERO_AT_FIRST

TOKENIZER = "tokenizer.json"


def averaged(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The mean of each weight, in the type that it has after the training.

    Parts that are new are as they would have been before: those that change nothing at first were
    zero, of the others what they have become is kept.

    Raises:
        TrainingError: the one did not come from the other, or weights have 8 bits or fewer.
    """
    if lost := sorted(before.keys() - after.keys()):
        raise TrainingError(f"expected one model, later; actually it lacks {', '.join(lost)}")
    made = {}
    for name, later in after.items():
        zero = torch.zeros_like(later)
        earlier = before.get(name, zero if name.endswith(ZERO_AT_FIRST) else later)
        if earlier.shape != later.shape:
            raise TrainingError(
                f"expected one model, later; actually {name} is {tuple(earlier.shape)} and "
                f"{tuple(later.shape)}"
            )
        if later.dtype in (torch.int8, torch.uint8):
            raise TrainingError(f"expected whole weights, actually {name} is {later.dtype}")
        made[name] = ((earlier.double() + later.double()) / 2).to(later.dtype)
    return made


def average(before: Path, after: Path, out: Path) -> None:
    """Write the mean of two model folders to a third one, in the shape of the later one.

    Raises:
        TrainingError: the one did not come from the other, or weights have 8 bits or fewer.
        DamageError: a file is missing or damaged.
        CheckpointError: a folder holds no model, or the new one cannot be written.
        ValueError: the recipe is no JSON.
    """
    made = averaged(*(read_tensors(folder / WEIGHTS) for folder in (before, after)))
    stated = json.loads((after / RECIPE).read_text("utf-8"))
    checkpoint.save(checkpoint.load(after), out, made)
    shutil.copyfile(after / TOKENIZER, out / TOKENIZER)
    (out / RECIPE).write_text(json.dumps({**stated, "averaged": True}, indent=1) + "\n", "utf-8")


def main(
    before: Annotated[Path, typer.Argument(help="Model folder that a training began from.")],
    after: Annotated[Path, typer.Argument(help="Model folder that it led to.")],
    out: Annotated[Path, typer.Option(help="Folder for the mean.")],
) -> None:
    """Average a model before and after a training."""
    try:
        average(before, after, out)
    except (TrainingError, DamageError, CheckpointError, OSError, ValueError) as error:
        raise SystemExit(f"averaging: {error}") from error


if __name__ == "__main__":
    typer.run(main)
