"""Exact values of small worlds, from the Bellman equations: the oracle for everything learned."""

from __future__ import annotations

import numpy as np

from agent.environments.gridworld import Floats, Tabular


def action_values(world: Tabular, values: Floats, gamma: float = 1.0) -> Floats:
    """(S, A): the reward of an action, and what is to come when these state values hold."""
    return world.rewards + gamma * world.chances @ values


def optimal_values(world: Tabular, gamma: float = 1.0, tolerance: float = 1e-12) -> Floats:
    """(S,): the most that can be earned from each state, by value iteration.

    V(s) = max_a [R(s, a) + gamma * sum_s' P(s' | s, a) V(s')], applied until nothing changes. The
    world must have an end that can be reached, or gamma < 1.
    """
    values = np.zeros(len(world.rewards))
    while True:
        better = action_values(world, values, gamma).max(1)
        if np.abs(better - values).max() < tolerance:
            return better
        values = better


def policy_values(world: Tabular, policy: Floats, gamma: float = 1.0) -> Floats:
    """(S,): what a policy earns from each state, exactly.

    Args:
        world: its states and actions.
        policy: (S, A), the probability of each action in each state.
        gamma: discount.

    Returns:
        The solution of V = R_pi + gamma P_pi V; minus infinity everywhere when the policy can walk
        for ever, since every step of ours costs.
    """
    chances = np.einsum("sa,sat->st", policy, world.chances)
    rewards = (policy * world.rewards).sum(1)
    if gamma == 1 and np.abs(np.linalg.matrix_power(chances, 1 << 20)).max() > 1e-3:
        return np.full(len(rewards), -np.inf)
    return np.linalg.solve(np.eye(len(rewards)) - gamma * chances, rewards)


def greedy(world: Tabular, values: Floats, gamma: float = 1.0) -> Floats:
    """(S, A): the policy that takes the best action under these values."""
    best = action_values(world, values, gamma).argmax(1)
    return np.eye(world.rewards.shape[1])[best]
