"""Pairs of a mistake and its correction: from the model's own play, and from people who took over.

    python -m agent.learning.corrections --tasks click-link,click-shape --count 60 --out DIR

The model plays MiniWoB++ pages; where it would do something else than the oracle of the task, the
two actions are a pair. The right one of them is then performed, so that later states are worth
looking at (DAgger with an expert who steps in; arXiv 1011.0686).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from actions.executor import Executor
from actions.receipt import Outcome
from actions.settle import Patience
from actions.space import Action, Click, Drag, on_points
from agent.environments.browser import BrowserError
from agent.environments.display import DisplayError
from agent.environments.miniwob import TaskError
from agent.episodes.reader import Episode
from agent.learning.demonstrate import MAX_STEPS
from agent.learning.harvest import SHARD_SIZE, HarvestError, allow, shard_plan
from agent.learning.likelihood import Answer
from agent.learning.miniwob_stage import MiniWobStage
from agent.learning.oracles.page import Move
from agent.learning.oracles.tasks import ORACLES, next_move
from agent.learning.preference import Pair, PairError
from agent.learning.recorded import answers_of, picture_pixel
from agent.learning.samples import Question, write_shard
from agent.model.prompt import REMEMBERED, remembered
from agent.policies.base import Observation, Policy, PolicyError, Turn
from agent.policies.local import local_policy
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point


def agrees(action: Action, move: Move) -> bool:
    """Whether an action in screen pixels is as good as the oracle's move."""
    right = move.action
    if isinstance(action, Click) and isinstance(right, Click) and move.box is not None:
        same = (action.button, action.count) == (right.button, right.count)
        return same and move.box.contains(action.point)
    if isinstance(action, Drag) and isinstance(right, Drag) and move.box is not None:
        near = abs(action.end.x - right.end.x) + abs(action.end.y - right.end.y) <= 6
        return near and move.box.contains(action.start)
    return action == right


def corrections(
    stage: MiniWobStage, policy: Policy, task: str, seed: int, max_steps: int = MAX_STEPS
) -> Iterator[Pair]:
    """The pairs of one page.

    Args:
        stage: a browser, open.
        policy: plays; one action per step.
        task: has an oracle.
        seed: of the page.
        max_steps: the most decisions.

    Raises:
        BrowserError: the browser has died.
        PolicyError: the policy cannot decide at all.
    """
    world = stage.world
    world.task = task
    instruction = world.reset(seed)
    executor = Executor(stage.backend, world.screen, Patience(blink=0), fail_safe=False)
    turns: list[Turn] = []
    done: list[Action] = []
    for _ in range(max_steps):
        move = None if world.reward().done else next_move(world, instruction, seed)
        if move is None:
            return
        frame = world.screen.grab()
        decision = policy.decide(Observation(instruction, frame, tuple(turns)))
        if decision.step is None or next_move(world, instruction, seed) != move:
            continue  # nothing to compare with, or the page changed meanwhile
        (written,) = decision.step.actions
        right = agrees(on_points(written, decision.map.to_screen), move)
        if not right:
            yield _pair(instruction, frame, done, move, on_points(written, _pixels(decision.map)))
        if executor.perform(move.action).outcome is Outcome.CONFIRMED:
            done.append(move.action)
            text = remembered(on_points(move.action, decision.map.to_model))
            turns.append(Turn(None, decision.text if right else text))


def _pixels(space: CoordinateMap) -> Callable[[Point], Point]:
    return lambda point: picture_pixel(point, space)


def _pair(
    instruction: str, frame: Frame, done: Sequence[Action], move: Move, mistake: Action
) -> Pair:
    seen = Frame(frame.pixels, Box(0, 0, frame.width, frame.height))
    asked, earlier = " ".join(instruction.split()), tuple(done[-REMEMBERED:])
    chosen = Question(asked, move.action, move.box, earlier)
    rejected = Question(asked, mistake, None, earlier)
    return Pair(Answer(seen, chosen), Answer(seen, rejected))


def takeover(original: Episode, fork: Episode) -> Pair | None:
    """What a person did instead, from a recording that was forked where they took over.

    Args:
        original: what the model did.
        fork: the same episode up to the step that `head.parent` names, then the person's way.

    Returns:
        The pair of that step; None when the two are not about the same screen, or did the same.

    Raises:
        PairError: the one is no fork of the other.
        BrokenEpisode: a picture is missing or damaged.
    """
    parent = fork.head.parent or {}
    if parent.get("id") != original.head.id:
        raise PairError(
            f"expected a fork of {original.head.id}, actually {fork.path} comes from "
            f"{parent.get('id', 'nowhere')}"
        )
    mistake, correction = (answers_of(e).get(parent["step"]) for e in (original, fork))
    if mistake is None or correction is None or mistake.question == correction.question:
        return None
    same_screen = mistake.frame.digest == correction.frame.digest
    return Pair(correction, mistake) if same_screen else None


def collect(tasks: Sequence[str], seeds: range, folder: Path, model: Path | None) -> Iterator[Path]:
    """Write the pairs of each task and part of the seeds to a shard; shards that exist are kept.

    A part in which the model made no mistake leaves no shard.

    Raises:
        HarvestError: a held-out task, an evaluation seed, or a task without an oracle.
        TaskError: an unknown task.
        BrowserError: the browser died; what was written stays.
    """
    allow(tasks, seeds)
    if missing := sorted(set(tasks) - ORACLES.keys()):
        raise HarvestError(f"expected tasks with an oracle, actually: {', '.join(missing)}")
    folder.mkdir(parents=True, exist_ok=True)
    policy = local_policy(model)
    with MiniWobStage() as stage:
        for path, task, part in shard_plan(tasks, seeds, folder):
            if not path.exists():
                found = [pair for seed in part for pair in corrections(stage, policy, task, seed)]
                if found:
                    write_shard(path, [pair.sample() for pair in found])
            yield path


def main(
    tasks: Annotated[str, typer.Option(help="Names, separated by commas.")],
    out: Annotated[Path, typer.Option(help="Folder for the shards.")] = Path("corrections"),
    first_seed: Annotated[int, typer.Option(min=0)] = 0,
    count: Annotated[int, typer.Option(min=1, help="Pages per task.")] = 100,
    model: Annotated[Path | None, typer.Option(help="Who makes the mistakes.")] = None,
) -> None:
    """Collect mistakes of a model, each with its correction."""
    names = tasks.split(",")
    try:
        shards = collect(names, range(first_seed, first_seed + count), out, model)
        for _ in track(shards, "Shards", total=len(names) * -(-count // SHARD_SIZE)):
            pass
    except (HarvestError, TaskError, DisplayError, BrowserError, PolicyError) as error:
        raise SystemExit(f"corrections: {error}") from error


if __name__ == "__main__":
    typer.run(main)
