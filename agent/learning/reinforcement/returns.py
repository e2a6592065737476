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

    def earned(self, gamma: float = 1.0) -> float:
        """The sum of all rewards, later ones discounted."""
        return sum(reward * gamma**step for step, reward in enumerate(self.rewards))


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


def group_relative(trajectories: Sequence[Trajectory], gamma: float = 1.0) -> Tensor:
    """(N,): how much better than its group each decision's episode went, in standard deviations.

    (R - mean) / std over what the group earned, the same for every decision of an episode (GRPO,
    arXiv 2402.03300 section 4.1). A group whose episodes all went alike teaches nothing: 0.
    """
    groups: dict[str, list[float]] = defaultdict(list)
    for trajectory in trajectories:
        groups[trajectory.group].append(trajectory.earned(gamma))
    advantages: list[float] = []
    for trajectory in trajectories:
        totals = torch.tensor(groups[trajectory.group], dtype=torch.float64)
        spread = float(totals.std(correction=0))
        better = trajectory.earned(gamma) - float(totals.mean())
        value = better / spread if spread > 1e-6 else 0.0
        advantages += [value] * len(trajectory.answers)
    return torch.tensor(advantages)


def best_of_groups(
    trajectories: Sequence[Trajectory], solved: float, gamma: float = 1.0
) -> list[Trajectory]:
    """What rejection sampling keeps: the best episode of each group, if it earned `solved`."""
    best: dict[str, Trajectory] = {}
    for trajectory in trajectories:
        known = best.get(trajectory.group)
        mine = trajectory.earned(gamma)
        if mine >= solved and (known is None or mine > known.earned(gamma)):
            best[trajectory.group] = trajectory
    return list(best.values())


def imitation(trajectories: Sequence[Trajectory], solved: float, gamma: float = 1.0) -> Tensor:
    """(N,): advantages with which the policy gradient is that of imitating `best_of_groups`.

    Minus the mean log-likelihood of what is kept has the gradient of advantages that are the same
    for all of it and 0 for the rest.
    """
    kept = {id(one) for one in best_of_groups(trajectories, solved, gamma)}
    wanted = torch.tensor(
        [float(id(one) in kept) for one in trajectories for _ in one.answers], dtype=torch.float32
    )
    return wanted / wanted.mean() if wanted.any() else wanted
