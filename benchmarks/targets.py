"""The targets of the embedded model beside what was measured, each with the command that measures.

    python benchmarks/targets.py --out DIR            runs what is quick, then prints the table
    python benchmarks/targets.py --out DIR --print    only prints; files that lack say so
    python benchmarks/targets.py --out DIR --miniwob  runs MiniWoB++ too (half an hour and more)

Every command leaves its JSON in DIR, and what is there already is not run again. Real programs are
asked about by `eyehand eval grounding --data SHARDS --json DIR/programs.json`, run by hand.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

EMBEDDED = Path(__file__).parent.parent / "agent" / "model" / "embedded"

GROUPS = "one-click,several-clicks,typing-given,typing-read,dragging,geometry"

QUICK = {
    "reading": "reading --pages 4",
    "grounding-160x210": "grounding --size 160x210 --screens 60 --ocr",
    "grounding-320x240": "grounding --size 320x240 --screens 12 --ocr",
    "grounding-640x480": "grounding --size 640x480 --screens 6 --ocr",
}
MINIWOB = {"miniwob": f"miniwob --tasks {GROUPS} --seeds 4 --random-seeds 0 --workers 3"}
"""File -> arguments of `eyehand eval` that write it."""

SIZES = ("160x210", "320x240", "640x480")

Results = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One target.

    Attributes:
        what: is measured.
        floor: what must be reached.
        goal: what is wanted.
        file: where the figure comes from.
        measured: reads it from all results.
    """

    what: str
    floor: str
    goal: str
    file: str
    measured: Callable[[Results], str]


def share(right: int, asked: int) -> str:
    """As percent, with the numbers behind it."""
    return f"{right / asked:.0%} ({right} of {asked})" if asked else "–"


def answered(results: Results, takes: str, who: int = 0, *sizes: str) -> tuple[int, int]:
    """Right answers and questions of a kind, of the model (0) or the OCR baseline (1)."""
    answers = asked(results, who, *sizes)
    mine = [answer["right"] for answer in answers if answer["takes"] == takes]
    return sum(mine), len(mine)


def asked(results: Results, who: int = 0, *sizes: str) -> list[Results]:
    """All answers about screens of these sizes, or of those that were run."""
    files = [f"grounding-{size}" for size in sizes or SIZES]
    there = [file for file in files if file in results]
    if not there:
        raise KeyError(files[0])
    return [answer for file in there for answer in results[file][who]["answers"]]


def absent(results: Results) -> str:
    """F1 over all sizes."""
    answers = asked(results)
    said = sum(answer["gave_up"] for answer in answers)
    true = sum(answer["takes"] == "absent" for answer in answers)
    both = sum(answer["gave_up"] and answer["takes"] == "absent" for answer in answers)
    return f"{2 * both / max(1, said + true):.2f}"


def beside_ocr(results: Results) -> str:
    """Text, icons and relations of both, and how much quicker the model is."""
    parts = []
    for size in [size for size in SIZES if f"grounding-{size}" in results]:
        ours, theirs = results[f"grounding-{size}"]
        rates = []
        for kind, kinds in (("text", ("text",)), ("icons, relations", ("icon", "relation"))):
            pair = []
            for who in (0, 1):
                counts = [answered(results, takes, who, size) for takes in kinds]
                right, asked = map(sum, zip(*counts, strict=True))
                pair.append(f"{right / asked:.0%}" if asked else "–")
            rates.append(f"{kind} {pair[0]} : {pair[1]}")
        ratio = theirs["seconds"] / ours["seconds"]
        parts.append(f"{size}: {'; '.join(rates)}; {ratio:.1f}x its speed")
    return "<br>".join(parts)


def letters(results: Results) -> str:
    """Read by the head, and by the letter tower where there is one."""
    head, tower = results["reading"]["rate"], results["reading"].get("spelled")
    return f"{head:.1%}" + (f"; letter tower {tower:.1%}" if tower is not None else "")


def programs(results: Results) -> str:
    """Labels of real programs' widgets."""
    mine = [one["right"] for one in results["programs"][0]["answers"] if one["takes"] == "text"]
    return share(sum(mine), len(mine))


def group(name: str) -> Callable[[Results], str]:
    """Mean success of a group of tasks."""
    return lambda results: f"{results['miniwob']['tiers'][name][0]:.1%}"


