"""Makes a checkpoint with 4-bit MLPs out of a published one, one tensor at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from agent.model.checkpoint import CONFIG, INDEX, CheckpointError, weight_files
from agent.model.config import KimiVLConfig
from agent.model.int4 import quantised

SHARD = 1 << 30
"""Bytes after which a shard is closed."""


def quantise(source: Path, target: Path, group: int = 128) -> None:
    """Write a folder that holds the same network with 4-bit MLPs.

    Args:
        source: a checkpoint folder.
        target: a new folder.
        group: inputs that share a scale.

    Raises:
        CheckpointError: the source cannot be read, is quantised already, or the target is taken.
        ConfigError: config.json is of another architecture.
    """
    config = KimiVLConfig.load(source)
    files = weight_files(source)
    write(config, _tensors(files), target, group)
    weights = {file.name for file in files} | {CONFIG, INDEX}
    for file in source.iterdir():
        if file.is_file() and file.name not in weights:
            shutil.copy(file, target / file.name)


def write(
    config: KimiVLConfig, tensors: Iterable[tuple[str, Tensor]], target: Path, group: int = 128
) -> None:
    """Quantise tensors as they come, and write config.json, shards and their index.

    Raises:
        CheckpointError: the network is quantised already, or the target is taken.
    """
    if config.text.int4_group:
        raise CheckpointError("expected a network that is not quantised, actually: it is")
    try:
        target.mkdir(parents=True)
    except OSError as error:
        raise CheckpointError(f"cannot make the folder {target}: {error}") from error
    made = replace(config, text=replace(config.text, int4_group=group))
    index = {}
    for number, shard in enumerate(_shards(_stored(tensors, group))):
        name = f"model-{number:05}.safetensors"
        save_file(shard, target / name, metadata={"format": "pt"})
        index.update(dict.fromkeys(shard, name))
    (target / INDEX).write_text(json.dumps({"weight_map": index}), encoding="utf-8")
    text = json.dumps(made.to_json(), indent=2) + "\n"
    (target / CONFIG).write_text(text, encoding="utf-8")


def _tensors(files: Iterable[Path]) -> Iterator[tuple[str, Tensor]]:
    for file in files:
        with safe_open(file, framework="pt") as shard:
            for name in shard.keys():  # noqa: SIM118  # not a dict
                yield name, shard.get_tensor(name)


def _stored(tensors: Iterable[tuple[str, Tensor]], group: int) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in tensors:
        if name.startswith("language_model.") and name.endswith("_proj.weight") and ".mlp." in name:
            codes, scales = quantised(tensor, group)
            yield name.removesuffix("weight") + "codes", codes
            yield name.removesuffix("weight") + "scales", scales
        else:
            yield name, tensor


def _shards(tensors: Iterable[tuple[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors:
        shard[name] = tensor.contiguous()
        size += tensor.nbytes
        if size >= SHARD:
            yield shard
            shard, size = {}, 0
    if shard:
        yield shard
