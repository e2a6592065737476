"""Commands that train and measure: `train`, `learn`, `eval`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import Endpoint, Model, ProfileName, fail, policy_of, size_of

evaluations = typer.Typer(help="Measure how often a model solves tasks.", no_args_is_help=True)


@evaluations.command()
def miniwob(
    tasks: Annotated[
        str, typer.Option(help="Tasks, or groups such as all, one-click, held-out; commas between.")
    ],
    seeds: Annotated[int, typer.Option(min=1, help="Pages per task.")] = 100,
    first_seed: Annotated[
        int | None, typer.Option(help="The first page. [default: that of Pix2Act]")
    ] = None,
    max_steps: Annotated[int, typer.Option(min=1, help="The most decisions per page.")] = 30,
    repeats: Annotated[int, typer.Option(min=1, help="How often each page is played.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Displays side by side.")] = 1,
    random_seeds: Annotated[int, typer.Option(min=0, help="Pages that random clicks try.")] = 20,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write everything to this file.")
    ] = None,
    failures: Annotated[
        Path | None, typer.Option(help="Keep the episodes of unsolved pages in this folder.")
    ] = None,
    model: Model = None,
    endpoint: Endpoint = None,
    profile: ProfileName = None,
) -> None:
    """Print how often MiniWoB++ tasks are solved, next to random clicks."""
    import json

    from rich.console import Console
    from rich.progress import Progress

    from agent.learning.evaluate import FIRST_SEED, evaluate
    from agent.learning.tiers import tasks_named

    names = tasks_named(tasks)
    first = FIRST_SEED if first_seed is None else first_seed
    errors = Console(stderr=True)
    with (
        closing(policy_of(model, endpoint, profile)) as policy,
        Progress(console=errors, disable=not errors.is_terminal) as progress,
    ):
        bar = progress.add_task("pages", total=len(names) * seeds * repeats)
        table = evaluate(
            policy, names, seeds, first, max_steps, repeats=repeats, failures=failures,
            random_seeds=random_seeds, workers=workers,
            progress=lambda _: progress.advance(bar),
        )  # fmt: skip
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(table.to_json(), indent=1), "utf-8")
    Console(highlight=False).print(table.to_rich())


@evaluations.command()
def grounding(
    size: Annotated[str, typer.Option(help="Of the screens, in pixels.")] = "640x480",
    screens: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    ocr: Annotated[
        bool, typer.Option("--ocr", help="Ask the OCR baseline too (needs the extra `ocr`).")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write everything to this file.")
    ] = None,
    model: Model = None,
    endpoint: Endpoint = None,
    profile: ProfileName = None,
) -> None:
    """Print how often a model points at the right thing on screens that it has never seen."""
    import json
    from contextlib import ExitStack

    from rich.console import Console

    from agent.learning.grounding import evaluate_grounding, to_rich
    from agent.policies.ocr import OcrPolicy

    with ExitStack() as stack:
        policies = [stack.enter_context(closing(policy_of(model, endpoint, profile)))]
        if ocr:
            policies.append(stack.enter_context(closing(OcrPolicy())))
        results = evaluate_grounding(policies, size_of(size), screens)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps([r.to_json() for r in results], indent=1), "utf-8")
    Console(highlight=False).print(to_rich(results))


def train(
    stage: Annotated[str, typer.Argument(help="Name of a recipe, or a TOML file.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the checkpoints. [default: runs/STAGE]")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of harvested pages.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    start: Annotated[
        Path | None, typer.Option("--from", help="Model folder to begin from. [default: none]")
    ] = None,
) -> None:
    """Train a stage of the embedded model; run it again to go on where it stopped."""
    from agent.learning.stage import run_stage

    folder = out or Path("runs") / Path(stage).stem
    for name, value in run_stage(stage, folder, data, steps, start).items():
        typer.echo(f"{name}  {value:.4f}")
    typer.echo(f"curves  {folder / 'curves.png'}")
    typer.echo(f"model   {folder / 'release'}")


def learn(
    folders: Annotated[
        list[Path], typer.Argument(metavar="EPISODES...", help="Recordings, folders or packed.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the training and its result.")] = Path(
        "runs/learned"
    ),
    model: Annotated[
        Path | None, typer.Option("--from", help="Model to begin from. [default: the embedded one]")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Train all weights, not adapters beside them.")
    ] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    rate: Annotated[float | None, typer.Option(min=0, help="Instead of the recipe's.")] = None,
    held_out: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the recordings that only judge.")
    ] = 0.25,
    screens: Annotated[int, typer.Option(min=1, help="Standard screens that judge.")] = 50,
) -> None:
    """Train a model of the embedded kind on recordings; keep it when it does better.

    Better means: more decisions as recorded in the episodes that were held back, and no fewer right
    answers about fixed sets of generated screens, small ones and some of the size of a desktop.
    Otherwise nothing is kept and the status is 1.
    """
    from dataclasses import replace

    from rich.console import Console
    from rich.progress import Progress

    from agent.learning.learn import MODEL
    from agent.learning.learn import learn as learn_recordings
    from agent.learning.recipe import Recipe
    from agent.policies.local import EMBEDDED

    recipe = Recipe.load("recordings").with_steps(steps)
    recipe = replace(recipe, rate=rate or recipe.rate, adapters=None if full else recipe.adapters)
    errors = Console(stderr=True)
    with Progress(console=errors, disable=not errors.is_terminal) as progress:
        bar = progress.add_task("steps", total=recipe.steps)
        gate = learn_recordings(
            folders, out, recipe, model or EMBEDDED, held_out, screens,
            lambda step, _: progress.update(bar, completed=step),
            lambda taught: errors.print(str(taught)),
        )  # fmt: skip
    Console(highlight=False).print(gate.to_rich())
    if gate.refusal:
        fail(f"the new weights are not kept: {gate.refusal}")
    typer.echo(f"model   {out / MODEL}")
