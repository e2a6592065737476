"""A policy that is told what to do by somebody who sees behind the screen: an upper bound."""

from __future__ import annotations

from collections.abc import Iterator

from actions import dialects
from actions.space import Action, Finished, Step
from agent.policies.base import Decision, Observation, Policy
from vision.geometry import CoordinateMap, Size


class OraclePolicy(Policy):
    """Does what it is handed, one action a step, and finishes.

    Args:
        actions: in pixels of the screen that is seen; each is asked for when its step begins.
    """

    def __init__(self, actions: Iterator[Action]) -> None:
        self._actions = actions

    def decide(self, observation: Observation) -> Decision:
        """The next action."""
        frame = observation.frame
        size = Size(frame.width, frame.height)
        step = Step("", (next(self._actions, Finished()),))
        text = dialects.render(step, "uitars-absolute")
        return Decision(text, CoordinateMap(frame.box, size, size), step)

    def describe(self) -> dict[str, str]:
        """What it is."""
        return {"policy": "oracle", "dialect": "uitars-absolute"}
