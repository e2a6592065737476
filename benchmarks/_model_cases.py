"""What the model benchmark runs: each case once for every contender, on the same inputs."""

from __future__ import annotations

import ctypes
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from _model_nets import (
    DTYPE,
    EXPERTS,
    PAD,
    filled_caches,
    load_open_moonvit,
    load_ours,
    load_theirs,
    use_experts,
)
from torch import Tensor

from agent.model.cache import Cache
from agent.model.kimi_vl import KimiVL

GRID = (48, 86)
"""A 1920x1080 frame at Kimi-VL's limit of 4096 patches."""
GRID_4K = (98, 172)
"""A 3840x2160 frame at the limit of 16384 patches (Kimi-VL-Thinking-2506)."""

Run = Callable[[], Tensor]


@dataclass(frozen=True)
class Row:
    """One case.

    Attributes:
        name: what was run.
        ours_ms: median milliseconds.
        theirs_ms: likewise.
        against: the contender and its settings.
        error: relative L2 error between the two outputs, the median over their vectors.
        target: the ratio that the project aims at; None = none was set.
    """

    name: str
    ours_ms: float
    theirs_ms: float
    against: str
    error: float
    target: float | None = None

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.theirs_ms / self.ours_ms


@dataclass(frozen=True)
class Nets:
    """The contenders."""

    ours: KimiVL
    theirs: Any
    open_moonvit: Any

    @classmethod
    def load(cls, folder: Path) -> Nets:
        """From the folder of `write_weights`."""
        ours = load_ours(folder)
        return cls(ours, load_theirs(folder), load_open_moonvit(ours))


def clock() -> float:
    """Seconds; on one thread processor time, which other programs on a shared machine spare."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def bandwidth() -> float:
    """GB/s of reading memory: the best of 20 passes over 400 MB."""
    data = torch.ones(100_000_000)
    best = float("inf")
    for _ in range(20):
        began = time.perf_counter()
        data.amax()
        best = min(best, time.perf_counter() - began)
    return data.nbytes / best / 1e9


def side_by_side(ours: Run, theirs: Run, repeats: int) -> tuple[float, float, float]:
    """Run both in turns; (median ms, median ms, error) after one run of each that warms up."""
    errors = [relative(ours(), theirs())]
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        made = []
        for run, times in zip((ours, theirs), spent, strict=True):
            began = clock()
            made.append(run())
            times.append((clock() - began) * 1e3)
        errors.append(relative(*made))
    return statistics.median(spent[0]), statistics.median(spent[1]), statistics.median(errors)


def relative(actual: Tensor, expected: Tensor) -> float:
    """Relative L2 error, the median over vectors: rounding may route single tokens elsewhere."""
    a, b = actual.float().flatten(0, -2), expected.float().flatten(0, -2)
    return float(((a - b).norm(dim=-1) / b.norm(dim=-1)).median())


def words(count: int) -> Tensor:
    """(1, count) token ids without placeholders."""
    return torch.randint(0, PAD, (1, count), generator=torch.Generator().manual_seed(count))


def frame(grid: tuple[int, int] = GRID) -> Tensor:
    """The patches of a frame, (rows * columns, 3, 14, 14) in -1..1."""
    generator = torch.Generator().manual_seed(3)
    count = grid[0] * grid[1]
    return (torch.rand(count, 3, 14, 14, generator=generator) * 2 - 1).to(DTYPE)


def decode_runs(nets: Nets, context: int) -> tuple[Run, Run]:
    """One more token after a history, which both forget again before the next."""
    mine, other = filled_caches(nets.ours.config.text, context)
    tokens = iter(words(10_000)[0].tolist() * 2)
    shown = [next(tokens)]

    def ours() -> Tensor:
        shown[0] = next(tokens)
        mine.truncate(context)
        return nets.ours(torch.tensor([[shown[0]]]), cache=mine)

    def theirs() -> Tensor:
        if extra := other.get_seq_length() - context:
            other.crop(-extra)
        out = nets.theirs(
            input_ids=torch.tensor([shown]),
            past_key_values=other,
            use_cache=True,
            position_ids=torch.tensor([[context]]),
        )
        logits: Tensor = out.logits
        return logits

    return ours, theirs


def prefill_runs(nets: Nets, count: int, with_image: bool) -> tuple[Run, Run]:
    """Read a prompt of `count` tokens, of which an image takes 1032, and give all logits."""
    ids, patches = words(count), None
    config = nets.ours.config.text
    if with_image:
        patches = frame()
        ids[0, 16 : 16 + len(patches) // 4] = PAD

    def ours() -> Tensor:
        cache = Cache(config, capacity=count, dtype=DTYPE)
        return nets.ours(ids, patches, [GRID] if with_image else (), cache)

    def theirs() -> Tensor:
        image = {"pixel_values": patches, "image_grid_thw": torch.tensor([(1, *GRID)])}
        out = nets.theirs(input_ids=ids, use_cache=True, **(image if with_image else {}))
        logits: Tensor = out.logits
        return logits

    return ours, theirs


def encoder_runs(nets: Nets, contender: str, shape: tuple[int, int] = GRID) -> tuple[Run, Run]:
    """MoonViT on a frame, without projector."""
    patches, (h, w) = frame(shape), shape
    image = patches.view(h, w, 3, 14, 14).permute(2, 0, 3, 1, 4).reshape(3, 14 * h, 14 * w)
    flat = (h * w, nets.ours.config.vision.hidden_size)

    def ours() -> Tensor:
        return nets.ours.vision_tower(patches, [shape])

    def theirs() -> Tensor:
        if contender == "open_moonvit":
            return nets.open_moonvit([image]).last_hidden_state.reshape(flat)
        grid = torch.tensor([(1, *shape)])
        out: Tensor = nets.theirs.model.vision_tower(patches, grid_thw=grid).last_hidden_state
        return out.reshape(flat)

    return ours, theirs


def best_experts(nets: Nets, run: Run, choices: tuple[str, ...] = EXPERTS) -> str:
    """The fastest of transformers' implementations here, after one warming run each."""
    times = {}
    for name in choices:
        use_experts(nets.theirs, name)
        run()
        began = clock()
        run()
        times[name] = clock() - began
    best = min(times, key=lambda name: times[name])
    use_experts(nets.theirs, best)
    return best


