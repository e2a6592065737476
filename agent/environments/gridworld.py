"""A gridworld drawn as a GUI: a click on a neighbouring cell moves the agent there.

The world is small enough that its optimal policy is known exactly (`tabular`, solved in
`agent.learning.reinforcement.bellman`), and its screen is pixels like every other one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from actions.space import Action, Click
from agent.environments.base import Environment, Transition
from agent.policies.base import Observation
from vision.frame import Frame
from vision.geometry import Point

Cell = tuple[int, int]
"""(row, column) from the top left."""

Floats = npt.NDArray[np.float64]

SIDE = 14
"""Pixels of a cell's side: one patch of the encoder."""

_COLOURS = {".": "white", "#": "#404040", "G": "#30b050", "P": "#d04040"}
_AGENT = "#3060d0"


@dataclass(frozen=True)
class Tabular:
    """A Markov decision process with S states and A actions.

    Attributes:
        chances: (S, A, S), the probability of each next state; all zeros where the episode ends.
        rewards: (S, A), the expected reward.
        starts: (S,), the probability of beginning there.
    """

    chances: Floats
    rewards: Floats
    starts: Floats


@dataclass(frozen=True)
class Grid:
    """What the world looks like and how it behaves.

    Attributes:
        layout: rows of "." free, "#" wall, "G" goal and "P" pit; goal and pit end the episode.
        step: reward of every click.
        goal: added on reaching the goal.
        pit: added on falling into the pit.
        slip: probability that a move goes to one side instead, half of it to either one.
    """

    layout: tuple[str, ...] = ("...G", ".#.P", "....")
    step: float = -0.04
    goal: float = 1.0
    pit: float = -0.96
    slip: float = 0.2

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell, row by row: the actions are clicks on these."""
        return tuple(
            (row, column) for row, line in enumerate(self.layout) for column in range(len(line))
        )

    @cached_property
    def states(self) -> tuple[Cell, ...]:
        """The free cells, row by row: where the agent can be while the episode runs."""
        return tuple(cell for cell in self.cells if self.kind(cell) == ".")

    def kind(self, cell: Cell) -> str:
        """What is in a cell; a wall outside the grid."""
        row, column = cell
        inside = 0 <= row < len(self.layout) and 0 <= column < len(self.layout[row])
        return self.layout[row][column] if inside else "#"

    def outcomes(self, cell: Cell, clicked: Cell) -> tuple[tuple[float, Cell], ...]:
        """(probability, next cell) of a click; one that is not on a neighbour changes nothing."""
        down, right = clicked[0] - cell[0], clicked[1] - cell[1]
        if abs(down) + abs(right) != 1:
            return ((1.0, cell),)
        moves = ((1 - self.slip, down, right), (self.slip / 2, right, down),
                 (self.slip / 2, -right, -down))  # fmt: skip
        ends = [(chance, (cell[0] + y, cell[1] + x)) for chance, y, x in moves]
        return tuple((chance, cell if self.kind(end) == "#" else end) for chance, end in ends)

    def reward(self, reached: Cell) -> float:
        """What a click that led to this cell earned."""
        return self.step + {"G": self.goal, "P": self.pit}.get(self.kind(reached), 0.0)

    def tabular(self) -> Tabular:
        """The same world as arrays; states and actions in the order of `states` and `cells`."""
        states, actions = len(self.states), len(self.cells)
        index = {cell: number for number, cell in enumerate(self.states)}
        chances, rewards = np.zeros((states, actions, states)), np.zeros((states, actions))
        for state, cell in enumerate(self.states):
            for action, clicked in enumerate(self.cells):
                for chance, end in self.outcomes(cell, clicked):
                    rewards[state, action] += chance * self.reward(end)
                    if end in index:
                        chances[state, action, index[end]] += chance
        return Tabular(chances, rewards, np.full(states, 1 / states))

    def draw(self, agent: Cell) -> Image.Image:
        """The screen with the agent in a cell."""
        size = (SIDE * max(map(len, self.layout)), SIDE * len(self.layout))
        image = Image.new("RGB", size, "#404040")
        pen = ImageDraw.Draw(image)
        for row, column in self.cells:
            left, top = column * SIDE, row * SIDE
            box = (left, top, left + SIDE - 1, top + SIDE - 1)
            pen.rectangle(box, _COLOURS[self.kind((row, column))], "#c0c0c0")
            if (row, column) == agent:
                pen.ellipse((left + 3, top + 3, left + SIDE - 4, top + SIDE - 4), _AGENT)
        return image


def cell_at(point: Point) -> Cell:
    """The cell that shows a pixel."""
    return int(point.y // SIDE), int(point.x // SIDE)


class Gridworld(Environment):
    """Walks a `Grid` by clicks; the seed decides where the agent starts and when it slips."""

    INSTRUCTION = "Go to green."

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._frames = {cell: Frame.of_image(grid.draw(cell)) for cell in grid.cells}
        self._random = Random()
        self._agent = grid.states[0]

    def reset(self, seed: int) -> Observation:
        """Put the agent into a free cell, each with the same chance."""
        self._random = Random(seed)
        self._agent = self._random.choice(self._grid.states)
        return self._look()

    def step(self, action: Action) -> Transition:
        """A click moves; every other action only costs its step."""
        if isinstance(action, Click):
            outcomes = self._grid.outcomes(self._agent, cell_at(action.point))
            chances, ends = zip(*outcomes, strict=True)
            (self._agent,) = self._random.choices(ends, chances)
        over = self._agent not in self._grid.states
        return Transition(self._look(), self._grid.reward(self._agent), terminated=over)

    def screens(self) -> tuple[Observation, ...]:
        """What is seen in each of the grid's states, in their order."""
        return tuple(Observation(self.INSTRUCTION, self._frames[c]) for c in self._grid.states)

    def _look(self) -> Observation:
        return Observation(self.INSTRUCTION, self._frames[self._agent])
