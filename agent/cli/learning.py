"""Commands that train and measure: `train`, `learn`, `eval`."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.options import (
    Endpoint,
    Model,
    ProfileName,
    fail,
    named_policy,
    policy_of,
    size_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.progress import Progress

    from agent.learning.playing import Crew
    from agent.learning.scores import Rollout
    from agent.policies.base import Policy
    from agent.policies.named import NamedPolicy

Workers = Annotated[int, typer.Option(min=1, help="Displays side by side.")]
Ray = Annotated[
    str | None,
    typer.Option("--ray", help="Play on the Ray cluster at this address (extra `ray`)."),
]
RandomSeeds = Annotated[int, typer.Option(min=0, help="Pages that random clicks try.")]
OracleSeeds = Annotated[
    int, typer.Option(min=0, help="Pages that an oracle tries, which sees behind the screen.")
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Also write everything to this file.")
]
Failures = Annotated[
    Path | None, typer.Option(help="Keep the episodes of unsolved pages in this folder.")
]

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
    workers: Workers = 1,
    ray: Ray = None,
    random_seeds: RandomSeeds = 20,
    oracle_seeds: OracleSeeds = 0,
    json_file: JsonFile = None,
    failures: Failures = None,
    model: Model = None,
    endpoint: Endpoint = None,
    profile: ProfileName = None,
) -> None:
    """Print how often MiniWoB++ tasks are solved, next to random clicks."""
    from agent.learning.evaluate import FIRST_SEED
    from agent.learning.tiers import tasks_named

    _play(
        named_policy(model, endpoint, profile), tasks_named(tasks), workers, ray, json_file,
        seeds=seeds, first_seed=FIRST_SEED if first_seed is None else first_seed,
        max_steps=max_steps, repeats=repeats, failures=failures,
        random_seeds=random_seeds, oracle_seeds=oracle_seeds,
    )  # fmt: skip


@evaluations.command()
def desktop(
    tasks: Annotated[str, typer.Option(help="Tasks, commas between. [default: all]")] = "",
    seeds: Annotated[int, typer.Option(min=1, help="Episodes per task.")] = 5,
    max_steps: Annotated[int, typer.Option(min=1, help="The most decisions per episode.")] = 20,
    workers: Workers = 1,
    ray: Ray = None,
    random_seeds: RandomSeeds = 5,
    oracle_seeds: OracleSeeds = 1,
    json_file: JsonFile = None,
    failures: Failures = None,
    model: Model = None,
    endpoint: Endpoint = None,
    profile: ProfileName = None,
) -> None:
    """Print how often tasks on real programs are solved: GTK, Qt and web, on a virtual display.

    Programs' files, output and exit status judge, when the agent says that it is done.
    """
    from agent.learning.desktop.stage import TASKS, DesktopStage

    names = [name.strip() for name in tasks.split(",") if name.strip()] or list(TASKS)
    _play(
        named_policy(model, endpoint, profile), names, workers, ray, json_file,
        seeds=seeds, max_steps=max_steps, stage=DesktopStage, failures=failures,
        random_seeds=random_seeds, oracle_seeds=oracle_seeds,
    )  # fmt: skip


@evaluations.command()
def compare(
    before: Annotated[Path, typer.Argument(help="JSON file of an evaluation.")],
    after: Annotated[Path, typer.Argument(help="That of another one of the same pages.")],
) -> None:
    """Print on which MiniWoB++ pages two evaluations differ, and whether that is chance."""
    from rich.console import Console

    from agent.learning import comparison

    rows = comparison.compare(comparison.read(before), comparison.read(after))
    Console(highlight=False).print(comparison.to_rich(rows))


@evaluations.command()
def grounding(
    size: Annotated[str, typer.Option(help="Of the screens, in pixels.")] = "640x480",
    screens: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    data: Annotated[
        Path | None, typer.Option(help="A folder of shards (pages, programs) in place of screens.")
    ] = None,
    icons: Annotated[Path | None, typer.Option(help="Folder of icon sets for the screens.")] = None,
    ocr: Annotated[
        bool, typer.Option("--ocr", help="Ask the OCR baseline too (needs the extra `ocr`).")
    ] = False,
    json_file: JsonFile = None,
    model: Model = None,
    endpoint: Endpoint = None,
    profile: ProfileName = None,
) -> None:
    """Print how often a model points at the right thing on screens that it has never seen."""
    from rich.console import Console

    from agent.learning.grounding import (
        evaluate_grounding,
        evaluate_samples,
        of_shards,
        to_rich,
    )
    from agent.policies.ocr import OcrPolicy

    shards = _shards(data) if data else ()
    with ExitStack() as stack:
        policies = [stack.enter_context(closing(policy_of(model, endpoint, profile)))]
        if ocr:
            policies.append(stack.enter_context(closing(OcrPolicy())))
        if shards:
            results = evaluate_samples(policies, of_shards(shards))
        else:
            results = evaluate_grounding(policies, size_of(size), screens, icons=icons)
    _write_json(json_file, [result.to_json() for result in results])
    Console(highlight=False).print(to_rich(results))


@evaluations.command()
def reading(
    pages: Annotated[int, typer.Option(min=1, help="Of 320x240, for each height.")] = 4,
    json_file: JsonFile = None,
    model: Model = None,
) -> None:
    """Print how many letters of 9 to 16 pixels a model's encoder reads right.

    Words and fonts are those of the test split, which no training has seen.
    """
    from rich.console import Console

    from agent.learning.reading import evaluate_reading, to_json, to_rich
    from agent.policies.local import EMBEDDED, load_engine

    readings = evaluate_reading(load_engine(model or EMBEDDED).model, pages)
    _write_json(json_file, to_json(readings))
    Console(highlight=False).print(to_rich(readings))


@evaluations.command()
def decisions(
    data: Annotated[Path, typer.Option(help="A folder of demonstrations, of pages never seen.")],
    states: Annotated[int, typer.Option(min=1, help="The most of each task.")] = 20,
    json_file: JsonFile = None,
    model: Model = None,
) -> None:
    """Print how often a model decides as the demonstrator did, state by state."""
    from rich.console import Console

    from agent.learning.decisions import evaluate_decisions, to_json, to_rich
    from agent.policies.local import EMBEDDED, load_engine

    found = evaluate_decisions(load_engine(model or EMBEDDED).model, _shards(data), states)
    _write_json(json_file, to_json(found))
    Console(highlight=False).print(to_rich(found))


def _shards(folder: Path) -> Sequence[Path]:
    shards = sorted(folder.glob("*.npz"))
    if not shards:
        fail(f"expected shards in {folder}, actually none; docs/data.md says how to make them")
    return shards


def _play(
    named: NamedPolicy,
    tasks: Sequence[str],
    workers: int,
    ray: str | None,
    json_file: Path | None,
    **how: Any,
) -> None:
    """Evaluate under a progress bar and print the table; `how` is for `evaluate`."""
    from rich.console import Console
    from rich.progress import Progress

    from agent.learning.evaluate import evaluate

    errors = Console(stderr=True)
    with ExitStack() as held:
        policy, crew = _players(held, named, workers, ray)
        progress = held.enter_context(Progress(console=errors, disable=not errors.is_terminal))
        table = evaluate(policy, tasks, crew=crew, progress=_counting(progress), **how)
    _write_json(json_file, table.to_json())
    Console(highlight=False).print(table.to_rich())


def _players(
    held: ExitStack, named: NamedPolicy, workers: int, ray: str | None
) -> tuple[Policy, Crew]:
    """Whom the options call to play, until `held` is closed."""
    from agent.learning.playing import Threads

    if ray is None:
        return held.enter_context(closing(named.open())), Threads(workers)
    from agent.learning.on_ray import RayCrew

    return named, held.enter_context(RayCrew(ray, workers))


def _counting(progress: Progress) -> Callable[[Rollout], None]:
    """Counts the episodes of a run whose number only the run knows."""
    bar = progress.add_task("episodes", total=None)
    return lambda rollout: progress.update(bar, advance=1, description=rollout.task)


def _write_json(path: Path | None, content: object) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1), "utf-8")


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
    icons: Annotated[
        Path | None, typer.Option(help="Folder of icon sets. [default: drawn icons]")
    ] = None,
) -> None:
    """Train a stage of the embedded model; run it again to go on where it stopped."""
    from agent.learning.stage import run_stage

    folder = out or Path("runs") / Path(stage).stem
    for name, value in run_stage(stage, folder, data, steps, start, icons).items():
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
    screens: Annotated[int, typer.Option(min=1, help="Standard screens that judge.")] = 100,
) -> None:
    """Train a model of the embedded kind on recordings; keep it when it does better.

    Better means: more decisions as recorded in the episodes that were held back, and, 95 % sure,
    no loss of 3 in 100 answers about fixed sets of generated screens, small ones and some of the
    size of a desktop. Otherwise nothing is kept and the status is 1.
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
