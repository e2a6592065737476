"""A trained network as a folder to ship: half the size, with its recipe beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

from agent.model import checkpoint

RECIPE = "recipe.json"


def release(run: Path, to: Path) -> Path:
    """Write the checkpoint of a training run as a model folder.

    Matrices and kernels become bf16; vectors (norms, biases, statistics) stay as they are. The
    recipe, the number of steps and the hash of the data go along.

    Args:
        run: folder of a training run.
        to: folder that `eyehand --model` takes; made when it is missing.

    Raises:
        CheckpointError: the run holds no usable checkpoint.
    """
    model = checkpoint.load(run)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data = parameter.data.to(torch.bfloat16)
    checkpoint.save(model, to)
    shutil.copyfile(run / "tokenizer.json", to / "tokenizer.json")
    state = json.loads((run / "state.json").read_text("utf-8"))
    (to / RECIPE).write_text(json.dumps(state, indent=1) + "\n", "utf-8")
    return to
