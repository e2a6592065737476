"""The whole 16.4 B network on a small machine: random weights, 4-bit MLPs, real decoding.

    python benchmarks/full_size.py FOLDER [--threads 2] [--keep] [--layers 27]

Makes a random checkpoint of Kimi-VL-A3B's real shape, quantising it tensor by tensor on the way
(11 GB in FOLDER), loads it, decodes, and deletes it. Needs 12 GB of memory. With --keep the folder
stays, and a second run takes it as it is. With fewer layers it is soon done. Prints a table.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from _model_cases import bandwidth
from torch import Tensor

from agent.model import checkpoint, quantise
from agent.model.cache import Cache, Packed
from agent.model.config import KimiVLConfig
from agent.model.kimi_vl import KimiVL

GB = 1e9


def main() -> None:
    """Make, load, decode, report."""
    options = _options()
    torch.set_num_threads(options.threads)
    try:
        if not options.folder.exists():
            began = time.perf_counter()
            config = shaped(options.layers)
            quantise.write(config, random_weights(config), options.folder)
            _say("made and quantised", f"{time.perf_counter() - began:.0f} s")
        _report(options.folder)
    finally:
        if not options.keep:
            shutil.rmtree(options.folder, ignore_errors=True)


def shaped(layers: int) -> KimiVLConfig:
    """Kimi-VL-A3B with so many layers in its decoder and in its encoder."""
    whole = KimiVLConfig()
    return replace(
        whole,
        vision=replace(whole.vision, num_hidden_layers=layers),
        text=replace(whole.text, num_hidden_layers=layers),
    )


def random_weights(config: KimiVLConfig) -> Iterator[tuple[str, Tensor]]:
    """Name and bf16 tensor, one after the other; slices of one bank of normal numbers.

    Scaled by fan-in, so that activations keep their size.
    """
    generator = torch.Generator().manual_seed(0)
    bank = torch.randn(1 << 26, generator=generator).bfloat16()
    for name, shape in sorted(checkpoint.expected_shapes(config).items()):
        if len(shape) == 1:
            filled = torch.ones if name.endswith("weight") else torch.zeros
            yield name, filled(shape, dtype=torch.bfloat16)
            continue
        count = torch.Size(shape).numel()
        start = int(torch.randint(0, bank.numel() // 2, (1,), generator=generator))
        values = bank[start:].repeat(count // (bank.numel() - start) + 1)[:count]
        yield name, (values * torch.Size(shape[1:]).numel() ** -0.5).view(shape)


@torch.inference_mode()
def _report(folder: Path) -> None:
    size = sum(file.stat().st_size for file in folder.iterdir())
    _say("on disk", f"{size / GB:.2f} GB (all 27 layers in bf16: 32.82 GB)")
    began = time.perf_counter()
    model = checkpoint.load(folder, dtype=torch.bfloat16)
    _say("loaded in", f"{time.perf_counter() - began:.0f} s")
    _say("weights in memory", f"{_weight_bytes(model) / GB:.2f} GB")
    _say("peak memory", f"{_peak_gb():.2f} GB")
    read, best = _read_bytes(model), bandwidth()
    _say("memory bandwidth", f"{best:.1f} GB/s ({torch.get_num_threads()} threads)")
    for context in (16, 1024, 4096):
        spent = _decode_seconds(model, 1, context)
        share = read / best / GB / spent
        _say(f"decode at context {context}", f"{1 / spent:.2f} tokens/s, {share:.0%} of the limit")
    spent = _decode_seconds(model, 8, 1024)
    _say("decode 8 at once, context 1024", f"{8 / spent:.2f} tokens/s")
    began = time.perf_counter()
    model.hidden(torch.arange(256)[None], cache=Cache(model.config.text, dtype=torch.bfloat16))
    _say("prefill of 256 tokens", f"{256 / (time.perf_counter() - began):.1f} tokens/s")
    _say("weights read for one token", f"{read / GB:.2f} GB")
    print(json.dumps({"peak_gb": _peak_gb()}))


def _decode_seconds(model: KimiVL, together: int, context: int, steps: int = 8) -> float:
    """The best time of one step; random histories."""
    text = model.config.text
    caches = [Cache(text, 1, context + steps + 2, torch.bfloat16) for _ in range(together)]
    for cache in caches:
        for layer in cache.layers:
            layer.append(torch.randn(1, context, text.latent_size).bfloat16())
    best = float("inf")
    for step in range(steps):
        ids = torch.arange(together)[None] * 7919 + step * 104729
        cache = caches[0] if together == 1 else Packed(caches, [1] * together)
        began = time.perf_counter()
        model.language_model.lm_head(model.hidden(ids % 160_000, cache=cache))
        best = min(best, time.perf_counter() - began)
    return best


def _weight_bytes(model: KimiVL) -> int:
    return sum(tensor.nbytes for tensor in model.state_dict().values())


def _read_bytes(model: KimiVL) -> float:
    """What one token reads: all of the decoder but embeddings and experts that are not chosen."""
    text, total = model.config.text, 0.0
    for name, tensor in model.language_model.state_dict().items():
        share = text.num_experts_per_tok / text.n_routed_experts if ".experts." in name else 1.0
        total += 0 if "embed_tokens" in name else tensor.nbytes * share
    return total


def _peak_gb() -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024 / GB


def _say(what: str, value: str) -> None:
    print(f"| {what} | {value} |", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a scratch folder that does not exist yet")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--layers", type=int, default=27, help="of 27")
    parser.add_argument("--keep", action="store_true", help="leave the folder for another run")
    return parser.parse_args()


if __name__ == "__main__":
    main()
