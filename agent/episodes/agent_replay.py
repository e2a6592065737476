"""Agent replay: does the model decide today, from what was seen then, what was decided then?

Every step gets the recorded picture, instruction and history, whatever the model said to the step
before. With the same weights on a CPU the answers are the same to the letter; with others there is
a rate of agreement. An application is not involved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from actions import codec
from actions.dialects import RenderError, render
from actions.receipt import carried_out
from actions.space import Action, Step, on_points, points
from agent.episodes.format import StepRecord
from agent.episodes.reader import Episode
from agent.episodes.replay import Difference, lines_of
from agent.loop import PICTURES
from agent.policies.base import Decision, Observation, Policy, Turn
from vision.geometry import GeometryError, Point

NEAR = 0.02
"""Points nearer to each other than this part of the picture's diagonal name the same place."""


@dataclass(frozen=True)
class AgentReport:
    """What an agent replay found.

    Attributes:
        path: the episode.
        steps: how many were decided again.
        texts: how many answers were the same to the letter.
        actions: how many came to the same actions in whole screen pixels.
        near: which steps, in order, came to actions of the same kinds at nearly the same places.
        skipped: steps left out, since something in their text was withheld.
        same_weights: whether the recorded model is the one that decided again.
        differences: of the steps whose actions differ.
    """

    path: Path
    steps: int
    texts: int
    actions: int
    near: tuple[bool, ...]
    skipped: int
    same_weights: bool
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Every action was the same, or it was another model, which owes nothing."""
        return not (self.same_weights and self.differences)

    def __str__(self) -> str:
        model = "the same weights" if self.same_weights else "other weights"
        told = f"{self.path}: {self.steps} steps decided again by {model}"
        near = sum(self.near)
        counts = f"{self.texts} same texts, {self.actions} same actions, {near} nearly so"
        skipped = [f"{self.skipped} steps left out: withheld"] if self.skipped else []
        return "\n".join([f"{told}: {counts}", *skipped, *map(str, self.differences)])


def agent_replay(path: Path | str, policy: Policy) -> AgentReport:
    """Let a policy decide every step of an episode again.

    Raises:
        EpisodeError: the episode cannot be read.
        PolicyError: the policy cannot decide at all.
    """
    episode = Episode.open(path)
    texts = actions = 0
    near: list[bool] = []
    differences: list[Difference] = []
    whole = [step for step in episode.steps if not step.withheld]
    about = policy.describe()
    dialect = about.get("dialect", "uitars")
    for step in whole:
        decision = policy.decide(_observation(episode, step, dialect))
        then, now = _recorded(step), _decided(decision)
        texts += decision.text == step.text
        near.append(_alike(then, now, step))
        if then == now:
            actions += 1
        else:
            told = [lines_of(map(codec.to_dict, each)) or ("no action",) for each in (then, now)]
            differences.append(Difference(step.index, "decision", *told))
    weights = about.get("weights")
    same = weights is not None and weights == episode.head.policy.get("weights")
    return AgentReport(
        episode.path, len(whole), texts, actions, tuple(near),
        len(episode.steps) - len(whole), same, tuple(differences),
    )  # fmt: skip


def _observation(episode: Episode, step: StepRecord, dialect: str) -> Observation:
    """What the policy was shown at a step, the earlier ones in its own words."""
    past = episode.steps[: step.index]
    history = tuple(
        Turn(
            episode.frame(one) if step.index - one.index <= PICTURES else None,
            one.text if episode.head.dialect == dialect else _retold(one, dialect),
            one.feedback,
            carried_out(receipt.outcome for receipt in one.receipts),
        )
        for one in past
    )
    return Observation(episode.head.instruction, episode.frame(step), history)


def _retold(step: StepRecord, dialect: str) -> str:
    """A step in another dialect, such as a person's in that of a model; verbatim as a last resort.

    Only UI-TARS 1.0 can be told without knowing what size a model makes of the picture.
    """
    if dialect != "uitars" or step.error is not None:
        return step.text
    wide, high = step.map.extent

    def scaled(point: Point) -> Point:
        return Point(round(point.x * 1000 / wide), round(point.y * 1000 / high))

    actions = tuple(on_points(codec.from_dict(each), scaled) for each in step.actions)
    try:
        return render(Step("", actions), dialect)
    except RenderError:
        return step.text


def _recorded(step: StepRecord) -> tuple[Action, ...]:
    """The recorded actions in screen pixels."""
    space = step.map.restore()
    return tuple(on_points(codec.from_dict(each), space.to_screen) for each in step.actions)


def _decided(decision: Decision) -> tuple[Action, ...]:
    """The actions of a decision in screen pixels; none when it has none that fit the screen."""
    if decision.step is None:
        return ()
    try:
        return tuple(on_points(each, decision.map.to_screen) for each in decision.step.actions)
    except GeometryError:
        return ()


def _alike(then: tuple[Action, ...], now: tuple[Action, ...], step: StepRecord) -> bool:
    """The same actions but for small distances."""
    far = NEAR * math.hypot(step.frame.box.width, step.frame.box.height)
    if len(then) != len(now):
        return False
    return all(_near(one, other, far) for one, other in zip(then, now, strict=True))


def _near(one: Action, other: Action, far: float) -> bool:
    """Two actions that differ in nothing but small distances, in pixels."""
    here, there = points(one), points(other)
    if len(here) != len(there) or any(
        math.dist(a, b) > far for a, b in zip(here, there, strict=True)
    ):
        return False
    nowhere = Point(0, 0)
    return on_points(one, lambda _: nowhere) == on_points(other, lambda _: nowhere)
