"""The network against transformers and open_moonvit, side by side, on the same random weights.

    python benchmarks/model.py [--quick] [--part times] [--layers 2] [--threads 1]

Kimi-VL's own layer shapes in bf16, fewer layers and a small vocabulary. On one thread processor
time is measured, otherwise wall time. Needs Linux (peak memory) and about 6 GB; the results go to
docs/benchmarks/model.md and model.png.
"""

from __future__ import annotations

import argparse
import platform
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

import _model_report as report
import torch
import transformers
from _model_agent import embedded_latency, episode
from _model_cases import PEAK_CASES, Nets, bandwidth, decoding, measure_peak, peak_mb, timings
from _model_nets import DTYPE, filled_caches, load_ours, write_weights
from _model_together import together
from rich.console import Console

from agent.model.config import TextConfig

say = Console(stderr=True).print
DOCS = Path(__file__).parent.parent / "docs" / "benchmarks"


def main() -> None:
    """Measure and write."""
    options = _options()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    with torch.inference_mode():
        if options.peak:
            contender, case, folder = options.peak
            print(measure_peak(Path(folder), contender, case))
            return
        with tempfile.TemporaryDirectory() as folder:
            parts = options.part or report.PARTS
            if {"times", "long", "peaks", "together"} & set(parts):
                write_weights(Path(folder), options.layers)
            for part in parts:
                say(f"measuring {part}")
                section = _MEASURES[part](options, Path(folder))
                report.write({part: section}, options.out)
    Console().print(f"written to {options.out}")


def _times(options: argparse.Namespace, folder: Path) -> str:
    nets = Nets.load(folder)
    rows = []
    for row in timings(nets, options.quick):
        say(f"{row.name}: {row.ours_ms:.1f} ms, {row.against} {row.theirs_ms:.1f} ms")
        rows.append(row)
    report.picture(rows, options.layers, options.out)
    machine = _machine(options.threads)
    return report.times(rows, _decode_megabytes(nets), bandwidth(), options.layers, machine)


def _long(options: argparse.Namespace, folder: Path) -> str:
    row = decoding(Nets.load(folder), 16384, 1 if options.quick else 3)
    return report.long(row, options.layers, _machine(options.threads))


def _peaks(options: argparse.Namespace, folder: Path) -> str:
    peaks = {
        case: {
            who: peak_mb(folder, who, case, options.threads)
            for who in ("ours", "transformers", "open_moonvit")
            if who != "open_moonvit" or case.startswith("encoder")
        }
        for case in PEAK_CASES
    }
    held = _cache_bytes(load_ours(folder).config.text)
    return report.memory(peaks, held, _machine(options.threads))


def _episode(options: argparse.Namespace, folder: Path) -> str:
    return report.episode(episode(options.layers), options.layers, _machine(options.threads))


def _together(options: argparse.Namespace, folder: Path) -> str:
    made = together(load_ours(folder), 1 if options.quick else 3)
    return report.together(made, options.layers, _machine(options.threads))


def _embedded(options: argparse.Namespace, folder: Path) -> str:
    latency = embedded_latency(options.embedded, 5 if options.quick else 20)
    return report.embedded(latency, _machine(options.threads))


_MEASURES = {
    "times": _times,
    "long": _long,
    "peaks": _peaks,
    "episode": _episode,
    "together": _together,
    "embedded": _embedded,
}


def _cache_bytes(config: TextConfig) -> tuple[float, float]:
    """Bytes of history per token and layer, ours and transformers'."""
    count = 1024
    ours, theirs = filled_caches(config, count)
    layer = ours.layers[0].latent
    other: Any = theirs.layers[0]
    held = other.keys.nbytes + other.values.nbytes
    return layer.nbytes / layer.shape[1], held / count


def _decode_megabytes(nets: Nets) -> float:
    """Weights that one token reads, in MB: all but the experts that are not chosen."""
    text, total = nets.ours.config.text, 0
    for name, weight in nets.ours.language_model.named_parameters():
        share = text.num_experts_per_tok / text.n_routed_experts if ".experts." in name else 1.0
        total += 0 if "embed_tokens" in name else int(weight.nbytes * share)
    return total / 1e6


def _machine(threads: int) -> str:
    cpu = platform.processor() or platform.machine()
    if found := re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text()):
        cpu = found[1]
    level = torch.backends.cpu.get_cpu_capability()
    return (
        f"{cpu} ({level}), {threads} thread(s), {str(DTYPE).removeprefix('torch.')}, "
        f"torch {torch.__version__}, transformers {transformers.__version__}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--part", action="append", choices=report.PARTS, help="only this section")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--embedded", type=Path, help="checkpoint folder (default: the shipped)")
    parser.add_argument("--out", type=Path, default=DOCS)
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
