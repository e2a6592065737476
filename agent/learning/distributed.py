"""One training on several processes: the same script, started by `torchrun` (FSDP2).

    torchrun --nproc-per-node 2 -m agent.cli train pointing --out runs/pointing

Each process takes its share of a step's forward passes (`Recipe.accumulate` of them in all) and
holds its share of weights, gradients and moments. N processes therefore follow the loss curve of
one process that accumulates N times. Without `torchrun` nothing of this happens. Processes compute
on the CPU and talk through gloo; the stem's running statistics are those of process 0.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from agent.learning.batch import Batch
from agent.learning.losses import Scores, Weights, score
from agent.model.kimi_vl import KimiVL


@dataclass(frozen=True)
class World:
    """The processes of this training.

    Attributes:
        rank: the number of this process, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    def mean(self, passes: Sequence[dict[str, float]]) -> dict[str, float]:
        """The mean of every number over the forward passes of all processes; each must call it.

        Args:
            passes: the same names in each. But for the loss, NaN is a question that nobody asked
                and counts for nothing; what no pass asked is left out.
        """
        names = list(passes[0])
        values = torch.tensor([list(one.values()) for one in passes], dtype=torch.float64)
        asked = ~values.isnan()
        asked[:, names.index("loss")] = True
        sums = self.total(values.where(asked, 0.0).sum(0))
        counts = self.total(asked.double().sum(0))
        means = zip(names, sums.tolist(), counts.tolist(), strict=True)
        return {name: value / count for name, value, count in means if count}

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes; each of them must call it."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            dist.barrier()


def world() -> World:
    """The processes that `torchrun` started, joined on the first call; else this one alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size > 1 and not dist.is_initialized():
        dist.init_process_group("gloo")
    return World(int(os.environ.get("RANK", "0")), size)


class Scoring(nn.Module):
    """`score` as a module: FSDP gathers weights where a forward pass of a module begins."""

    def __init__(self, model: KimiVL) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, weights: Weights) -> Scores:
        """See `score`."""
        return score(self.model, batch, weights)


def spread(scoring: Scoring, among: World) -> list[nn.Parameter]:
    """Cut the weights of blocks, layers and the rest over all processes; alone: change nothing.

    Single numbers cannot be cut, and the routers' biases are not trained but counted, so both stay
    whole everywhere.

    Returns:
        Trained parameters that are whole: their gradients are for `average` to bring together.
    """
    if among.size == 1:
        return []
    mesh = init_device_mesh("cpu", (among.size,))
    uncut = {p for p in scoring.parameters() if not p.requires_grad or not p.dim()}
    model = scoring.model
    parts: list[nn.Module] = [*model.vision_tower.encoder.blocks]
    parts += [*model.language_model.model.layers, scoring]
    for part in parts:
        fully_shard(part, mesh=mesh, ignored_params=uncut)
    # An expert or a head that no token of this process needed still has its part in the mean.
    scoring.set_reduce_scatter_unused_params(True)  # type: ignore[operator]  # an FSDP module now
    return [parameter for parameter in uncut if parameter.requires_grad]


def average(parameters: Iterable[nn.Parameter], among: World) -> None:
    """Give every process the mean of the gradients that all have found."""
    for parameter in parameters:
        found = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        parameter.grad = among.total(found) / among.size


def clip_gradients(parameters: Iterable[nn.Parameter], most: float, among: World) -> float:
    """Scale gradients down to a norm of `most`; the norm before, of all processes together."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    cut = [g.to_local() for g in gradients if isinstance(g, DTensor)]
    uncut = [g for g in gradients if not isinstance(g, DTensor)]
    square = among.total(_square(cut)) + _square(uncut)
    norm = float(square.sqrt())
    for gradient in cut + uncut:
        gradient.mul_(min(1.0, most / (norm + 1e-6)))
    return norm


def _square(tensors: Iterable[Tensor]) -> Tensor:
    """The sum of all squares."""
    return sum((t.float().square().sum() for t in tensors), torch.zeros(()))


def whole(tensor: Tensor) -> Tensor:
    """The full tensor of a share; every process must call it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def like(value: Tensor, parameter: Tensor) -> Tensor:
    """A full tensor, cut as a parameter is when it has its shape."""
    if isinstance(parameter, DTensor) and value.shape == parameter.shape:
        return distribute_tensor(value, parameter.device_mesh, parameter.placements)
    return value


def whole_state(model: nn.Module) -> dict[str, Tensor]:
    """All weights of a network by name, whole; every process must call it."""
    return {name: whole(tensor) for name, tensor in model.state_dict().items()}
