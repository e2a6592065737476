"""Direct preference optimisation (DPO, arXiv 2305.18290): corrections are preferred to mistakes.

A pair is a sample of two questions about one screen that differ in their answer only: first the
correction, then the mistake. Shards of pairs are therefore shards like all others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from agent.learning.likelihood import Answer
from agent.learning.samples import Glyphs, Sample
from vision.frame import Frame
from vision.geometry import Box


class PairError(ValueError):
    """Samples that are no pairs."""


@dataclass(frozen=True)
class Pair:
    """What should have been done in a state, and what was done.

    Attributes:
        chosen: the correction.
        rejected: the mistake, about the same screen with the same instruction and history.
    """

    chosen: Answer
    rejected: Answer

    @classmethod
    def of(cls, sample: Sample) -> Pair:
        """Read a sample of a correction and a mistake.

        Raises:
            PairError: there are not two questions that differ in their answer only.
        """
        if len(sample.questions) != 2:
            raise PairError(f"expected pairs of questions, actually: {len(sample.questions)}")
        right, wrong = sample.questions
        same = replace(right, action=wrong.action, box=wrong.box) == wrong
        if right.action == wrong.action or not same:
            raise PairError(f"expected two answers to one question, actually: {right} and {wrong}")
        height, width = sample.pixels.shape[:2]
        frame = Frame(sample.pixels, Box(0, 0, width, height))
        return cls(Answer(frame, right), Answer(frame, wrong))

    def sample(self) -> Sample:
        """The pair as it is kept in a shard."""
        questions = (self.chosen.question, self.rejected.question)
        nothing = Glyphs("", np.zeros((0, 2), np.float32))
        return Sample(self.chosen.frame.pixels, questions, nothing)


def dpo_loss(
    chosen: Tensor,
    rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    beta: float,
) -> Tensor:
    """(N,): -log sigmoid(beta * (how much more the network prefers the correction than before)).

    Equation 7 of arXiv 2305.18290; all arguments are (N,) log-likelihoods of whole answers.

    Args:
        chosen: of the corrections under the network that is trained.
        rejected: of the mistakes under it.
        reference_chosen: of the corrections under the network as it was.
        reference_rejected: of the mistakes under that.
        beta: how strongly the network is held to its reference; larger holds it tighter.
    """
    margin = (chosen - reference_chosen) - (rejected - reference_rejected)
    return -F.logsigmoid(beta * margin)
