"""Episodes of clicks in an environment: the shortest way from a network to trajectories.

Only the pointing head decides here, so that what a network does in each state is a distribution
that can be read off and judged exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import torch

from actions.space import Click
from agent.environments.base import Environment
from agent.environments.gridworld import Floats, Grid, Gridworld, cell_at
from agent.learning.likelihood import Answer, click_logits
from agent.learning.reinforcement.returns import Trajectory
from agent.learning.samples import Question
from agent.model.kimi_vl import KimiVL
from agent.model.tokenizer import Tokenizer
from agent.policies.base import Observation
from vision.geometry import Point


class Clicker:
    """Clicks patches of the screen with the probabilities that a network gives them.

    Each distinct screen is looked at once; make a new one when the network has changed.

    Args:
        model: has a pointing head.
        tokenizer: the model's.
        screens: what will be seen, so that one forward pass serves them all.
    """

    def __init__(self, model: KimiVL, tokenizer: Tokenizer, screens: Sequence[Observation]) -> None:
        self._side = model.config.vision.patch_size
        with torch.no_grad():
            logits, _ = click_logits(model, screens, tokenizer)
        chances = logits.double().softmax(-1).tolist()
        self._chances = {s.frame.digest: row for s, row in zip(screens, chances, strict=True)}

    def choose(self, seen: Observation, random: Random) -> Answer:
        """A click on the centre of a patch."""
        chances = self._chances[seen.frame.digest]
        (patch,) = random.choices(range(len(chances)), chances)
        return Answer(seen.frame, Question(seen.instruction, Click(self.centre(seen, patch))))

    def centre(self, seen: Observation, patch: int) -> Point:
        """The middle of a patch, in pixels."""
        row, column = divmod(patch, seen.frame.width // self._side)
        return Point((column + 0.5) * self._side, (row + 0.5) * self._side)

    def table(self, grid: Grid, screens: Sequence[Observation], best: bool = False) -> Floats:
        """(S, A): how likely each cell is clicked in each state; `best`: all on the likeliest."""
        index = {cell: number for number, cell in enumerate(grid.cells)}
        policy = np.zeros((len(screens), len(grid.cells)))
        for state, seen in enumerate(screens):
            for patch, chance in enumerate(self._chances[seen.frame.digest]):
                policy[state, index[cell_at(self.centre(seen, patch))]] += chance
        return np.eye(len(grid.cells))[policy.argmax(1)] if best else policy


def play(
    world: Environment, policy: Clicker, seed: int, random: Random, max_steps: int = 30
) -> Trajectory:
    """One episode."""
    seen = world.reset(seed)
    answers, rewards = [], []
    for _ in range(max_steps):
        answer = policy.choose(seen, random)
        transition = world.step(answer.question.action)
        answers.append(answer)
        rewards.append(transition.reward)
        seen = transition.observation
        if transition.terminated or transition.truncated:
            break
    return Trajectory(tuple(answers), tuple(rewards), str(seed))


def teach_to_walk(
    model: KimiVL, tokenizer: Tokenizer, grid: Grid, steps: int = 60, rate: float = 3e-3
) -> float:
    """Train clicks on neighbouring cells, all alike: a random walk that knows of no goal.

    What reinforcement starts from, as it starts from a model that can point in general: from random
    weights it first learns to click the same cell everywhere, and takes long to get over it.

    Returns:
        The probability of a click on a neighbour that leads somewhere, at the end.
    """
    screens = Gridworld(grid).screens()
    wanted = torch.zeros(len(screens), len(grid.cells))
    for state, cell in enumerate(grid.states):
        for action, clicked in enumerate(grid.cells):
            beside = abs(clicked[0] - cell[0]) + abs(clicked[1] - cell[1]) == 1
            wanted[state, action] = float(beside and grid.kind(clicked) != "#")
    optimizer = torch.optim.Adam(model.eval().parameters(), rate)
    logits = torch.empty(0)
    for _ in range(steps):
        logits, _ = click_logits(model, screens, tokenizer)
        target = wanted / wanted.sum(-1, keepdim=True)
        loss = -(target * logits.log_softmax(-1)).sum(-1).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return float((logits.softmax(-1) * wanted).sum(-1).mean().detach())
