"""Makes a checkpoint smaller, one tensor at a time: its MLPs in 4 bits, or all of it in 8."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from agent.model import int8
from agent.model.checkpoint import CONFIG, INDEX, CheckpointError, weight_files
from agent.model.config import KimiVLConfig
from agent.model.int4 import quantised

SHARD = 1 << 30
"""Bytes after which a shard is closed."""


EIGHT = 8
"""Bits of every matrix; a scale per output channel."""


def quantise(source: Path, target: Path, group: int = 128, bits: int = 4) -> None:
    """Write a folder that holds the same network in fewer bits.

    Args:
        source: a checkpoint folder.
        target: a new folder.
        group: inputs that share a scale, with 4 bits.
        bits: 4 for the MLPs, which then compute in 4 bits; `EIGHT` for every matrix, which is
            widened again when it is read.

    Raises:
        CheckpointError: the source cannot be read, is quantised already, or the target is taken.
        ConfigError: config.json is of another architecture.
    """
    config = KimiVLConfig.load(source)
    files = weight_files(source)
    if bits == EIGHT:
        write_eight(config, _tensors(files), target)
    else:
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
    _refuse_quantised(config)
    made = replace(config, text=replace(config.text, int4_group=group))
    _write(made, _stored(tensors, group), target)


def write_eight(config: KimiVLConfig, tensors: Iterable[tuple[str, Tensor]], target: Path) -> None:
    """As `write`, with every matrix and kernel in 8 bits."""
    _refuse_quantised(config)
    _write(replace(config, int8=True), _stored_eight(tensors), target)


def _refuse_quantised(config: KimiVLConfig) -> None:
    if config.text.int4_group or config.int8:
        raise CheckpointError("expected a network that is not quantised, actually: it is")


def _write(config: KimiVLConfig, tensors: Iterable[tuple[str, Tensor]], target: Path) -> None:
    try:
        target.mkdir(parents=True)
    except OSError as error:
        raise CheckpointError(f"cannot make the folder {target}: {error}") from error
    index = {}
    for number, shard in enumerate(_shards(tensors)):
        name = f"model-{number:05}.safetensors"
        save_file(shard, target / name, metadata={"format": "pt"})
        index.update(dict.fromkeys(shard, name))
    (target / INDEX).write_text(json.dumps({"weight_map": index}), encoding="utf-8")
    text = json.dumps(config.to_json(), indent=2) + "\n"
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


def _stored_eight(tensors: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in tensors:
        if tensor.is_floating_point() and tensor.dim() > 1:
            codes, scales = int8.quantised(tensor)
            yield name, codes
            yield name + int8.SCALE, scales
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
