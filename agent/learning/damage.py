"""Reads the files of a training's checkpoint, and says which one is damaged."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

_ANEW = "put a whole one there, or train in a new folder"


class DamageError(ValueError):
    """A file of a checkpoint is missing, cut short, or something else."""


def read_tensors(file: Path) -> dict[str, Tensor]:
    """What a safetensors file holds.

    Raises:
        DamageError: no safetensors file, or not all of it.
    """
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise DamageError(f"{file} is missing or damaged ({error}); {_ANEW}") from error


def read_step(file: Path) -> int:
    """How many steps a checkpoint stands for, from its `state.json`.

    Raises:
        DamageError: the file does not say.
    """
    try:
        return int(json.loads(file.read_text("utf-8"))["step"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamageError(f"{file} is missing or damaged ({error!r}); {_ANEW}") from error
