"""The gridworld: its screen, its moves, and what the Bellman equations say about it."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from actions.space import Click, Wait
from agent.environments.base import StepLimit
from agent.environments.gridworld import Cell, Grid, Gridworld, cell_at
from agent.learning.reinforcement.bellman import (
    action_values,
    greedy,
    optimal_values,
    policy_values,
)
from vision.geometry import Point


def click(cell: Cell) -> Click:
    return Click(Point(cell[1] * 14 + 7, cell[0] * 14 + 7))


def place(seen: object, world: Gridworld, grid: Grid) -> Cell:
    digests = [one.frame.digest for one in world.screens()]
    return grid.states[digests.index(seen.frame.digest)]  # type: ignore[attr-defined]


def test_the_values_are_those_of_the_textbook() -> None:
    """Russell and Norvig, Artificial Intelligence, figure 17.3: step -0.04, exits +1 and -1."""
    grid = Grid(pit=-1)
    values = optimal_values(grid.tabular())
    assert values.round(3).tolist() == [
        0.812, 0.868, 0.918, 0.762, 0.660, 0.705, 0.655, 0.611, 0.388,
    ]  # fmt: skip


def test_no_policy_is_better_than_the_optimal_one() -> None:
    world = Grid().tabular()
    best = optimal_values(world, 0.9)
    np.testing.assert_allclose(policy_values(world, greedy(world, best, 0.9), 0.9), best)
    np.testing.assert_allclose(action_values(world, best, 0.9).max(1), best)
    rng = np.random.default_rng(1)
    for _ in range(20):
        policy = rng.dirichlet(np.ones(world.rewards.shape[1]), len(best))
        assert (policy_values(world, policy, 0.9) <= best + 1e-9).all()


def test_a_policy_that_walks_for_ever_earns_nothing_finite() -> None:
    world = Grid().tabular()
    stay = np.zeros(world.rewards.shape)
    stay[:, 5] = 1  # a click on the wall changes nothing
    assert (policy_values(world, stay) == -np.inf).all()


def test_a_click_on_a_neighbour_moves_there() -> None:
    grid = Grid(slip=0)
    world = Gridworld(grid)
    start = place(world.reset(3), world, grid)
    row, column = start
    around = [(row, column + 1), (row, column - 1), (row + 1, column), (row - 1, column)]
    target = next(cell for cell in around if grid.kind(cell) == ".")
    transition = world.step(click(target))
    assert place(transition.observation, world, grid) == target
    assert (transition.reward, transition.terminated) == (grid.step, False)


@pytest.mark.parametrize("action", [click((1, 1)), click((2, 3)), Wait()])
def test_what_is_no_move_only_costs(action: Click | Wait) -> None:
    grid = Grid(slip=0)
    world = Gridworld(grid)
    seed = next(s for s in range(99) if place(world.reset(s), world, grid) == (0, 0))
    before = world.reset(seed)
    after = world.step(action)
    assert after.observation.frame.digest == before.frame.digest
    assert after.reward == grid.step


def test_the_goal_and_the_pit_end_the_episode() -> None:
    grid = Grid(slip=0)
    world = Gridworld(grid)
    seed = next(s for s in range(99) if place(world.reset(s), world, grid) == (0, 2))
    world.reset(seed)
    assert world.step(click((0, 3))).terminated
    world.reset(seed)
    world.step(click((1, 2)))
    pit = world.step(click((1, 3)))
    assert (pit.terminated, pit.reward) == (True, -1.0)


def test_a_seed_decides_everything() -> None:
    def rewards() -> list[float]:
        world, random = StepLimit(Gridworld(Grid()), 8), Random(4)
        world.reset(7)
        cells = [random.choice(Grid().cells) for _ in range(8)]
        return [world.step(click(cell)).reward for cell in cells]

    assert rewards() == rewards()


def test_slips_are_as_likely_as_the_table_says() -> None:
    grid = Grid()
    assert grid.outcomes((2, 1), (2, 2)) == ((0.8, (2, 2)), (0.1, (2, 1)), (0.1, (2, 1)))
    table = grid.tabular()
    ends = table.chances.sum(2)
    assert ((ends > -1e-12) & (ends < 1 + 1e-12)).all()
    assert cell_at(Point(55, 13)) == (0, 3)
