"""What gradient checkpointing saves and costs: one training step, with and without it in turns.

    python benchmarks/training.py [--rounds 5] [--threads 1]

Two networks: the embedded model on its own batches, and Kimi-VL's layer shapes (MoonViT 1152,
Moonlight 2048, 8 of its 64 experts so that a workstation holds them) with few layers. Memory is
what the process grew by at its peak, above weights and gradients; it is measured in a process of
its own whose allocator gives memory back at once, because that makes the steps slower. On one
thread processor time is measured, otherwise wall time. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from agent.learning.batch import collate
from agent.learning.losses import Weights, score
from agent.learning.precision import quick_numbers
from agent.learning.recipe import Recipe, embedded_config
from agent.learning.stream import Stream
from agent.learning.train import checkpoint_activations
from agent.model.config import KimiVLConfig, TextConfig
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import embedded_tokenizer
from vision.moonvit import VisionConfig

CASES = ("embedded", "kimi-vl")
GRID = (32, 32)
"""Patches of the picture that the large network sees."""
WORDS = 128
"""Text tokens behind it."""

Step = Callable[[], Tensor]
"""Forward pass; the loss."""


def embedded() -> tuple[KimiVL, Step]:
    """The embedded model and a batch of its recipe."""
    recipe = Recipe.load("pointing")
    model = KimiVL(embedded_config())
    model.initialize(1)
    samples = next(Stream(1, questions=recipe.questions).batches(0, recipe.batch))
    batch = collate(samples, embedded_tokenizer())

    def step() -> Tensor:
        with quick_numbers():
            return score(model, batch, Weights()).loss

    return model, step


def kimi_vl() -> tuple[KimiVL, Step]:
    """Published layer shapes, bf16 weights, 4 blocks and 4 layers."""
    config = KimiVLConfig(
        VisionConfig(num_hidden_layers=4),
        TextConfig(num_hidden_layers=4, n_routed_experts=8, vocab_size=8192),
        media_placeholder_token_id=0,
    )
    torch.set_default_dtype(torch.bfloat16)
    model = KimiVL(config)
    torch.set_default_dtype(torch.float32)
    model.initialize(1)
    patches = torch.randn(GRID[0] * GRID[1], 3, 14, 14, dtype=torch.bfloat16)
    visual = GRID[0] * GRID[1] // 4
    words = torch.randint(1, 8192, (1, WORDS))
    ids = torch.cat([torch.zeros(1, visual, dtype=torch.long), words], 1)

    def step() -> Tensor:
        logits = model(ids, patches, [GRID])[0, visual:-1].float()
        return torch.nn.functional.cross_entropy(logits, ids[0, visual + 1 :])

    return model, step


def measure(case: str, rounds: int, threads: int) -> dict[str, list[float]]:
    """Seconds and peak growth in MB of a step; keys "off" and "on", each "seconds" or "mb"."""
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    model, step = {"embedded": embedded, "kimi-vl": kimi_vl}[case]()
    clock = time.process_time if threads == 1 else time.perf_counter
    model.train()
    step().backward()  # makes the gradients, which stay
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, flag in (("off", False), ("on", True)):
            checkpoint_activations(model, flag)
            before = reset_peak()
            began = clock()
            step().backward()
            found.setdefault(f"{name} seconds", []).append(clock() - began)
            found.setdefault(f"{name} mb", []).append((status("VmHWM") - before) / 1024)
    return found


def reset_peak() -> int:
    """Forget the peak so far; the resident kB now."""
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def status(field: str) -> int:
    """A kB figure of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def in_process(case: str, rounds: int, threads: int, **env: str) -> dict[str, float]:
    """Medians of `measure` in a process of its own."""
    command = [sys.executable, __file__, "--case", case, "--rounds", str(rounds)]
    command += ["--threads", str(threads)]
    done = subprocess.run(command, env={**os.environ, **env}, stdout=subprocess.PIPE, check=True)
    return {key: statistics.median(values) for key, values in json.loads(done.stdout).items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(options.case, options.rounds, options.threads)))
        return
    table = Table("network", "checkpointing", "activations MB", "share", "seconds", "ratio")
    for case in CASES:
        timed = in_process(case, options.rounds, options.threads)
        sized = in_process(case, 2, options.threads, MALLOC_MMAP_THRESHOLD_="65536")
        for name in ("off", "on"):
            mb, seconds = sized[f"{name} mb"], timed[f"{name} seconds"]
            share, ratio = mb / sized["off mb"], seconds / timed["off seconds"]
            table.add_row(
                case, name, f"{mb:.0f}", f"{share:.0%}", f"{seconds:.2f}", f"{ratio:.2f}x"
            )
    Console().print(table)


if __name__ == "__main__":
    main()
