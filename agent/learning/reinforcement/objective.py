"""What policy-gradient methods minimise."""

from __future__ import annotations

from torch import Tensor


def policy_loss(new: Tensor, old: Tensor, advantages: Tensor, clip: float | None = None) -> Tensor:
    """Minus the expected advantage, as a function of the policy that is trained.

    -mean(min(r A, clamp(r, 1 - clip, 1 + clip) A)) with r = exp(new - old) (PPO, arXiv 1707.06347).
    While new = old its gradient is REINFORCE's, -A grad log pi (Williams 1992).

    Args:
        new: (N,) log-likelihoods under the policy that is trained.
        old: (N,) those under the policy that acted.
        advantages: (N,) how much better than expected each decision was.
        clip: how far the ratio may go from 1 before it stops paying; None means any distance.
    """
    ratio = (new - old).exp()
    gain = ratio * advantages
    if clip is not None:
        gain = gain.minimum(ratio.clamp(1 - clip, 1 + clip) * advantages)
    return -gain.mean()


def leash(new: Tensor, reference: Tensor) -> Tensor:
    """How far the policy is from its reference: an estimate of KL(policy || reference), >= 0.

    mean(exp(d) - d - 1) with d = reference - new, over decisions of the policy itself: unbiased,
    never negative (Schulman 2020, "Approximating KL divergence", estimator k3; GRPO has it).

    Args:
        new: (N,) log-likelihoods under the policy that is trained.
        reference: (N,) those under the reference.
    """
    apart = reference - new
    return (apart.exp() - apart - 1).mean()
