"""PyTorch's kernels for small weights side by side, on one expert's matrix of Kimi-VL.

    python benchmarks/int4_kernels.py [--rows 1,8,32]

One thread, processor time, weights from memory rather than from the cache. Prints a table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from vision.linear import Linear

OUT, IN, COPIES = 1408, 2048, 40
"""Forty copies are larger than any cache."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="1,8,32", help="rows of activations, comma-separated")
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    kernels = _kernels(generator)
    print("| rows | " + " | ".join(kernels) + " |")
    print("|" + "---|" * (len(kernels) + 1))
    with torch.inference_mode():
        for rows in map(int, parser.parse_args().rows.split(",")):
            x = torch.randn(rows, IN, generator=generator).bfloat16()
            spent = [_milliseconds(run, x) for run in kernels.values()]
            print(f"| {rows} | " + " | ".join(f"{ms:.3f} ms" for ms in spent) + " |")


def _kernels(generator: torch.Generator) -> dict[str, Callable[[Tensor, int], Tensor]]:
    def codes(low: int, high: int, kind: torch.dtype) -> Tensor:
        return torch.randint(low, high, (OUT, IN), dtype=kind, generator=generator)

    plain = [Linear(IN, OUT, bias=False).bfloat16() for _ in range(COPIES)]
    eight = [codes(-127, 127, torch.int8) for _ in range(COPIES)]
    pack = torch._convert_weight_to_int4pack_for_cpu
    four = [pack(codes(0, 16, torch.int32), 1) for _ in range(COPIES)]
    scale = torch.rand(OUT, generator=generator).bfloat16()
    groups = {g: torch.rand(IN // g, OUT, 2, generator=generator).bfloat16() for g in (32, 128)}
    product = torch._weight_int4pack_mm_for_cpu
    return {
        "bf16, oneDNN": lambda x, i: F.linear(x, plain[i].weight),
        "bf16, vision.linear": lambda x, i: plain[i](x),
        "int8, _weight_int8pack_mm": lambda x, i: torch._weight_int8pack_mm(x, eight[i], scale),
        "int4, groups of 32": lambda x, i: product(x, four[i], 32, groups[32]),
        "int4, groups of 128": lambda x, i: product(x, four[i], 128, groups[128]),
    }


def _milliseconds(run: Callable[[Tensor, int], Tensor], x: Tensor) -> float:
    """Of one product; the best of five passes over all copies."""
    best = float("inf")
    for _ in range(6):
        began = time.process_time()
        for index in range(COPIES):
            run(x, index)
        best = min(best, time.process_time() - began)
    return best / COPIES * 1e3


if __name__ == "__main__":
    main()
