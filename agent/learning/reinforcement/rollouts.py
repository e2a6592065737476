"""Episodes of the embedded model on MiniWoB++ pages without a display."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random

from actions.space import ENDING, Action, on_points
from agent.environments.browser import BrowserError
from agent.environments.offscreen import OffscreenMiniWob
from agent.learning.demonstrator import solved
from agent.learning.harvest import FIRST_EVALUATION_SEED
from agent.learning.likelihood import Answer
from agent.learning.recorded import picture_pixel
from agent.learning.reinforcement.exploring import exploring
from agent.learning.reinforcement.returns import Trajectory
from agent.learning.samples import Question
from agent.learning.settings import Reinforcement
from agent.model.engine import Engine
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import REMEMBERED, embedded_tokenizer
from agent.policies.base import Observation, Policy, Turn
from agent.policies.local import EmbeddedPolicy
from vision.frame import Frame
from vision.geometry import Box

_NO_EFFECT = "nothing changed"
"""What the policy hears about such an action; it only matters that there is something to tell."""


def pages(lessons: Reinforcement, seed: int, update: int) -> Iterator[tuple[str, int]]:
    """(task, seed of the page) of each group of an update; the arguments decide."""
    random = Random(f"{seed}:{update}")
    for number in range(lessons.groups):
        task = lessons.tasks[(update * lessons.groups + number) % len(lessons.tasks)]
        yield task, random.randrange(FIRST_EVALUATION_SEED)


def play_groups(
    world: OffscreenMiniWob,
    model: KimiVL,
    directory: Path,
    lessons: Reinforcement,
    pages: Iterable[tuple[str, int]],
) -> list[Trajectory]:
    """Every page `lessons.size` times; the reward is 1 at the end of an episode that solved it.

    An episode whose browser dies is played again on a new one; when that fails too, it counts as
    one without decisions that earned nothing.

    Args:
        world: open.
        model: plays.
        directory: the model folder that it came from, for the record.
        lessons: how to play.
        pages: (task, seed) of each group.
    """
    policy = EmbeddedPolicy(Engine(model, embedded_tokenizer()), directory)
    trajectories = []
    for task, seed in pages:
        for number in range(lessons.size):
            draws = Random(f"{task}:{seed}:{number}").getrandbits(48)
            with exploring(model, draws, lessons.temperature):
                trajectories.append(_played(world, policy, task, seed, lessons.max_steps))
    return trajectories


def _played(
    world: OffscreenMiniWob, policy: Policy, task: str, seed: int, max_steps: int
) -> Trajectory:
    for _ in range(2):
        try:
            return play(world, policy, task, seed, max_steps)
        except BrowserError:
            world.restart()
    return Trajectory((), (), f"{task}-{seed}")


def play(
    world: OffscreenMiniWob, policy: Policy, task: str, seed: int, max_steps: int
) -> Trajectory:
    """One episode, as the agent's loop would play it; an answer that cannot be read ends it.

    Raises:
        BrowserError: the browser has died.
        PolicyError: the policy cannot decide at all.
    """
    world.task = task
    instruction = world.reset(seed)
    answers: list[Answer] = []
    turns: list[Turn] = []
    done: list[Action] = []
    while len(turns) < max_steps and not world.reward().done:
        seen = world.screen.grab()
        decision = policy.decide(Observation(instruction, seen, tuple(turns)))
        if decision.step is None:
            break
        (written,) = decision.step.actions
        pointed = on_points(written, partial(picture_pixel, space=decision.map))
        answers.append(_answer(instruction, seen, pointed, done))
        if isinstance(written, ENDING):
            break
        effect = world.perform(on_points(written, decision.map.to_screen))
        turns.append(Turn(None, decision.text, "" if effect else _NO_EFFECT))
        done += [pointed] if effect else []
    rewards = (0.0,) * (len(answers) - 1) + (float(solved(world)),) if answers else ()
    return Trajectory(tuple(answers), rewards, f"{task}-{seed}")


def _answer(instruction: str, seen: Frame, action: Action, done: Sequence[Action]) -> Answer:
    frame = Frame(seen.pixels, Box(0, 0, seen.width, seen.height))
    asked = " ".join(instruction.split())
    return Answer(frame, Question(asked, action, None, tuple(done[-REMEMBERED:])))
