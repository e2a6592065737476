"""Checkpoints: Kimi-VL's own layout, read and written.

A folder holds config.json and either model.safetensors or shards with
model.safetensors.index.json. Names and shapes are checked against the files' headers before a
weight is read, and every fault is reported at once. Weights then stream one tensor at a time into a
network without storage, so that loading needs little more memory than the network itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from agent.model.config import KimiVLConfig
from agent.model.heap import give_back
from agent.model.int4 import Int4Linear
from agent.model.int8 import SCALE, dequantised
from agent.model.kimi_vl import KimiVL

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"

FLOATS = {"F64", "F32", "F16", "BF16"}
KEEP_FP32 = "e_score_correction_bias"
"""The router's bias, whose small steps decide which experts run."""
IGNORED = ".rotary_emb.inv_freq"
"""Some published files carry this table; it is computed from the configuration."""

SHOWN = 20
"""Faults of one kind that a message lists by name."""
PACKED_AT_ONCE = 32
"""4-bit matrices that are reordered before the memory between them is given back."""

BATCH_ELEMENTS = 1 << 23
"""Weights read (32 MB in fp32) before the mapped pages of a file are given back."""


class CheckpointError(ValueError):
    """A folder that cannot be loaded from or saved to; the message lists every fault found."""


@dataclass(frozen=True)
class _Stored:
    """One tensor as a header describes it."""

    file: Path
    shape: tuple[int, ...]
    dtype: str


def expected_shapes(config: KimiVLConfig) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor in a checkpoint of this configuration."""
    return {name: tuple(tensor.shape) for name, tensor in _blueprint(config).state_dict().items()}


def load(
    directory: Path | str,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> KimiVL:
    """Read a checkpoint.

    Args:
        directory: holds config.json and the weights.
        device: where the network will live.
        dtype: of all floating-point weights except the router's bias, which stays fp32.

    Returns:
        The network in evaluation mode.

    Raises:
        CheckpointError: a file is missing, cut or of another architecture; names, shapes or types
            of weights are not what config.json calls for; a weight is not finite.
    """
    directory = Path(directory)
    model, int8 = _described(directory)
    stored, scales = _parted(_headers(directory)) if int8 else (_headers(directory), {})
    _compare(directory, model.state_dict(), stored, scales)
    owners = dict(_owners(model))
    for file, names in _batches(stored):
        with safe_open(file, framework="pt") as shard:
            for name in names:
                tensor = shard.get_tensor(name)
                if name in scales:
                    tensor = dequantised(tensor, scales[name])
                _place(*owners[name], _private(name, tensor, device, dtype))
        give_back()
    packable = [module for module in model.modules() if isinstance(module, Int4Linear)]
    for number, module in enumerate(packable):
        module.pack()
        if number % PACKED_AT_ONCE == 0:
            give_back()
    give_back()
    return model.eval()


def save(model: KimiVL, directory: Path | str, weights: Mapping[str, Tensor] | None = None) -> None:
    """Write config.json and model.safetensors; the folder is made when it is missing.

    Each file is replaced in one step, so an interrupted save leaves the old file whole.

    Args:
        model: what to write.
        directory: where.
        weights: its weights where the model holds a share of them only; None: its own.

    Raises:
        CheckpointError: the disk is full, the folder cannot be written, or the weights lie in the
            order of this CPU's kernel.
    """
    directory = Path(directory)
    if any(isinstance(module, Int4Linear) and module.packed for module in model.modules()):
        raise CheckpointError(
            "expected weights in the order of a checkpoint, actually: 4-bit weights packed for "
            "this CPU; copy the folder that they came from"
        )
    weights = {
        name: tensor.contiguous() for name, tensor in (weights or model.state_dict()).items()
    }
    _replace(directory / WEIGHTS, lambda to: save_file(weights, to, metadata={"format": "pt"}))
    text = json.dumps(model.config.to_json(), indent=2) + "\n"
    _replace(directory / CONFIG, lambda to: to.write_text(text, encoding="utf-8"))


def _replace(target: Path, write: Callable[[Path], Any]) -> None:
    partial = target.with_name(target.name + ".partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        partial.replace(target)
    except (OSError, SafetensorError) as error:
        if partial.is_file():
            partial.unlink()
        raise CheckpointError(f"cannot write {target}: {error}; the old file is kept") from error


def _blueprint(config: KimiVLConfig) -> KimiVL:
    """The network on the meta device: shapes without storage."""
    with torch.device("meta"):
        return KimiVL(config)


def _described(directory: Path) -> tuple[KimiVL, bool]:
    """The network that config.json describes, without storage, and whether it lies in 8 bits."""
    try:
        config = KimiVLConfig.load(directory)
        return _blueprint(replace(config, int8=False)), config.int8
    except FileNotFoundError as error:
        raise CheckpointError(
            f"expected {CONFIG} in {directory}, found none; name a folder with a checkpoint"
        ) from error
    except (OSError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
        raise CheckpointError(f"cannot use {directory / CONFIG}: {error}") from error


def _headers(directory: Path) -> dict[str, _Stored]:
    """Every tensor of the folder's weight files but the ignored ones; reads headers only."""
    stored: dict[str, _Stored] = {}
    for file in weight_files(directory):
        for name, entry in _header(file).items():
            if name in stored:
                raise CheckpointError(f"{name} is both in {stored[name].file.name} and {file.name}")
            stored[name] = entry
    return {name: entry for name, entry in stored.items() if not name.endswith(IGNORED)}


