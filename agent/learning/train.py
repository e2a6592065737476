"""The training loop: one process, resumable at any step, the same loss curve after a resume.

    eyehand train pointing --data DIR --out runs/pointing

Checkpoints hold no pickle: weights and optimiser state are safetensors, the rest is JSON.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from agent.learning.batch import Batch, collate
from agent.learning.losses import score
from agent.learning.recipe import Recipe, embedded_config
from agent.learning.stream import Stream, data_hash
from agent.model import checkpoint
from agent.model.config import KimiVLConfig
from agent.model.decoder import Router
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import embedded_tokenizer

Metrics = dict[str, float]

NOT_HIDDEN = (
    "embed_tokens.weight",
    "lm_head.weight",
    "reader.proj.weight",
    "gate.weight",
    "quoter.embed.weight",
    "quoter.places.weight",
)
"""Matrices that are not maps between hidden states."""


class TrainingError(RuntimeError):
    """Training cannot go on: a loss that is not finite, a checkpoint that does not fit."""


class Batches(IterableDataset[Batch]):
    """Collated batches from a given one on, made in a worker process beside the training."""

    def __init__(self, stream: Stream, first: int, size: int) -> None:
        super().__init__()
        self.stream, self.first, self.size = stream, first, size

    def __iter__(self) -> Iterator[Batch]:
        tokenizer = embedded_tokenizer()
        for samples in self.stream.batches(self.first, self.size):
            yield collate(samples, tokenizer)


@dataclass
class Trainer:
    """A model, its optimiser and where the run stands.

    Attributes:
        recipe: what to do.
        out: the run's folder.
        shards: harvested data, may be empty.
        start: model folder to begin from, None for random weights; parts that it lacks are new.
        shape: of the network, that of the embedded model by default.
        step: optimiser steps done.
        model: trained in place.
    """

    recipe: Recipe
    out: Path
    shards: tuple[Path, ...] = ()
    start: Path | None = None
    shape: KimiVLConfig = field(default_factory=embedded_config)
    step: int = 0

    def __post_init__(self) -> None:
        """Build model and optimiser; continue from the folder if it has a checkpoint."""
        torch.manual_seed(self.recipe.seed)
        self.model = KimiVL(self.shape)
        self.model.initialize(self.recipe.seed)
        self.model.vision_tower.encoder.gradient_checkpointing = self.recipe.checkpointing
        self.model.language_model.model.gradient_checkpointing = self.recipe.checkpointing
        self.optimizers = self._optimizers()
        self._move_in()
        if (self.out / "state.json").is_file():
            self._resume()
        elif self.start is not None:
            self._begin_from(self.start)

    def run(self, report: Callable[[int, Metrics], None], save_every: int = 250) -> Metrics:
        """Train until the recipe's last step; returns the last metrics.

        Args:
            report: called after each step with its number (from 1) and its metrics.
            save_every: steps between checkpoints; the last step always makes one.
        """
        metrics: Metrics = {}
        batches = self._batches()
        self.model.train()
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
        """Write the checkpoint; a kill at any moment leaves the old or the new one."""
        partial = self.out / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        checkpoint.save(self.model, partial)
        save_file(self._moments(), partial / "optimizer.safetensors")
        embedded_tokenizer().save(partial)
        state = {
            "step": self.step, "recipe": self.recipe.to_json(), "data": data_hash(self.shards),
            "shards": len(self.shards),
        }  # fmt: skip
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

    def _train_step(self, batches: Iterator[Batch]) -> Metrics:
        recipe = self.recipe
        for optimizer in self.optimizers:
            optimizer.param_groups[0]["lr"] = recipe.rate_at(self.step)
        total: Metrics = {}
        for _ in range(recipe.accumulate):
            with torch.autocast("cpu", torch.bfloat16):
                scored = score(self.model, next(batches), recipe.weights)
            (scored.loss / recipe.accumulate).backward()
            for name, value in scored.metrics.items():
                total[name] = total.get(name, 0.0) + float(value) / recipe.accumulate
            self._balance()
        if not math.isfinite(total["loss"]):
            raise TrainingError(
                f"the loss is {total['loss']} at step {self.step}; the last good checkpoint is in "
                f"{self.out}: lower the rate and resume"
            )
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return {**total, "rate": recipe.rate_at(self.step), "gradient": float(norm)}

    def _balance(self) -> None:
        """Raise the bias of experts that got too few tokens and lower that of busy ones."""
        for module in self.model.modules():
            if isinstance(module, Router) and module.load is not None:
                load = module.load.float()
                module.e_score_correction_bias.data += (
                    self.recipe.balance * (load.mean() - load).sign()
                )

    def _batches(self) -> Iterator[Batch]:
        recipe = self.recipe
        stream = Stream(recipe.seed, self.shards, recipe.harvest_share, questions=recipe.questions)
        size = recipe.batch // recipe.accumulate
        data = Batches(stream, self.step * recipe.accumulate, size)
        return iter(DataLoader(data, batch_size=None, num_workers=1, prefetch_factor=4))

    def _optimizers(self) -> tuple[torch.optim.Optimizer, ...]:
        """Muon for hidden matrices, as Moonlight was trained (arXiv 2502.16982), else AdamW.

        Embeddings, output heads, kernels and vectors are AdamW's: orthogonal updates are meant for
        maps between hidden states.
        """
        recipe = self.recipe
        hidden: list[nn.Parameter] = []
        other: list[nn.Parameter] = []
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                is_map = parameter.dim() == 2 and not name.endswith(NOT_HIDDEN)
                (hidden if is_map else other).append(parameter)
        muon = torch.optim.Muon(
            hidden, recipe.rate, recipe.weight_decay, adjust_lr_fn="match_rms_adamw"
        )
        adam = torch.optim.AdamW(other, recipe.rate, (0.9, 0.98), weight_decay=0.0, fused=True)
        return muon, adam

    def _names(self) -> dict[Tensor, str]:
        return {parameter: name for name, parameter in self.model.named_parameters()}

    def _moments(self) -> dict[str, Tensor]:
        """The optimiser's state, flat, by parameter name."""
        names = self._names()
        return {
            f"{names[parameter]}:{key}": value
            for optimizer in self.optimizers
            for parameter, state in optimizer.state.items()
            for key, value in state.items()
        }

    def _begin_from(self, folder: Path) -> None:
        """Take over the weights of an earlier stage."""
        file = folder / "model.safetensors"
        if not file.is_file():
            raise TrainingError(f"expected a model folder, actually there is no {file}")
        try:
            extra = self.model.load_state_dict(load_file(file), strict=False).unexpected_keys
        except RuntimeError as error:
            raise TrainingError(f"{folder} holds another model: {error}") from error
        if extra:
            raise TrainingError(f"{folder} holds another model: it has {', '.join(extra)}")

    def _resume(self) -> None:
        state: dict[str, Any] = json.loads((self.out / "state.json").read_text())
        weights = load_file(self.out / "model.safetensors")
        try:
            self.model.load_state_dict(weights)
        except RuntimeError as error:
            raise TrainingError(f"{self.out} holds another model: {error}") from error
        moments: dict[str, dict[str, Tensor]] = {}
        for key, value in load_file(self.out / "optimizer.safetensors").items():
            name, kind = key.rsplit(":", 1)
            moments.setdefault(name, {})[kind] = value
        names = self._names()
        for optimizer in self.optimizers:
            for parameter in optimizer.param_groups[0]["params"]:
                if names[parameter] in moments:
                    optimizer.state[parameter] = moments[names[parameter]]
        self.step = state["step"]
        self._forget_later_steps()

    def _forget_later_steps(self) -> None:
        """Cut from the log what came after the checkpoint: these steps are taken again."""
        log = self.out / "metrics.jsonl"
        lines = log.read_text("utf-8").splitlines(keepends=True) if log.is_file() else []
        kept = [line for line in lines if json.loads(line)["step"] <= self.step]
        log.write_text("".join(kept), "utf-8")

    def _log(self, metrics: Metrics) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        rounded = {name: round(value, 6) for name, value in metrics.items()}
        with (self.out / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"step": self.step, **rounded}) + "\n")
