"""A model that acts in demonstrations now and then, so that its own mistakes come into the data.

What an oracle says in the states to which a learner's own mistakes lead is what it has to learn:
DAgger (Ross et al. 2011, arXiv 1011.0686).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from actions.space import ENDING, Action, on_points
from agent.model.prompt import REMEMBERED, remembered
from agent.policies.base import Observation, Policy, Turn
from agent.policies.local import local_policy
from vision.frame import Frame
from vision.image import KIMI_VL, prepare


class Learner:
    """Decides as a policy does.

    Args:
        policy: one action per step.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    @classmethod
    def load(cls, folder: Path) -> Learner:
        """The model in a folder.

        Raises:
            CheckpointError: there is none.
        """
        return cls(local_policy(folder))

    def act(self, instruction: str, frame: Frame, done: Sequence[Action]) -> Action | None:
        """What it would do, in screen pixels; None where it would end or says nothing readable.

        Args:
            instruction: what the page asks for.
            frame: the page as it is.
            done: actions with a visible effect before, in screen pixels.

        Raises:
            PolicyError: the policy cannot decide at all.
        """
        space = prepare(frame, KIMI_VL).map
        texts = [remembered(on_points(action, space.to_model)) for action in done[-REMEMBERED:]]
        turns = tuple(Turn(None, text) for text in texts)
        decision = self._policy.decide(Observation(instruction, frame, turns))
        if decision.step is None:
            return None
        action = on_points(decision.step.actions[0], decision.map.to_screen)
        return None if isinstance(action, ENDING) else action