def _parted(stored: Mapping[str, _Stored]) -> tuple[dict[str, _Stored], dict[str, Tensor]]:
    """Headers of the weights, and the scales of those that are stored in 8 bits."""
    named = {name: entry for name, entry in stored.items() if name.endswith(SCALE)}
    scales: dict[str, Tensor] = {}
    for file in {entry.file for entry in named.values()}:
        with safe_open(file, framework="pt") as shard:
            for name, entry in named.items():
                matrix = stored.get(name.removesuffix(SCALE))
                if entry.file == file and matrix and entry.shape == matrix.shape[:1]:
                    scales[name.removesuffix(SCALE)] = shard.get_tensor(name)
    rest = {k: v for k, v in stored.items() if k.removesuffix(SCALE) not in scales or k in scales}
    return rest, scales


def weight_files(directory: Path) -> list[Path]:
    """The folder's weight files, in order.

    Raises:
        CheckpointError: there are none, or some are missing.
    """
    if (directory / WEIGHTS).is_file():
        return [directory / WEIGHTS]
    if not (directory / INDEX).is_file():
        raise CheckpointError(
            f"expected {WEIGHTS} or {INDEX} in {directory}, found neither; weights in other "
            "formats must be converted to safetensors first"
        )
    names = _shard_names(directory / INDEX)
    absent = [name for name in names if not (directory / name).is_file()]
    if absent:
        raise CheckpointError(f"shards of {directory} are missing: {_listed(absent)}; fetch them")
    return [directory / name for name in names]


def _shard_names(index: Path) -> list[str]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"expected {index} to hold a 'weight_map': {error!r}") from error
    outside = [name for name in names if Path(name).name != name]
    if outside or not names:
        raise CheckpointError(f"expected plain file names in {index}, actually: {outside}")
    return names


def _header(file: Path) -> dict[str, _Stored]:
    try:
        with safe_open(file, framework="pt") as shard:
            slices = {name: shard.get_slice(name) for name in shard.keys()}  # noqa: SIM118
            return {
                name: _Stored(file, tuple(part.get_shape()), part.get_dtype())
                for name, part in slices.items()
            }
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file} is cut or broken ({error}); fetch it again") from error


def _compare(
    directory: Path,
    expected: Mapping[str, Tensor],
    stored: Mapping[str, _Stored],
    scales: Mapping[str, Tensor],
) -> None:
    """Refuse the checkpoint with all differences between configuration and headers."""
    wrong_shape, wrong_type = [], []
    for name in sorted(expected.keys() & stored.keys()):
        want, have = expected[name], stored[name]
        if tuple(want.shape) != have.shape:
            shapes = f"expected {list(want.shape)}, actually {list(have.shape)}"
            wrong_shape.append(f"{name}: {shapes}")
        floating = have.dtype in FLOATS or (have.dtype == "I8" and name in scales)
        if want.is_floating_point() != floating:
            wrong_type.append(f"{name}: {have.dtype}")
    faults = {
        "missing": sorted(expected.keys() - stored.keys()),
        "unexpected": sorted(stored.keys() - expected.keys()),
        "of another shape": wrong_shape,
        "of another type (is it quantised?)": wrong_type,
    }
    if any(faults.values()):
        lines = [f"{len(v)} {kind}:\n  {_listed(v, chr(10))}" for kind, v in faults.items() if v]
        raise CheckpointError(
            f"the weights in {directory} are not what its {CONFIG} calls for:\n" + "\n".join(lines)
        )


def _listed(items: Iterable[str], separator: str = ",") -> str:
    items = list(items)
    more = [f"… and {len(items) - SHOWN} more"] if len(items) > SHOWN else []
    return f"{separator}  ".join(items[:SHOWN] + more)


def _owners(model: nn.Module) -> Iterable[tuple[str, tuple[nn.Module, str]]]:
    """State-dict name -> (module, attribute) that holds the tensor."""
    for path, module in model.named_modules():
        for tensors in (module.named_parameters, module.named_buffers):
            for attribute, _ in tensors(recurse=False):
                yield (f"{path}.{attribute}" if path else attribute), (module, attribute)


def _batches(stored: Mapping[str, _Stored]) -> Iterator[tuple[Path, list[str]]]:
    """Files and the tensors to read while they are open.

    Closing a file gives its mapped pages back, so a large file is closed now and then; opening it
    parses the whole header, so not for every tensor.
    """
    batch: list[str] = []
    elements = 0
    ordered = sorted(stored, key=lambda name: (stored[name].file, name))
    for name, following in zip(ordered, [*ordered[1:], None], strict=True):
        batch.append(name)
        elements += math.prod(stored[name].shape)
        file = stored[name].file
        if following is None or stored[following].file != file or elements >= BATCH_ELEMENTS:
            yield file, batch
            batch, elements = [], 0


def _private(name: str, tensor: Tensor, device: torch.device | str, dtype: torch.dtype) -> Tensor:
    """A checked copy of one tensor that does not depend on the file."""
    if not tensor.is_floating_point():
        return tensor.to(device, copy=True)
    if not all(bound.isfinite() for bound in tensor.aminmax()):
        raise CheckpointError(
            f"{name} has values that are not finite (NaN or infinity); the file is damaged, or "
            "the training that wrote it diverged"
        )
    kept = torch.float32 if name.endswith(KEEP_FP32) else dtype
    return tensor.to(device, kept, copy=True)


def _place(module: nn.Module, attribute: str, tensor: Tensor) -> None:
    old = getattr(module, attribute)
    if isinstance(old, nn.Parameter):
        tensor = nn.Parameter(tensor, requires_grad=old.requires_grad)
    setattr(module, attribute, tensor)
