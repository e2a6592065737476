"""Policy gradients on a network: REINFORCE, with a learned baseline, group-relative, imitation.

One update takes finished episodes, says how good each decision was, and moves the network towards
the good ones, on a leash to where it began. Where episodes come from is not its business.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agent.learning.likelihood import Answer, Likelihoods, likelihoods
from agent.learning.reinforcement.objective import leash, policy_loss
from agent.learning.reinforcement.returns import (
    Trajectory,
    group_relative,
    imitation,
    monte_carlo,
)
from agent.model.kimi_vl import KimiVL
from agent.model.tokenizer import Tokenizer

VALUE_PASSES = 10
"""Gradient steps of the value head per update; it is tiny beside the network."""

Judge = Callable[[KimiVL, Sequence[Answer], Tokenizer, float], Likelihoods]
"""(network, answers, tokenizer, temperature) -> their likelihoods."""


class LearningError(RuntimeError):
    """Learning cannot go on: nothing to learn from, or a loss that is not finite."""


class Advantage(StrEnum):
    """What a decision is compared with."""

    RETURN = "return"
    """Nothing: plain REINFORCE with Monte Carlo returns."""
    BASELINE = "baseline"
    """What a learned value head expected in that state."""
    GROUP = "group"
    """The other episodes from the same start."""
    REJECTION = "rejection"
    """Nothing: the best episode of each start is imitated if it was solved (rejection sampling)."""


@dataclass(frozen=True)
class Method:
    """How to learn from episodes.

    Attributes:
        advantage: what a decision is compared with.
        rate: learning rate of the network.
        value_rate: learning rate of the value head.
        gamma: discount of later rewards.
        kl: weight of the leash to the network as it was at the beginning; 0 means no leash.
        clip: see `policy_loss`; None means no clipping.
        passes: gradient steps per update, all on the same episodes.
        largest: gradient norms above this are scaled down.
        temperature: that the episodes were sampled with.
        chunk: decisions per forward pass; memory grows with it.
        solved: what an episode must earn to be imitated by rejection sampling.
    """

    advantage: Advantage = Advantage.GROUP
    rate: float = 1e-4
    value_rate: float = 1e-2
    gamma: float = 1.0
    kl: float = 0.0
    clip: float | None = None
    passes: int = 1
    largest: float = 1.0
    temperature: float = 1.0
    chunk: int = 64
    solved: float = 1.0


class Learner:
    """A network that learns from episodes of its own.

    Args:
        model: learns.
        tokenizer: its own.
        method: how.
        judge: how likely the network finds answers; `click_likelihoods` where it can only click.
        reference: what the leash holds it to; None means as it is now.
        optimizers: of its weights; none means Adam at the method's rate.

    Attributes:
        model: trained in place, in eval mode: statistics of batches stay as they are.
        value: the baseline's head, on features that it does not change.
    """

    def __init__(
        self,
        model: KimiVL,
        tokenizer: Tokenizer,
        method: Method,
        judge: Judge = likelihoods,
        *,
        reference: KimiVL | None = None,
        optimizers: Sequence[torch.optim.Optimizer] = (),
    ) -> None:
        self.model, self.method, self._judge = model.eval(), method, judge
        self._tokenizer = tokenizer
        self._reference = (reference or copy.deepcopy(model)) if method.kl else None
        size = model.config.vision.hidden_size + model.config.text.hidden_size
        self.value = nn.Sequential(
            nn.LayerNorm(size), nn.Linear(size, 64), nn.Tanh(), nn.Linear(64, 1)
        )
        self._value_optimizer = torch.optim.Adam(self.value.parameters(), method.value_rate)
        weights = [p for p in model.parameters() if p.requires_grad]
        self._optimizers = optimizers or (torch.optim.Adam(weights, method.rate),)

    def update(self, trajectories: Sequence[Trajectory]) -> dict[str, float]:
        """Learn from episodes that the network has just played.

        Returns:
            Metrics: mean return, loss, distance to the reference, gradient norm.

        Raises:
            LearningError: no decision at all, or the loss is not finite.
        """
        answers = [answer for one in trajectories for answer in one.answers]
        if not answers:
            raise LearningError("expected episodes with decisions, actually: none to learn from")
        with torch.no_grad():
            before = self._seen(self.model, answers)
            anchor = self._seen(self._reference, answers).log_probs if self._reference else None
        returns = monte_carlo(trajectories, self.method.gamma)
        advantages = self.advantages(trajectories, returns, before.features)
        metrics: dict[str, float] = {}
        for _ in range(self.method.passes):
            metrics = self._step(answers, before, anchor, advantages, returns)
        mean = sum(one.earned() for one in trajectories) / len(trajectories)
        return {"return": mean, **metrics}

    def advantages(
        self, trajectories: Sequence[Trajectory], returns: Tensor, features: Tensor
    ) -> Tensor:
        """(N,): how good each decision was, compared as the method says."""
        match self.method.advantage:
            case Advantage.RETURN:
                return returns
            case Advantage.BASELINE:
                with torch.no_grad():
                    return returns - self.value(features.float()).squeeze(-1)
            case Advantage.GROUP:
                return group_relative(trajectories, self.method.gamma)
            case Advantage.REJECTION:
                return imitation(trajectories, self.method.solved, self.method.gamma)

    def gradient(self, answers: Sequence[Answer], old: Tensor, advantages: Tensor) -> Tensor:
        """The policy's gradient, flat: for whoever wants to know its variance."""
        self.model.zero_grad(set_to_none=True)
        new = self._seen(self.model, answers).log_probs
        policy_loss(new, old, advantages, self.method.clip).backward()
        found = [p.grad.flatten() for p in self.model.parameters() if p.grad is not None]
        self.model.zero_grad(set_to_none=True)
        return torch.cat(found)

    def _step(
        self,
        answers: Sequence[Answer],
        before: Likelihoods,
        anchor: Tensor | None,
        advantages: Tensor,
        returns: Tensor,
    ) -> dict[str, float]:
        """One gradient step, its forward passes in chunks."""
        self.model.zero_grad(set_to_none=True)
        total, apart, count = 0.0, 0.0, len(answers)
        for first in range(0, count, self.method.chunk):
            part = slice(first, first + self.method.chunk)
            share = len(answers[part]) / count
            new = self._seen(self.model, answers[part]).log_probs
            loss = policy_loss(new, before.log_probs[part], advantages[part], self.method.clip)
            if anchor is not None:
                distance = leash(new, anchor[part])
                loss = loss + self.method.kl * distance
                apart += float(distance.detach()) * share
            (loss * share).backward()
            total += float(loss.detach()) * share
        norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), self.method.largest))
        for name, value in (("loss", total), ("gradient's norm", norm)):
            if not math.isfinite(value):
                raise LearningError(f"the {name} is {value}; lower the rate and start again")
        for optimizer in self._optimizers:
            optimizer.step()
        self._expect(before.features, returns)
        return {"loss": total, "kl": apart, "gradient": norm}

    def _expect(self, features: Tensor, returns: Tensor) -> None:
        """Bring the baseline nearer to what was really earned."""
        for _ in range(VALUE_PASSES if self.method.advantage is Advantage.BASELINE else 0):
            error = F.mse_loss(self.value(features.float()).squeeze(-1), returns)
            self._value_optimizer.zero_grad(set_to_none=True)
            error.backward()
            self._value_optimizer.step()

    def _seen(self, model: KimiVL, answers: Sequence[Answer]) -> Likelihoods:
        return self._judge(model, answers, self._tokenizer, self.method.temperature)
