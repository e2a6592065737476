"""Who plays demonstrations: an oracle that is made to err now and then, and says what is right.

Some actions are replaced by plausible wrong ones, or by what a learner would do. They are
performed, but what a state is labelled with is always the oracle's own action there, so the data
shows how to get back on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from actions.backends.x11 import X11Backend
from actions.executor import Executor
from actions.receipt import Outcome
from actions.settle import Patience
from actions.space import Action, Direction, Scroll
from agent.environments.miniwob import MiniWob, Pages
from agent.environments.offscreen import OffscreenMiniWob
from agent.learning.harvest import look, read_labels
from agent.learning.learner import Learner
from agent.learning.mistakes import mistake
from agent.learning.oracles.page import Move
from agent.learning.oracles.tasks import next_move
from agent.learning.oracles.variations import other_instruction
from agent.learning.samples import Question, Sample
from agent.learning.scores import GEOMETRY, GEOMETRY_REWARD
from agent.policies.hindsight import copies
from vision.geometry import Box

NOISE = 0.12
"""So many actions are mistakes."""

VARIATIONS = 3
"""Other instructions for one picture, at most."""

MAX_STEPS = 40
"""An episode that is not over by then is not learned from."""

_PATIENCE = Patience(still=0.03, quiet=0.06, reaction=0.2, blink=0)
"""Pages of this benchmark answer at once; waiting longer would only cost time."""


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
