"""Run one training stage with a progress bar, a metrics file and a picture of the curves."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)  # fmt: skip

from agent.learning.allocator import keep_memory
from agent.learning.batch import collate
from agent.learning.distributed import World
from agent.learning.precision import quick_numbers
from agent.learning.recipe import Recipe, RecipeError, embedded_config
from agent.learning.release import release
from agent.learning.stream import Stream
from agent.learning.train import Metrics, Trainer
from agent.model.config import KimiVLConfig
from agent.model.prompt import embedded_tokenizer


def run_stage(
    stage: str,
    out: Path,
    data: Path | None = None,
    steps: int | None = None,
    start: Path | None = None,
    icons: Path | None = None,
) -> Metrics:
    """Train a stage to its end, continuing from `out` if it holds a checkpoint.

    Args:
        stage: name of a shipped recipe, or the path of a TOML file.
        out: folder of checkpoints, `metrics.jsonl`, `curves.png`, and `release/`, the model folder.
        data: folder of harvested shards (`*.npz`), None for generated screens only.
        steps: overrides the recipe's number of steps.
        start: model folder to begin from; without one, weights are random.
        icons: folder of icon sets for generated screens; without one, icons are drawn. Stages that
            learn from pairs or rewards show no generated screens.

    Returns:
        Accuracies on validation screens.

    Raises:
        RecipeError: there is no such stage, or the folder holds no shards.
        TrainingError: training cannot go on.
    """
    keep_memory()
    shards = _shards(data) if data else ()
    trainer = trainer_of(Recipe.load(stage).with_steps(steps), out, shards, start, icons)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    first = trainer.world.rank == 0
    with Progress(*columns, disable=not first) as progress:
        task = progress.add_task(stage, total=trainer.recipe.steps, completed=trainer.step, note="")

        def report(step: int, metrics: Metrics) -> None:
            progress.update(task, completed=step, note=_note(metrics))

        trainer.run(report)
    validation = validate(trainer)
    if first:
        plot_curves(out / "metrics.jsonl", out / "curves.png", trainer.curves)
        release(out, out / "release")
        (out / "validation.json").write_text(json.dumps(validation, indent=1))
    return validation


def trainer_of(
    recipe: Recipe,
    out: Path,
    shards: tuple[Path, ...] = (),
    start: Path | None = None,
    icons: Path | None = None,
) -> Trainer:
    """What runs a recipe: from samples, from pairs, or from episodes.

    The last two improve a network as it is; the first gives it the parts that it lacks.
    """
    from agent.learning.preferring import PreferenceTrainer
    from agent.learning.reinforcing import ReinforcementTrainer

    kind: type[Trainer] = Trainer
    if recipe.preference is not None:
        kind = PreferenceTrainer
    elif recipe.reinforcement is not None:
        kind = ReinforcementTrainer
    shape = embedded_config()
    if kind is not Trainer and start is not None and (start / "config.json").is_file():
        shape = KimiVLConfig.load(start)
    return kind(recipe, out, shards, start, shape, icons)


def _shards(folder: Path) -> tuple[Path, ...]:
    found = tuple(sorted(folder.rglob("*.npz")))
    if not found:
        raise RecipeError(
            f"no shards (*.npz) in {folder}; make some with `python -m agent.learning.harvest`"
        )
    return found


def validate(trainer: Trainer, screens: int = 128) -> Metrics:
    """Mean accuracies on generated screens with words and fonts that training never saw."""
    stream = Stream(trainer.recipe.seed, split="validation", questions=trainer.recipe.questions)
    tokenizer = embedded_tokenizer()
    passes: list[Metrics] = []
    trainer.model.eval()
    batches = stream.batches(0, 16)
    with torch.no_grad(), quick_numbers():
        for _ in range(screens // 16):
            batch = collate(next(batches), tokenizer)
            scored = trainer.scoring(batch, trainer.recipe.weights)
            passes.append({name: float(value) for name, value in scored.metrics.items()})
    trainer.model.train()
    return World().mean(passes)


def plot_curves(log: Path, picture: Path, names: Sequence[str] = Trainer.curves) -> None:
    """Draw a metrics file, each curve faint and smoothed over 50 steps."""
    from matplotlib.figure import Figure

    rows = [json.loads(line) for line in log.read_text().splitlines()]
    figure = Figure(figsize=(8, 2.2 * len(names)), layout="constrained")
    for axis, name in zip(figure.subplots(len(names), sharex=True), names, strict=True):
        steps = [row["step"] for row in rows]
        values = [row.get(name, math.nan) for row in rows]
        axis.plot(steps, values, alpha=0.25)
        axis.plot(steps, _smooth(values, 50))
        axis.set_ylabel(name)
        axis.grid(alpha=0.3)
    axis.set_xlabel("step")
    figure.savefig(picture, dpi=110)


def _smooth(values: Sequence[float], window: int) -> list[float]:
    """Mean of the last `window` values, of those that are numbers."""
    padded = np.concatenate([np.full(window - 1, np.nan), np.asarray(values, dtype=float)])
    seen = np.lib.stride_tricks.sliding_window_view(padded, window)
    known = ~np.isnan(seen)
    counts = known.sum(1)
    sums = np.where(known, seen, 0.0).sum(1)
    return np.where(counts, sums / np.maximum(counts, 1), np.nan).tolist()


def _note(metrics: Metrics) -> str:
    """The numbers to watch, as far as this stage has them."""
    known = {"read_right": "read", "point_right": "point", "margin": "margin", "return": "return"}
    watched = [f"{short} {metrics[name]:.2f}" for name, short in known.items() if name in metrics]
    return " ".join([f"loss {metrics['loss']:.2f}", *watched])
