"""Demonstrations: oracles play MiniWoB++ episodes.

Some actions are replaced by plausible wrong ones, or by what a learner would do. They are
performed, but what a state is labelled with is always the oracle's own action there, so the data
shows how to get back on the way.

    python -m agent.learning.demonstrate --tasks click-tab-2,enter-text --count 40 --out DIR
    python -m agent.learning.demonstrate --learner MODEL --noise 0.5 --out DIR
    python -m agent.learning.demonstrate --check

Both play without a display, which is several times quicker; `--display` takes real mouse and
keyboard on a virtual one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from actions.backends.base import BackendError
from actions.backends.x11 import X11Backend
from actions.executor import Executor
from actions.receipt import Outcome
from actions.settle import Patience
from actions.space import Action, Direction, Scroll
from agent.environments.browser import BrowserError
from agent.environments.display import DisplayError
from agent.environments.miniwob import MiniWob, Pages, TaskError
from agent.environments.offscreen import OffscreenMiniWob
from agent.learning.harvest import SHARD_SIZE, HarvestError, allow, look, read_labels, shard_plan
from agent.learning.learner import Learner
from agent.learning.mistakes import mistake
from agent.learning.oracles.page import Move
from agent.learning.oracles.tasks import ORACLES, next_move
from agent.learning.oracles.variations import other_instruction
from agent.learning.samples import Question, Sample, write_shard
from agent.learning.scores import GEOMETRY, GEOMETRY_REWARD
from agent.model.checkpoint import CheckpointError
from agent.policies.base import PolicyError
from agent.policies.hindsight import copies
from agent.signals import keyboard_interrupt, on_signals
from vision.geometry import Box

NOISE = 0.12
"""So many actions are mistakes."""

VARIATIONS = 3
"""Other instructions for one picture, at most."""

MAX_STEPS = 40
"""An episode that is not over by then is not learned from."""

CHECKED = 3
"""Seeds per task of `--check`."""

_PATIENCE = Patience(still=0.03, quiet=0.06, reaction=0.2, blink=0)
"""Pages of this benchmark answer at once; waiting longer would only cost time."""


_TROUBLE = (
    HarvestError, TaskError, DisplayError, BrowserError, BackendError, CheckpointError, PolicyError
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Demonstration:
    """One episode.

    Attributes:
        samples: its states, each with the oracle's action as its first question; what it would do
            next if it had been told something else comes after it.
        solved: whether the page paid the full reward.
        instructive: whether to learn from it. Every label is the oracle's, so an episode that a
            mistake ended teaches too; one in which the oracle itself was lost shows that it was
            wrong somewhere, or that an earlier mistake could not be made good.
    """

    samples: tuple[Sample, ...]
    solved: bool
    instructive: bool


class Demonstrator:
    """Plays episodes in a world.

    Args:
        world: entered and left by the caller.
        perform: acts in it; whether that had a visible effect.
        noise: which part of the actions are mistakes, 0..1.
        learner: does what it would do there, right or wrong; None means made-up mistakes.
    """

    def __init__(
        self,
        world: Pages,
        perform: Callable[[Action], bool],
        noise: float = NOISE,
        learner: Learner | None = None,
    ) -> None:
        self._world = world
        self._perform = perform
        self._noise = noise
        self._learner = learner

    def play(self, task: str, seed: int, heard: Collection[str] = ()) -> Demonstration:
        """One episode of a task that has an oracle.

        Args:
            task: its name.
            seed: of the page.
            heard: instructions of other pages of the task, which may be asked of this one too.

        Raises:
            BrowserError: the browser has died.
            BackendError: the display is gone.
        """
        world, random = self._world, Random(f"demonstration {task} {seed}")
        world.task = task
        instruction = world.reset(seed)
        samples: list[Sample] = []
        done: list[Action] = []
        wrong = False
        for _ in range(MAX_STEPS):
            if world.reward().done:
                break
            move = next_move(world, instruction, seed)
            if move is None:
                return Demonstration(tuple(samples), solved=False, instructive=wrong)
            labels = read_labels(world, seed)
            chosen = move.any(random)
            asked = [_question(instruction, chosen, done)]
            asked += self._variations(instruction, seed, done, heard, random)
            sample = look(world, labels, asked, random)
            if next_move(world, instruction, seed) != move:
                continue  # the page changed meanwhile: the label is not this picture's
            samples.append(sample)
            action = chosen.action
            if random.random() < self._noise:
                action = self._slip(chosen, labels, instruction, done, random)
            wrong = action != chosen.action
            if self._perform(action) or copies(action):
                done.append(action)
        complete = solved(world)
        instructive = complete or (wrong and world.reward().done)
        return Demonstration(tuple(samples), complete, instructive)

    def _slip(
        self,
        right: Move,
        labels: dict[str, Any],
        instruction: str,
        done: Sequence[Action],
        random: Random,
    ) -> Action:
        """What a learner does here, or a made-up mistake."""
        if self._learner is not None:
            frame = self._world.screen.grab()
            return self._learner.act(instruction, frame, done) or right.action
        others = [Box(*element["box"]) for element in labels["elements"]]
        return mistake(right, others, random)

    def _variations(
        self,
        instruction: str,
        seed: int,
        done: Sequence[Action],
        heard: Collection[str],
        random: Random,
    ) -> list[Question]:
        """What would be right here if the page had asked for something else."""
        found: dict[str, Question] = {}
        for _ in range(VARIATIONS):
            said = other_instruction(self._world, instruction, seed, heard, random)
            move = next_move(self._world, said, seed) if said else None
            if said and move and not _from_memory(move.action):
                found[said] = _question(said, move.any(random), done)
        return [*found.values()]


def _from_memory(action: Action) -> bool:
    """Whether only who has been further up, looking for the same, can know that it is right."""
    return isinstance(action, Scroll) and action.direction is Direction.UP


def _question(instruction: str, move: Move, done: Sequence[Action]) -> Question:
    return Question(instruction, move.action, move.box, tuple(done), also=move.also, end=move.end)


def solved(world: Pages) -> bool:
    """Whether the page has paid the full reward."""
    wanted = GEOMETRY_REWARD if world.task in GEOMETRY else 1
    verdict = world.reward()
    return verdict.done and verdict.raw >= wanted


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


def open_player(
    held: ExitStack, noise: float = NOISE, display: bool = False, learner: Path | None = None
) -> Demonstrator:
    """A demonstrator with a world of its own.

    Args:
        held: closes the world.
        noise: which part of the actions are mistakes, 0..1.
        display: with real mouse and keyboard on a virtual display.
        learner: folder of a model that acts in place of mistakes.

    Raises:
        BrowserError: there is no browser, or it does not start.
        CheckpointError: the folder has no model.
        DisplayError: there is no virtual display.
    """
    student = Learner.load(learner) if learner else None
    if display:
        world = held.enter_context(MiniWob())
        return Demonstrator(world, real_hands(world, held), noise, student)
    offscreen = held.enter_context(OffscreenMiniWob())
    return Demonstrator(offscreen, offscreen.perform, noise, student)


def real_hands(world: MiniWob, held: ExitStack) -> Callable[[Action], bool]:
    """Mouse and keyboard of the world's display; `held` lets go of them."""
    backend = held.enter_context(X11Backend(world.display.name))
    executor = Executor(backend, world.screen, _PATIENCE, fail_safe=False)
    return lambda action: executor.perform(action).outcome is Outcome.CONFIRMED


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


