"""What the preference and reinforcement stages add to a model, on pages that none of them saw.

    python benchmarks/improving.py [--out DIR] [--from MODEL] [--seeds 50] [--pages 100]

Plays the tasks of the reinforcement recipe before and after each stage and compares page by page.
The pairs for the preference stage are the model's own mistakes on `--pages` training pages a task.
Everything lies in `--out`, and another call goes on where the last one was stopped. Every stage
costs 10 to 30 minutes of one core, and so does every evaluation.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console

from agent.learning.comparison import compare, read, to_rich
from agent.learning.corrections import collect
from agent.learning.evaluate import evaluate
from agent.learning.recipe import Recipe
from agent.learning.stage import run_stage
from agent.policies.local import EMBEDDED, local_policy

STAGES = ("preference", "reinforcement", "rejection")
FIRST_PAGE = 50_000
"""Training seed of the first page with mistakes."""


def played(file: Path, model: Path, tasks: tuple[str, ...], seeds: int, max_steps: int) -> Path:
    """The evaluation of a model, which is made once."""
    if not file.exists():
        policy = local_policy(model)
        table = evaluate(policy, tasks, seeds, max_steps=max_steps, random_seeds=0)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(table.to_json(), indent=1), "utf-8")
    return file


def main() -> None:
    """Play, learn, play again, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/improving"))
    parser.add_argument("--from", dest="start", type=Path, default=EMBEDDED)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--steps", type=int, help="instead of the recipes'")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    options = parser.parse_args()
    out, console = options.out, Console()
    lessons = Recipe.load("reinforcement").reinforcement
    assert lessons is not None, "it is what that recipe is for"
    how = lessons.tasks, options.seeds, lessons.max_steps
    before = read(played(out / "before.json", options.start, *how))
    for stage in options.stages:
        pairs = None
        if stage == "preference":
            pairs = out / "pairs"
            seeds = range(FIRST_PAGE, FIRST_PAGE + options.pages)
            list(collect(lessons.tasks, seeds, pairs, options.start))
        if not (out / stage / "validation.json").exists():
            run_stage(stage, out / stage, pairs, options.steps, options.start)
        after = read(played(out / f"{stage}.json", out / stage / "release", *how))
        console.print(stage, to_rich(compare(before, after)))


if __name__ == "__main__":
    main()
