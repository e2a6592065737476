"""The training loop: resumable at any step, the same loss curve after a resume.

    eyehand train pointing --data DIR --out runs/pointing

One process, or several (see `distributed`).

Checkpoints hold no pickle: weights and optimiser state are safetensors, the rest is JSON.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from agent.learning import lora
from agent.learning.batch import Batch, collate
from agent.learning.damage import read_step, read_tensors
from agent.learning.distributed import (
    Scoring,
    average,
    clip_gradients,
    like,
    spread,
    whole,
    whole_state,
    world,
)
from agent.learning.optimizers import optimizers
from agent.learning.precision import quick_numbers
from agent.learning.recipe import Recipe, embedded_config
from agent.learning.settings import Adapters
from agent.learning.stream import Stream, data_hash
from agent.model import checkpoint
from agent.model.checkpoint import CheckpointError
from agent.model.config import KimiVLConfig
from agent.model.decoder import Decoder, Router
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import embedded_tokenizer
from vision.moonvit import MoonVitEncoder
from vision.stem import ConvStem, LetterTower

Metrics = dict[str, float]

ADAPTERS = "adapters.safetensors"


class TrainingError(RuntimeError):
    """Training cannot go on: a loss that is not finite, a checkpoint that does not fit."""


def checkpoint_activations(model: KimiVL, on: bool) -> None:
    """Whether the backward pass computes the activations of stem, blocks and layers once more."""
    for module in model.modules():
        if isinstance(module, ConvStem | LetterTower | MoonVitEncoder | Decoder):
            module.gradient_checkpointing = on


def _rest(model: KimiVL, learns: str) -> None:
    """Let only parameters learn in whose names the pattern is found.

    Raises:
        TrainingError: there is none.
    """
    for name, parameter in model.named_parameters():
        if not re.search(learns, name):
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise TrainingError(f"the recipe lets only {learns!r} learn, which is in no name")


class Batches(IterableDataset[Batch]):
    """Collated batches from a given one on, made in a worker process beside the training."""

    def __init__(self, stream: Stream, first: int, size: int, every: int = 1) -> None:
        super().__init__()
        self.stream, self.first, self.size, self.every = stream, first, size, every

    def __iter__(self) -> Iterator[Batch]:
        tokenizer = embedded_tokenizer()
        for number in count(self.first, self.every):
            yield collate(next(self.stream.batches(number, self.size)), tokenizer)


@dataclass
class Trainer:
    """A model, its optimiser and where the run stands.

    Attributes:
        recipe: what to do.
        out: the run's folder.
        shards: harvested data, may be empty.
        start: model folder to begin from, None for random weights; parts that it lacks are new.
        shape: of the network, that of the embedded model by default.
        icons: folder of icon sets for generated screens, see `ScreenGenerator`.
        step: optimiser steps done.
        model: trained in place.
    """

    curves: ClassVar[tuple[str, ...]] = (
        "loss", "read_right", "point_right", "text_right", "idlest_expert", "busiest_expert",
    )  # fmt: skip
    """Metrics that are drawn."""

    recipe: Recipe
    out: Path
    shards: tuple[Path, ...] = ()
    start: Path | None = None
    shape: KimiVLConfig = field(default_factory=embedded_config)
    icons: Path | None = None
    step: int = 0

    def __post_init__(self) -> None:
        """Build model and optimiser; continue from the folder if it has a checkpoint."""
        self.world = world()
        self._data = data_hash(self.shards, self.icons)  # of what will be read
        if self.recipe.accumulate % self.world.size:
            raise TrainingError(
                f"expected `accumulate` to be a multiple of the {self.world.size} processes, "
                f"actually: {self.recipe.accumulate}"
            )
        torch.manual_seed(self.recipe.seed)
        self.model = KimiVL(self.shape)
        self.model.initialize(self.recipe.seed)
        checkpoint_activations(self.model, self.recipe.checkpointing)
        if self.world.rank == 0:
            self._move_in()
        self.world.wait()
        resumed = (self.out / "state.json").is_file()
        if self.recipe.adapters is not None:
            self._adapt(self.recipe.adapters, resumed)
        elif resumed:
            self._load_weights()
        elif self.start is not None:
            self._begin_from(self.start)
        _rest(self.model, self.recipe.learns)
        self.scoring = Scoring(self.model)
        self._uncut = spread(self.scoring, self.world)
        self.optimizers = optimizers(self.model, self.recipe, fused=not self._uncut)
        if resumed:
            self._resume()

    def run(self, report: Callable[[int, Metrics], None], save_every: int = 250) -> Metrics:
        """Train until the recipe's last step; returns the last metrics.

        Args:
            report: called after each step with its number (from 1) and its metrics.
            save_every: steps between checkpoints; the last step always makes one.
        """
        metrics: Metrics = {}
        batches = self._batches()
        self.model.train()
        for module in self.model.modules():
            resting = not any(p.requires_grad for p in module.parameters(recurse=False))
            if isinstance(module, nn.BatchNorm2d) and resting:
                module.eval()  # its statistics rest too
        while self.step < self.recipe.steps:
            started = time.monotonic()
            metrics = self._train_step(batches)
            self.step += 1
            metrics["screens_per_s"] = self.recipe.batch / (time.monotonic() - started)
            self._log(metrics)
            report(self.step, metrics)
            if self.step % save_every == 0 or self.step == self.recipe.steps:
                self.save()
        return metrics

    def save(self) -> None:
        """Write the checkpoint; a kill at any moment leaves the old or the new one.

        Raises:
            TrainingError: the disk is full or the folder cannot be written; the old one is whole.
        """
        weights, moments = whole_state(self.model), self._moments()
        if self.world.rank == 0:
            try:
                self._write(weights, moments)
            except (OSError, SafetensorError, CheckpointError) as error:
                raise TrainingError(
                    f"cannot write the checkpoint of step {self.step}: {error}; the one before is "
                    f"whole in {self.out}: make room and run the same command again"
                ) from error
        self.world.wait()

    def _write(self, weights: dict[str, Tensor], moments: dict[str, Tensor]) -> None:
        partial = self.out / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        if self.recipe.adapters is not None:
            save_file(lora.adapters(self.model), partial / ADAPTERS)
            weights = lora.merged(self.model)
        checkpoint.save(self.model, partial, weights)
        save_file(moments, partial / "optimizer.safetensors")
        embedded_tokenizer().save(partial)
        state = {
            "step": self.step,
            "recipe": self.recipe.to_json(),
            "data": self._data,
            "shards": len(self.shards),
        }
        (partial / "state.new").write_text(json.dumps(state, indent=1))
        (partial / "state.new").replace(partial / "state.json")
        self._move_in()

    def _move_in(self) -> None:
        """Move a checkpoint that was written to its end into place, its state last.

        A kill in the middle leaves the state behind, so the next start finishes the move.
        """
        partial = self.out / "partial"
        if (partial / "state.json").is_file():
            for file in sorted(partial.iterdir(), key=lambda f: f.name == "state.json"):
                file.replace(self.out / file.name)

    def _train_step(self, batches: Iterator[Any]) -> Metrics:
        recipe = self.recipe
        for optimizer in self.optimizers:
            optimizer.param_groups[0]["lr"] = recipe.rate_at(self.step)
        passes: list[Metrics] = []
        loads: list[Tensor] = []
        mine = recipe.accumulate // self.world.size
        for _ in range(mine):
            loss, metrics = self._scored(next(batches))
            (loss / mine).backward()
            passes.append(metrics)
            loads.append(self._loads())
        total = self.world.mean(passes)
        self._must_be_finite("loss", total["loss"])
        average(self._uncut, self.world)
        norm = clip_gradients(self.model.parameters(), recipe.clip, self.world)
        self._must_be_finite("gradient's norm", norm)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        use = self._balance(self.world.total(torch.stack(loads).sum(0)))
        return {**total, **use, "rate": recipe.rate_at(self.step), "gradient": norm}

    def _must_be_finite(self, name: str, value: float) -> None:
        """Stop before a step that would leave no usable weights behind."""
        if not math.isfinite(value):
            raise TrainingError(
                f"the {name} is {value} at step {self.step}; the last good checkpoint is in "
                f"{self.out}: lower the rate and resume"
            )

    def _scored(self, batch: Any) -> tuple[Tensor, Metrics]:
        """Loss and metrics of one forward pass."""
        with quick_numbers():
            scored = self.scoring(batch, self.recipe.weights)
        return scored.loss, {name: float(value) for name, value in scored.metrics.items()}

    def _routers(self) -> list[Router]:
        return [module for module in self.model.modules() if isinstance(module, Router)]

    def _loads(self) -> Tensor:
        """(layers, experts): tokens that each expert got in the last forward pass, if it ran."""
        loads = []
        for router in self._routers():
            load, router.load = router.load, None
            loads.append(torch.zeros_like(router.e_score_correction_bias) if load is None else load)
        return torch.stack(loads).float() if loads else torch.zeros(0, 1)

    def _balance(self, loads: Tensor) -> Metrics:
        """Raise the bias of experts that got too few tokens and lower that of busy ones.

        Args:
            loads: (layers, experts), tokens of this step.

        Returns:
            How many times its fair share the idlest and the busiest expert of any layer got.
        """
        if not loads.sum():
            return {}
        for router, load in zip(self._routers(), loads, strict=True):
            router.e_score_correction_bias.data += self.recipe.balance * (load.mean() - load).sign()
        shares = loads / loads.mean(1, keepdim=True)
        return {"idlest_expert": float(shares.min()), "busiest_expert": float(shares.max())}

    def _batches(self) -> Iterator[Any]:
        """What `_scored` takes, from the next step on."""
        recipe = self.recipe
        stream = Stream(
            recipe.seed, self.shards, recipe.harvest_share, recipe.focus, recipe.text_share,
            sizes=recipe.screen_sizes, questions=recipe.questions, letters=recipe.letters,
            icons=self.icons,
        )  # fmt: skip
        size = recipe.batch // recipe.accumulate
        first = self.step * recipe.accumulate + self.world.rank
        data = Batches(stream, first, size, self.world.size)
        return iter(DataLoader(data, batch_size=None, num_workers=1, prefetch_factor=4))

    def _names(self) -> dict[Tensor, str]:
        return {parameter: name for name, parameter in self.model.named_parameters()}

    def _moments(self) -> dict[str, Tensor]:
        """The optimiser's state, flat, by parameter name; every process must call it."""
        names = self._names()
        return {
            f"{names[parameter]}:{key}": whole(value)
            for optimizer in self.optimizers
            for parameter, state in optimizer.state.items()
            for key, value in state.items()
        }

    def _begin_from(self, folder: Path) -> None:
        """Take over the weights of an earlier stage."""
        file = folder / "model.safetensors"
        if not file.is_file():
            raise TrainingError(f"expected a model folder, actually there is no {file}")
        kept = read_tensors(file)
        try:
            extra = self.model.load_state_dict(kept, strict=False).unexpected_keys
        except RuntimeError as error:
            raise TrainingError(f"{folder} holds another model: {error}") from error
        if extra:
            raise TrainingError(f"{folder} holds another model: it has {', '.join(extra)}")

    def _adapt(self, settings: Adapters, resumed: bool) -> None:
        """Adapters beside the weights of `start`, as they are or as far as they were trained."""
        if self.start is None or self.world.size > 1:
            raise TrainingError(
                "adapters learn in one process, beside a model that is named with --from"
            )
        self._begin_from(self.start)
        where = settings.where or lora.EVERYWHERE
        lora.adapt(self.model, settings.rank, settings.alpha, where)
        if resumed:
            kept = read_tensors(self.out / ADAPTERS)
            extra = self.model.load_state_dict(kept, strict=False).unexpected_keys
            if extra or kept.keys() != lora.adapters(self.model).keys():
                raise TrainingError(f"{self.out} holds the adapters of another model")

    def _load_weights(self) -> None:
        weights = read_tensors(self.out / "model.safetensors")
        try:
            self.model.load_state_dict(weights)
        except RuntimeError as error:
            raise TrainingError(f"{self.out} holds another model: {error}") from error

    def _resume(self) -> None:
        """Take over the optimisers' state and the number of steps."""
        step = read_step(self.out / "state.json")
        moments: dict[str, dict[str, Tensor]] = {}
        for key, value in read_tensors(self.out / "optimizer.safetensors").items():
            name, kind = key.rsplit(":", 1)
            moments.setdefault(name, {})[kind] = value
        names = self._names()
        for optimizer in self.optimizers:
            for parameter in optimizer.param_groups[0]["params"]:
                kept = moments.get(names[parameter], {})
                optimizer.state[parameter] = {k: like(v, parameter) for k, v in kept.items()}
        self.step = step
        if self.world.rank == 0:
            self._forget_later_steps()

    def _forget_later_steps(self) -> None:
        """Cut from the log what came after the checkpoint: these steps are taken again."""
        log = self.out / "metrics.jsonl"
        lines = log.read_text("utf-8").splitlines(keepends=True) if log.is_file() else []
        kept = [line for line in lines if json.loads(line)["step"] <= self.step]
        log.write_text("".join(kept), "utf-8")

    def _log(self, metrics: Metrics) -> None:
        if self.world.rank:
            return
        self.out.mkdir(parents=True, exist_ok=True)
        rounded = {name: round(value, 6) for name, value in metrics.items()}
        with (self.out / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"step": self.step, **rounded}) + "\n")
