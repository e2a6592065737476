"""Episodes of the embedded model on MiniWoB++ pages, played by the real agent."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

from agent.episodes.reader import Episode
from agent.learning.harvest import FIRST_EVALUATION_SEED
from agent.learning.miniwob_stage import MiniWobStage
from agent.learning.playing import BROKEN
from agent.learning.recorded import answers_of
from agent.learning.reinforcement.exploring import exploring
from agent.learning.reinforcement.returns import Trajectory
from agent.learning.settings import Reinforcement
from agent.model.engine import Engine
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import embedded_tokenizer
from agent.policies.local import EmbeddedPolicy


def pages(lessons: Reinforcement, seed: int, update: int) -> Iterator[tuple[str, int]]:
    """(task, seed of the page) of each group of an update; the arguments decide."""
    random = Random(f"{seed}:{update}")
    for number in range(lessons.groups):
        task = lessons.tasks[(update * lessons.groups + number) % len(lessons.tasks)]
        yield task, random.randrange(FIRST_EVALUATION_SEED)


def play_groups(
    stage: MiniWobStage,
    model: KimiVL,
    directory: Path,
    lessons: Reinforcement,
    pages: Iterable[tuple[str, int]],
) -> list[Trajectory]:
    """Every page `lessons.size` times; the reward is 1 at the end of an episode that solved it.

    An episode whose browser dies is played again on a new one; when that fails too, it counts as
    one without decisions that earned nothing.

    Args:
        stage: a browser, open.
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
                trajectories.append(_played(stage, policy, task, seed, lessons.max_steps))
    return trajectories


def _played(
    stage: MiniWobStage, policy: EmbeddedPolicy, task: str, seed: int, max_steps: int
) -> Trajectory:
    group = f"{task}-{seed}"
    for _ in range(2):
        with tempfile.TemporaryDirectory() as scratch:
            record = Path(scratch) / "episode"
            try:
                rollout = stage.play(policy, task, seed, max_steps, record)
            except BROKEN:
                stage.restart()
                continue
            answers = tuple(answers_of(Episode.open(record)).values())
        earned = float(rollout.solved)
        rewards = (0.0,) * (len(answers) - 1) + (earned,) if answers else ()
        return Trajectory(answers, rewards, group)
    return Trajectory((), (), group)
