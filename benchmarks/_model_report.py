"""The Markdown page and the picture of the model benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl
from _model_agent import EpisodeSteps
from _model_cases import Row
from _model_together import ANSWER, COUNT, PROMPT, Together

mpl.use("Agg")
from matplotlib import pyplot as plt

LIMITS = Path(__file__).with_name("model_limits.md")
"""What stands in the way of each missed target; written by hand, checked against the profile."""


PARTS = ("times", "long", "peaks", "episode", "together", "embedded")
"""What can be measured by itself, in the order of the page."""


def write(sections: dict[str, str], folder: Path) -> None:
    """Put sections into `model.md`; those of earlier runs stay, in `model.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "model.json"
    known = json.loads(kept.read_text()) if kept.exists() else {}
    known |= sections
    kept.write_text(json.dumps(known, indent=1) + "\n")
    shown = ["![Ratios](model.png)\n"] if (folder / "model.png").exists() else []
    page = [_HEAD, *shown, *(known[part] for part in PARTS if part in known), LIMITS.read_text()]
    (folder / "model.md").write_text("\n".join(page))


_HEAD = """# Model benchmark

`python benchmarks/model.py` wrote this page. Real Kimi-VL layer shapes, the first layer dense as
published, a vocabulary of 1024, the same random weights for all; both sides run in turns in one
process. On one thread the clock is processor time, else wall time; times are medians. "Error" is
the relative L2 error between the two outputs of the same runs (bf16 rounds to 0.004). "Theirs"
names transformers' fastest experts implementation for the case. `--part` measures one section.
"""


def times(rows: list[Row], decode_mb: float, gigabytes: float, layers: int, machine: str) -> str:
    """The table of times, and how far decoding is from the memory's limit."""
    lines = [
        _table(row.name, f"{row.ours_ms:.1f}", f"{row.theirs_ms:.1f}", row.against,
               f"{row.ratio:.1f}x", _goal(row), f"{row.error:.1e}")
        for row in rows
    ]  # fmt: skip
    floor = decode_mb / gigabytes
    decode = next(row for row in rows if row.name.startswith("decode"))
    heads = ("case", "ours ms", "theirs ms", "theirs", "ratio", "target", "error")
    return "\n".join([
        "## Time", "", f"{machine}, {layers} of 27 layers.", "",
        _table(*heads), _rule(len(heads)), *lines, "",
        f"One decoded token reads {decode_mb:.0f} MB of weights; at the measured "
        f"{gigabytes:.1f} GB/s that alone is {floor:.1f} ms, {floor / decode.ours_ms:.0%} of "
        "ours at context 1024.",
        *(
            f"Per encoder layer against {row.against}: {row.ours_ms / layers:.0f} ms, "
            f"theirs {row.theirs_ms / layers:.0f} ms."
            for row in rows if row.name.startswith("encoder")
        ), "",
    ])  # fmt: skip


def long(row: Row, layers: int, machine: str) -> str:
    """A context of which no target speaks."""
    return "\n".join([
        "## A long context", "",
        f"{row.name}: ours {row.ours_ms:.1f} ms, theirs ({row.against}) {row.theirs_ms:.1f} ms, "
        f"{row.ratio:.1f}x, error {row.error:.1e}; {layers} of 27 layers, {machine}.", "",
    ])  # fmt: skip


def _goal(row: Row) -> str:
    if row.target is None:
        return "–"
    return f">= {row.target:g}x, {'met' if row.ratio >= row.target else 'missed'}"


def memory(peaks: dict[str, dict[str, float]], held: tuple[float, float], machine: str) -> str:
    """Peak memory of each contender, MB; bytes of history per token and layer, ours and theirs."""
    heads = ("case", "ours MB", "transformers MB", "open_moonvit MB", "theirs / ours")
    lines = []
    for case, peak in peaks.items():
        third = f"{peak['open_moonvit']:.0f}" if "open_moonvit" in peak else "–"
        ratio = f"{peak['transformers'] / peak['ours']:.1f}x"
        row = (case, f"{peak['ours']:.0f}", f"{peak['transformers']:.0f}", third, ratio)
        lines.append(_table(*row))
    ours, theirs = held
    return "\n".join([
        "## Peak memory beside the weights", "", machine + ".", "",
        _table(*heads), _rule(len(heads)), *lines, "",
        f"History per token and layer: ours {ours:.0f} bytes ({ours / 2:.0f} bf16 values), "
        f"transformers {theirs:.0f} bytes.", "",
    ])  # fmt: skip


def episode(steps: list[EpisodeSteps], layers: int, machine: str) -> str:
    """Step 2, an early and a late stretch."""
    heads = ("steps", "prompt tokens", "computed", "decision ms", "without reuse ms")
    lines = [
        _table(str(s.first) if s.first == s.last else f"{s.first}-{s.last}", f"{s.prompt:.0f}",
               f"{s.computed:.0f}", f"{s.reuse_ms:.0f}", f"{s.fresh_ms:.0f}")
        for s in steps
    ]  # fmt: skip
    second, early, late = steps
    return "\n".join([
        "## Step 2 and step 100 of an episode", "",
        "The `kimi` profile with its real prompts and memory (three pictures, two of them given up "
        f"at every second step), a new 640x480 screen a step, {layers} layers of encoder and "
        "decoder, a token a byte. Means over the steps named; \"without reuse\" computes the "
        "whole prompt, as `generate` of transformers does; " + machine + ".", "",
        _table(*heads), _rule(len(heads)), *lines, "",
        *(
            f"Steps {late.first}-{late.last} against {name}: tokens "
            f"{late.computed / one.computed:.2f}, time {late.reuse_ms / one.reuse_ms:.2f} "
            f"(target: at most 1.1); without reuse {late.fresh_ms / one.fresh_ms:.1f}."
            for name, one in (("step 2", second), ("steps 4-5", early))
        ), "",
    ])  # fmt: skip


def together(made: Together, layers: int, machine: str) -> str:
    """Eight requests at once."""
    one, many = made.alone, made.together
    return "\n".join([
        f"## {COUNT} requests", "",
        f"{PROMPT} tokens of prompt and {ANSWER} of answer each, prompts that share nothing. "
        f"Prefill included; {layers} layers, {machine}.", "",
        _table("", "tokens/s"), _rule(2), _table("one after the other", f"{one:.1f}"),
        _table("all at once", f"{many:.1f}"), "",
        f"{many / one:.1f}x (target: 3). A pass for {COUNT} reads {made.read:.1f} times "
        f"the weights of a pass for one (experts at random), so memory allows "
        f"{COUNT / made.read:.1f}x.", "",
    ])  # fmt: skip


def embedded(latency: dict[str, float], machine: str) -> str:
    """Screen size -> milliseconds to an action."""
    lines = [_table(size, f"{ms:.0f}") for size, ms in latency.items()]
    return "\n".join([
        "## Embedded model", "", "A new screen to its parsed action, fp32, p50 "
        f"(target at 640x480: 250 ms); {machine}.", "",
        _table("screen", "ms"), _rule(2), *lines, "",
    ])  # fmt: skip


def _table(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _rule(columns: int) -> str:
    return "|" + "---|" * columns


def picture(rows: list[Row], layers: int, folder: Path) -> None:
    """`model.png`: the ratios and their targets."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = rows[::-1]
    figure, axes = plt.subplots(figsize=(9, 0.5 * len(rows) + 1.4), layout="constrained")
    bars = axes.barh(range(len(rows)), [row.ratio for row in rows], color="#3465a4", height=0.6)
    axes.bar_label(bars, [f" {row.ratio:.1f}x" for row in rows])
    for index, row in enumerate(rows):
        if row.target:
            axes.plot([row.target] * 2, [index - 0.4, index + 0.4], color="#cc0000", linewidth=2)
    labels = [f"{row.name}\n(against {row.against})" for row in rows]
    axes.set_yticks(range(len(rows)), labels, fontsize=8)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("times faster than theirs; red: target")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"Kimi-VL layers on a CPU, bf16, {layers} layers", fontsize=10)
    figure.savefig(folder / "model.png", dpi=110)
    plt.close(figure)
