"""Episodes as learning sees them, and how good each of their decisions turned out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from agent.learning.likelihood import Answer


@dataclass(frozen=True)
class Trajectory:
    """One episode.

    Attributes:
        answers: what was decided, in order.
        rewards: what each decision earned.
        group: episodes with the same one began in the same state and can be compared.
    """

    answers: tuple[Answer, ...]
    rewards: tuple[float, ...]
    group: str

    @property
    def total(self) -> float:
        """The sum of all rewards."""
        return sum(self.rewards)


def monte_carlo(trajectories: Sequence[Trajectory], gamma: float = 1.0) -> Tensor:
    """(N,): the discounted reward from each decision on, episode after episode.

    G_t = r_t + gamma * G_(t+1) (Sutton and Barto, Reinforcement Learning, section 3.3).
    """
    returns: list[float] = []
    for trajectory in trajectories:
        later, mine = 0.0, []
        for reward in reversed(trajectory.rewards):
            later = reward + gamma * later
            mine.append(later)
        returns += reversed(mine)
    return torch.tensor(returns)


def group_relative(trajectories: Sequence[Trajectory]) -> Tensor:
    """(N,): how much better than its group each decision's episode went, in standard deviations.

    (R - mean) / std over the totals of the group, the same for every decision of an episode
    (GRPO, arXiv 2402.03300 section 4.1). A group whose episodes all went alike teaches nothing: 0.
    """
    groups: dict[str, list[float]] = defaultdict(list)
    for trajectory in trajectories:
        groups[trajectory.group].append(trajectory.total)
    advantages: list[float] = []
    for trajectory in trajectories:
        totals = torch.tensor(groups[trajectory.group], dtype=torch.float64)
        spread = float(totals.std(correction=0))
        better = trajectory.total - float(totals.mean())
        value = better / spread if spread > 1e-6 else 0.0
        advantages += [value] * len(trajectory.answers)
    return torch.tensor(advantages)


def best_of_groups(trajectories: Sequence[Trajectory], solved: float) -> list[Trajectory]:
    """What rejection sampling keeps: the best episode of each group, if it earned `solved`."""
    best: dict[str, Trajectory] = {}
    for trajectory in trajectories:
        known = best.get(trajectory.group)
        if trajectory.total >= solved and (known is None or trajectory.total > known.total):
            best[trajectory.group] = trajectory
    return list(best.values())