@dataclass(frozen=True)
class Check:
    """How an oracle does without mistakes.

    Attributes:
        task: its task.
        episodes: how many were played.
        solved: how many of them with full reward.
        steps: mean actions per episode.
        seconds: mean per episode.
    """

    task: str
    episodes: int
    solved: int
    steps: float
    seconds: float


def check(tasks: Iterable[str], seeds: range, display: bool = False) -> Iterator[Check]:
    """Play episodes without mistakes.

    Raises:
        BrowserError: the browser died.
    """
    with ExitStack() as held:
        player = open_player(held, 0, display)
        for task in tasks:
            begun = time.perf_counter()
            episodes = [player.play(task, seed) for seed in seeds]
            spent = time.perf_counter() - begun
            count = len(episodes)
            steps = sum(len(episode.samples) for episode in episodes) / count
            solved = sum(episode.solved for episode in episodes)
            yield Check(task, count, solved, steps, spent / count)


def _print_checks(checks: Iterable[Check]) -> bool:
    """Show a table; whether every oracle solved everything."""
    table = Table("task", "solved", "steps", "seconds", title="Oracles without mistakes")
    perfect = True
    for row in checks:
        perfect = perfect and row.solved == row.episodes
        solved = f"{row.solved}/{row.episodes}"
        table.add_row(row.task, solved, f"{row.steps:.1f}", f"{row.seconds:.2f}")
    Console().print(table)
    return perfect


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
                perfect = _print_checks(
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
