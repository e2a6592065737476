"""A policy that clicks anywhere: the baseline that every number is shown next to."""

from __future__ import annotations

from random import Random

from actions.dialects import render
from actions.space import Click, Step
from agent.policies.base import Decision, Observation, Policy
from vision.geometry import CoordinateMap, Point, Size


class RandomPolicy(Policy):
    """Clicks a pixel of the screen, every pixel with the same chance; repeatable by its seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = Random(seed)

    def decide(self, observation: Observation) -> Decision:
        """One click; never an error, never an end."""
        frame = observation.frame
        space = CoordinateMap(frame.box, Size(frame.width, frame.height))
        width, height = space.extent
        point = Point(self._random.uniform(0, width), self._random.uniform(0, height))
        step = Step("", (Click(Point(*map(round, point))),))
        return Decision(render(step), space, step)

    def describe(self) -> dict[str, str]:
        """Its name and seed."""
        return {"policy": "random clicks", "seed": str(self._seed)}
