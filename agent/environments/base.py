"""The contract of every environment: reset with a seed, act, see what became of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from actions.space import Action
from agent.policies.base import Observation


@dataclass(frozen=True)
class Transition:
    """What one action led to.

    Attributes:
        observation: what is seen now.
        reward: what this action earned, -1..1.
        terminated: the task is over.
        truncated: a limit of ours is reached; the task would go on.
    """

    observation: Observation
    reward: float
    terminated: bool
    truncated: bool = False


class Environment(ABC):
    """Something to act in, one episode after the other. Not thread-safe.

    Actions have their points in screen pixels of the observed frame's box.
    """

    @abstractmethod
    def reset(self, seed: int) -> Observation:
        """Begin an episode; the same seed gives the same one."""

    @abstractmethod
    def step(self, action: Action) -> Transition:
        """Act once; call `reset` first, and again after the episode is over."""


class StepLimit(Environment):
    """Truncates every episode of another environment after so many steps."""

    def __init__(self, environment: Environment, max_steps: int) -> None:
        self._environment = environment
        self._max_steps = max_steps
        self._steps = 0

    def reset(self, seed: int) -> Observation:
        """Begin an episode, counting from zero."""
        self._steps = 0
        return self._environment.reset(seed)

    def step(self, action: Action) -> Transition:
        """Act once; the last step that is allowed is truncated unless it ends the task."""
        transition = self._environment.step(action)
        self._steps += 1
        over = self._steps >= self._max_steps and not transition.terminated
        return replace(transition, truncated=transition.truncated or over)
