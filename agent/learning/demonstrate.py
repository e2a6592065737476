"""Demonstrations: oracles play MiniWoB++ episodes.

    python -m agent.learning.demonstrate --tasks click-tab-2,enter-text --count 40 --out DIR
    python -m agent.learning.demonstrate --learner MODEL --noise 0.5 --out DIR
    python -m agent.learning.demonstrate --check

Both play without a display, which is several times quicker; `--display` takes real mouse and
keyboard on a virtual one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from actions.backends.base import BackendError
from agent.environments.browser import BrowserError
from agent.environments.display import DisplayError
from agent.environments.miniwob import TaskError
from agent.learning.demonstrator import NOISE, Demonstrator, open_player
from agent.learning.harvest import SHARD_SIZE, HarvestError, allow, shard_plan
from agent.learning.oracle_check import CHECKED, check, print_checks
from agent.learning.oracles.tasks import ORACLES
from agent.learning.samples import Sample, write_shard
from agent.model.checkpoint import CheckpointError
from agent.policies.base import PolicyError
from agent.signals import keyboard_interrupt, on_signals

_TROUBLE = (
    HarvestError, TaskError, DisplayError, BrowserError, BackendError, CheckpointError, PolicyError
)  # fmt: skip


def demonstrate(
    tasks: Sequence[str],
    seeds: range,
    folder: Path,
    noise: float = NOISE,
    display: bool = False,
    workers: int = 1,
    learner: Path | None = None,
) -> Iterator[Path]:
    """Write one shard per `SHARD_SIZE` seeds of each task; shards that exist are kept.

    Args:
        tasks: names of tasks that have an oracle, none of them held out.
        seeds: consecutive training seeds.
        folder: where the shards go; it is made when missing.
        noise: which part of the actions are mistakes, 0..1.
        display: with real mouse and keyboard on a virtual display.
        workers: processes that share the tasks.
        learner: folder of a model that acts in place of mistakes.

    Yields:
        The path of each shard, old or new.

    Raises:
        HarvestError: a held-out task, an evaluation seed, a task without an oracle, or one that
            its oracle never solved, once all other shards are there.
        TaskError: an unknown task.
        BrowserError: the browser died; what was written stays, and the next call goes on there.
    """
    allow(tasks, seeds)
    if missing := sorted(set(tasks) - ORACLES.keys()):
        raise HarvestError(f"expected tasks with an oracle, actually: {', '.join(missing)}")
    folder.mkdir(parents=True, exist_ok=True)
    player = partial(open_player, noise=noise, display=display, learner=learner)
    how = partial(_demonstrate, seeds=seeds, folder=folder, player=player)
    yield from how(tasks) if workers == 1 else _shared_out(how, tasks, workers)


def _shared_out(
    how: Callable[[Sequence[str]], Iterator[Path]], tasks: Sequence[str], workers: int
) -> Iterator[Path]:
    """The shards of all tasks, each task made by one of several processes."""
    failed: list[str] = []
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        parts = [pool.submit(_all, how, [task]) for task in tasks]
        try:
            for part in as_completed(parts):
                try:
                    yield from part.result()
                except HarvestError as error:
                    failed.append(str(error))
        finally:
            pool.shutdown(cancel_futures=True)
    if failed:
        raise HarvestError("; ".join(failed))


def _all(how: Callable[[Sequence[str]], Iterator[Path]], tasks: Sequence[str]) -> list[Path]:
    return list(how(tasks))


def _demonstrate(
    tasks: Sequence[str],
    seeds: range,
    folder: Path,
    player: Callable[[ExitStack], Demonstrator],
) -> Iterator[Path]:
    with ExitStack() as held:
        opened: Demonstrator | None = None  # no browser is started when nothing is missing
        failed: list[str] = []
        for path, task, part in shard_plan(tasks, seeds, folder):
            if not path.exists():
                opened = opened or player(held)
                try:
                    _write(path, opened, task, part)
                except HarvestError as error:
                    failed.append(str(error))
                    continue
            yield path
        if failed:
            raise HarvestError("; ".join(failed))


def _write(path: Path, player: Demonstrator, task: str, seeds: range) -> None:
    heard: set[str] = set()  # of this shard only, so that it is the same whatever exists already
    samples: list[Sample] = []
    for seed in seeds:
        shown = player.play(task, seed, heard)
        heard |= {sample.questions[0].instruction for sample in shown.samples}
        samples += shown.samples if shown.instructive else ()
    if not samples:
        raise HarvestError(f"{task}: its oracle solved none of {seeds}; run with --check")
    write_shard(path, samples)


def main(
    tasks: Annotated[
        str, typer.Option(help="Names, separated by commas; all oracles' at first.")
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder for the shards.")] = Path("demonstrations"),
    first_seed: Annotated[int, typer.Option(min=0)] = 0,
    count: Annotated[int, typer.Option(min=1, help="Episodes per task.")] = 40,
    noise: Annotated[float, typer.Option(min=0, max=1, help="Part of mistakes.")] = NOISE,
    learner: Annotated[
        Path | None, typer.Option(help="Model that acts in place of mistakes.")
    ] = None,
    check_only: Annotated[bool, typer.Option("--check", help="Only print what is solved.")] = False,
    display: Annotated[bool, typer.Option("--display", help="Real mouse and keyboard.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes side by side.")] = 1,
) -> None:
    """Demonstrate MiniWoB++ tasks."""
    names = tasks.split(",") if tasks else sorted(ORACLES)
    try:
        with on_signals(keyboard_interrupt):
            if check_only:
                perfect = print_checks(
                    check(names, range(first_seed, first_seed + CHECKED), display)
                )
                raise typer.Exit(0 if perfect else 1)
            seeds = range(first_seed, first_seed + count)
            shards = demonstrate(names, seeds, out, noise, display, workers, learner)
            for _ in track(shards, "Shards", total=len(names) * -(-count // SHARD_SIZE)):
                pass
    except _TROUBLE as error:
        raise SystemExit(f"demonstrate: {error}") from error


if __name__ == "__main__":
    typer.run(main)
