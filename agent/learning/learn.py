"""Learn one's own recordings: train beside or on a model's weights, and keep what is better."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from agent.episodes.errors import EpisodeInUse
from agent.episodes.reader import Episode
from agent.learning.gate import Gate, Standing, standing
from agent.learning.lessons import LessonError, Lessons, lessons
from agent.learning.recipe import Recipe
from agent.learning.release import release
from agent.learning.settling import settle
from agent.learning.studying import StudyTrainer
from agent.learning.train import Metrics
from agent.model.config import KimiVLConfig
from agent.policies.local import EMBEDDED, local_policy

MODEL = "model"
"""Folder of the new weights, for `--model`."""
_SAVE_EVERY = 20


def learn(
    paths: Sequence[Path],
    out: Path,
    recipe: Recipe,
    start: Path = EMBEDDED,
    share: float = 0.25,
    screens: int = 100,
    report: Callable[[int, Metrics], None] = lambda step, metrics: None,
    told: Callable[[Lessons], None] = lambda taught: None,
) -> Gate:
    """Train on episodes; `out/model` is there afterwards if, and only if, it passed the gate.

    A training that was broken off goes on where it stopped when the same is asked again.

    Args:
        paths: the episodes.
        out: folder of the training and its result.
        recipe: how; its `adapters` say whether the weights themselves learn.
        start: the model to begin from, of the embedded model's kind.
        share: 0..1, how many of the episodes are held back to judge by.
        screens: how many standard screens judge, see `standing`.
        report: called after each step with its number (from 1) and its metrics.
        told: called once, before training begins, with what will be learned and what not.

    Raises:
        EpisodeError: an episode cannot be read, or `out` holds a model already.
        LessonError: there is nothing to learn from, or `start` is of another kind.
        TrainingError: training cannot go on.
        PolicyError, ConfigError: `start` holds no usable model.
    """
    if (out / MODEL).exists():
        raise EpisodeInUse(f"{out / MODEL} exists; learn into a new folder")
    taught = lessons([Episode.open(path) for path in paths], share, recipe.seed)
    told(taught)
    judges = [episode.path for episode in taught.held_out]
    shape = KimiVLConfig.load(start)
    if shape.pointer is None:
        raise LessonError(f"{start} has no pointing head; models of the embedded kind can learn")
    local_policy(start).close()  # one that cannot be judged is not trained
    training = out / "training"
    trainer = StudyTrainer(recipe, training, (), start, shape, samples=taught.samples)
    trainer.run(report, _SAVE_EVERY)
    candidate = release(training, out / "candidate")
    settle(start, candidate)
    # Both at the end: a training that is taken up again need not measure its start again.
    gate = Gate(*(_standing(model, judges, screens) for model in (start, candidate)))
    shutil.rmtree(training)
    if gate.refusal:
        shutil.rmtree(candidate)
    else:
        candidate.rename(out / MODEL)
    return gate


def _standing(model: Path, judges: Sequence[Path], screens: int) -> Standing:
    with closing(local_policy(model)) as policy:
        return standing(policy, judges, screens)