def seconds(results: Results) -> str:
    """To decide on a MiniWoB screen, the median."""
    answers = results["grounding-160x210"][0]["answers"]
    return f"{median(answer['seconds'] for answer in answers):.3f} s"


def size(_results: Results) -> str:
    """Of the weights that ship."""
    return f"{sum(f.stat().st_size for f in EMBEDDED.glob('*.safetensors')) / 1e6:.1f} MB"


def rates(takes: str, *sizes: str) -> Callable[[Results], str]:
    """Right answers of a kind."""
    return lambda results: share(*answered(results, takes, 0, *sizes))


ROWS = (
    Row("character accuracy, unseen words and fonts, 9-16 px", "98 %", "99.7 %", "reading",
        letters),
    Row("pointing, text label, 640x480", "88 %", "98 %", "grounding-640x480",
        rates("text", "640x480")),
    Row("pointing by icon name, unseen icons", "40 %", "70 %", "grounding-*", rates("icon")),
    Row("relational", "50 %", "85 %", "grounding-*", rates("relation")),
    Row("absent target recognised (F1)", ".85", ".96", "grounding-*", absent),
    Row("real GTK and Qt widgets, text label", "65 %", "90 %", "programs", programs),
    Row("MiniWoB++ one click (19)", "92 %", "99 %", "miniwob", group("one-click")),
    Row("several clicks (42)", "75 %", "95 %", "miniwob", group("several-clicks")),
    Row("typing from the instruction (23)", "75 %", "97 %", "miniwob", group("typing-given")),
    Row("typing what must be read or computed (13)", "45 %", "85 %", "miniwob",
        group("typing-read")),
    Row("drag and slider (19)", "55 %", "90 %", "miniwob", group("dragging")),
    Row("geometry (6)", "80 %", "96 %", "miniwob", group("geometry")),
    Row("Pix2Act's 58 tasks", "80 %", "96.5 %", "miniwob", group("pix2act")),
    Row("12 tasks left out of training", "35 %", "65 %", "miniwob", group("held-out")),
    Row("model : OCR baseline", "text equal, +20 points, 5x", "text better, +40 points, 20x",
        "grounding-*", beside_ocr),
    Row("seconds per step, MiniWoB screen", "0.25 s", "0.05 s", "grounding-160x210", seconds),
    Row("shipped size", "40 MB", "15 MB", "", size),
)  # fmt: skip


def run(name: str, arguments: str, out: Path, model: Path | None) -> None:
    """Run one evaluation, unless its file is there."""
    file = out / f"{name}.json"
    if file.exists():
        return
    command = [sys.executable, "-m", "agent.cli", "eval", *arguments.split(), "--json", str(file)]
    if model is not None:
        command += ["--model", str(model)]
    print(*command[3:], flush=True)
    subprocess.run(command, check=True, env=os.environ.copy())


def table(results: Results) -> str:
    """In Markdown."""
    lines = ["| | floor | goal | measured | `eyehand eval` |", "|---|---|---|---|---|"]
    commands = QUICK | {
        "grounding-*": "grounding, all sizes",
        "miniwob": "miniwob, as below",
        "programs": "grounding --data",
    }
    for row in ROWS:
        try:
            found = row.measured(results)
        except KeyError as missing:
            found = f"not run: {missing}"
        command = commands.get(row.file, "the folder's size")
        lines.append(f"| {row.what} | {row.floor} | {row.goal} | {found} | {command} |")
    return "\n".join([*lines, "", *(f"`eyehand eval {text}`" for text in MINIWOB.values())])


def main(
    out: Annotated[Path, typer.Option(help="Folder of the JSON files.")] = Path("runs/targets"),
    print_only: Annotated[bool, typer.Option("--print", help="Run nothing.")] = False,
    miniwob: Annotated[bool, typer.Option("--miniwob", help="Run MiniWoB++ too.")] = False,
    model: Annotated[Path | None, typer.Option(help="In place of the embedded one.")] = None,
) -> None:
    """Print the table of targets."""
    out.mkdir(parents=True, exist_ok=True)
    for name, arguments in ({} if print_only else QUICK | (MINIWOB if miniwob else {})).items():
        run(name, arguments, out, model)
    files = {name: out / f"{name}.json" for name in (*QUICK, *MINIWOB, "programs")}
    results = {name: json.loads(f.read_text("utf-8")) for name, f in files.items() if f.exists()}
    print(table(results))


if __name__ == "__main__":
    typer.run(main)
