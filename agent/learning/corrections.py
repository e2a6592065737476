"""Pairs of a mistake and its correction: from the model's own play, and from people who took over.

    python -m agent.learning.corrections --tasks click-link,click-shape --count 60 --out DIR

The model plays MiniWoB++ pages; where it would do something worse than the oracle of the task, the
two actions are a pair. The right one of them is then performed, so that later states are worth
looking at (DAgger with an expert who steps in; arXiv 1011.0686). Something else is not yet worse:
boxes may be ticked in any order, and several shapes may be blue. So it is tried out on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from actions.space import ENDING, Action, Click, Drag, on_points
from agent.environments.browser import BrowserError
from agent.environments.miniwob import TaskError
from agent.environments.offscreen import OffscreenMiniWob
from agent.episodes.reader import Episode
from agent.learning.demonstrator import MAX_STEPS, solved
from agent.learning.harvest import SHARD_SIZE, HarvestError, allow, shard_plan
from agent.learning.likelihood import Answer
from agent.learning.oracles.page import Move
from agent.learning.oracles.tasks import ORACLES, next_move
from agent.learning.preference import Pair, PairError
from agent.learning.recorded import answers_of, picture_pixel
from agent.learning.samples import Question, write_shard
from agent.model.prompt import REMEMBERED, remembered
from agent.policies.base import Observation, Policy, PolicyError, Turn
from agent.policies.hindsight import copies
from agent.policies.local import local_policy
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point


def agrees(action: Action, move: Move) -> bool:
    """Whether an action in screen pixels is as good as the oracle's move."""
    right = move.action
    if isinstance(action, Click) and isinstance(right, Click) and move.box is not None:
        same = (action.button, action.count) == (right.button, right.count)
        return same and any(box.contains(action.point) for box in (move.box, *move.also))
    if isinstance(action, Drag) and isinstance(right, Drag) and move.box is not None:
        near = abs(action.end.x - right.end.x) + abs(action.end.y - right.end.y) <= 6
        ends = near or (move.end is not None and move.end.contains(action.end))
        return ends and any(box.contains(action.start) for box in (move.box, *move.also))
    return action == right


@dataclass(frozen=True)
class Trial:
    """A page that can be brought back to where it was, to see what comes of an action.

    Attributes:
        world: shows it.
        instruction: as its reset gave it.
        seed: of the page.
        before: what led to the state in question.
    """

    world: OffscreenMiniWob
    instruction: str
    seed: int
    before: tuple[Action, ...]

    def as_good(self, action: Action, right: Action) -> bool:
        """Whether an oracle gets as quickly to the end after `action` as after `right`.

        The page is as it was afterwards.
        """
        if isinstance(action, ENDING):
            return False
        after, least = self._left(action), self._left(right)
        self._go_back()
        return after is not None and least is not None and after <= least

    def _left(self, action: Action) -> int | None:
        """How many moves solve the page after an action; None: it is not solved."""
        self._go_back()
        self.world.perform(action)
        for count in range(MAX_STEPS):
            if self.world.reward().done:
                return count if solved(self.world) else None
            move = next_move(self.world, self.instruction, self.seed)
            if move is None:
                return None
            self.world.perform(move.action)
        return None

    def _go_back(self) -> None:
        self.world.reset(self.seed)
        for action in self.before:
            self.world.perform(action)


def corrections(
    world: OffscreenMiniWob, policy: Policy, task: str, seed: int, max_steps: int = MAX_STEPS
) -> Iterator[Pair]:
    """The pairs of one page.

    Args:
        world: open.
        policy: plays; one action per step.
        task: has an oracle.
        seed: of the page.
        max_steps: the most decisions.

    Raises:
        BrowserError: the browser has died.
        PolicyError: the policy cannot decide at all.
    """
    world.task = task
    instruction = world.reset(seed)
    turns: list[Turn] = []
    done: list[Action] = []
    performed: list[Action] = []
    for _ in range(max_steps):
        move = None if world.reward().done else next_move(world, instruction, seed)
        if move is None:
            return
        frame = world.screen.grab()
        decision = policy.decide(Observation(instruction, frame, tuple(turns)))
        if decision.step is None or next_move(world, instruction, seed) != move:
            continue  # nothing to compare with, or the page changed meanwhile
        (written,) = decision.step.actions
        did = on_points(written, decision.map.to_screen)
        trial = Trial(world, instruction, seed, tuple(performed))
        right = agrees(did, move) or trial.as_good(did, move.action)
        if not right:
            yield _pair(instruction, frame, done, move, on_points(written, _pixels(decision.map)))
        performed.append(move.action)
        if world.perform(move.action) or copies(move.action):
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
    chosen = Question(asked, move.action, move.box, earlier, also=move.also, end=move.end)
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
    with OffscreenMiniWob() as world:
        for path, task, part in shard_plan(tasks, seeds, folder):
            if not path.exists():
                found = [pair for seed in part for pair in corrections(world, policy, task, seed)]
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
    except (HarvestError, TaskError, BrowserError, PolicyError) as error:
        raise SystemExit(f"corrections: {error}") from error


if __name__ == "__main__":
    typer.run(main)