def decoding(nets: Nets, context: int, repeats: int, target: float | None = None) -> Row:
    """One token after a context of so many."""
    ours, theirs = decode_runs(nets, context)
    experts = best_experts(nets, theirs)
    made = side_by_side(ours, theirs, repeats)
    return _row(f"decode a token, context {context}", made, experts, target)


def timings(nets: Nets, quick: bool) -> Iterator[Row]:
    """All cases that take milliseconds, one after the other."""
    for context, target in ((1024, 8.0), (4096, 20.0)):
        yield decoding(nets, context, 5 if quick else 15, target)
    for count, image, target in ((1024, False, None), (4096, False, None), (4096, True, 1.5)):
        ours, theirs = prefill_runs(nets, count, image)
        if count == 1024:  # batched_mm copies the weights of every token's experts
            prefill_experts = best_experts(nets, theirs, ("eager", "grouped_mm"))
        made = side_by_side(ours, theirs, 1 if quick or count > 1024 else 3)
        name = f"prefill {count} tokens" + (", a 1080p frame among them" if image else "")
        yield _row(name, made, prefill_experts, target)
    for contender in ("transformers", "open_moonvit"):
        made = side_by_side(*encoder_runs(nets, contender), 1 if quick else 3)
        layers = nets.ours.config.vision.num_hidden_layers
        name = f"encoder, 1080p frame, {layers} layers"
        yield Row(name, made[0], made[1], contender, made[2], 1.5)


def _row(name: str, made: tuple[float, float, float], experts: str, target: float | None) -> Row:
    return Row(name, made[0], made[1], f"transformers, {experts}", made[2], target)


# Peak memory: one process per contender and case.

PEAK_CASES = (
    "decode, context 4096",
    "prefill 4096 tokens",
    "encoder, 1080p frame",
    "encoder, 4K frame",
)


def peak_mb(folder: Path, contender: str, case: str, threads: int) -> float:
    """Peak memory of one run in a process of its own, less what it held before, in MB."""
    script = Path(__file__).with_name("model.py")
    command = [sys.executable, str(script), "--peak", contender, case, str(folder)]
    command += ["--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def measure_peak(folder: Path, contender: str, case: str) -> float:
    """In the process of its own: load, forget the loading, run once."""
    nets = _alone(folder, contender)
    which = 0 if contender == "ours" else 1
    if case.startswith("decode"):
        run = decode_runs(nets, 4096)[which]
    elif case.startswith("prefill"):
        run = prefill_runs(nets, 4096, False)[which]
    else:
        run = encoder_runs(nets, contender, GRID_4K if "4K" in case else GRID)[which]
    for net in (nets.ours, nets.theirs, nets.open_moonvit):
        for weight in net.parameters() if net is not None else ():
            weight.view(-1)[::1024].float().sum()  # a page of a mapped file counts once touched
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # restarts the high-water mark
    before = _status_mb("VmRSS")
    run()
    return _status_mb("VmHWM") - before


def _alone(folder: Path, contender: str) -> Nets:
    ours = load_ours(folder)
    if contender == "transformers":
        return Nets(ours, load_theirs(folder), None)
    return Nets(ours, None, load_open_moonvit(ours) if contender == "open_moonvit" else None)


def _status_mb(key: str) -> float:
    found = re.search(rf"^{key}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found, key
    return int(found[1]) / 1024
