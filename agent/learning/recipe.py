"""What a training stage does, as one small file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.learning.losses import Weights
from agent.learning.settings import Adapters, Preference, Reinforcement
from agent.model.config import KimiVLConfig, PointerConfig, TextConfig
from agent.model.prompt import MEDIA, embedded_tokenizer
from vision.geometry import Size
from vision.moonvit import VisionConfig

RECIPES = Path(__file__).parent / "recipes"


class RecipeError(ValueError):
    """A recipe that cannot be used."""


def _focus(table: Any) -> dict[str, float]:
    if wrong := [name for name, weight in table.items() if not weight >= 0]:
        raise TypeError(f"expected weights from 0 on in [focus], actually not: {', '.join(wrong)}")
    return dict(table)


_TABLES: dict[str, Callable[[Any], Any]] = {
    "sizes": tuple,
    "focus": _focus,
    "weights": lambda table: Weights(**table),
    "adapters": lambda table: Adapters(**table),
    "preference": lambda table: Preference(**table),
    "reinforcement": lambda table: Reinforcement(**{**table, "tasks": tuple(table["tasks"])}),
}
"""How the tables of a recipe are read."""


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Recipe:
    """One stage of training.

    Attributes:
        stage: its name.
        steps: optimiser steps in all.
        batch: screens per step.
        accumulate: forward passes that a step's screens are spread over.
        rate: peak learning rate.
        warmup: steps of linear warm-up.
        decay: the last share of the steps, during which the rate falls linearly to zero.
        weight_decay: of the hidden matrices.
        clip: largest gradient norm.
        questions: per screen at most.
        letters: of a screen's questions at most, see `Stream`.
        sizes: of screens, as "160x210", taken in turn, one for each forward pass; harvested ones
            have the first size, and of larger ones a pass has fewer.
        harvest_share: share of screens that come from harvested shards when there are any.
        focus: how often the tasks of harvested shards are drawn beside others, see `Stream`.
        text_share: of the forward passes that only read pages full of text.
        balance: step of the routers' balancing bias (auxiliary-loss-free, arXiv 2408.15664).
        checkpointing: recompute activations in the backward pass.
        seed: of data and weights.
        weights: of the losses.
        learns: pattern of the names of what learns, searched for; the rest keeps its weights.
        adapters: what learns beside resting weights (LoRA); None: the weights themselves.
        preference: settings of a stage that learns from pairs, None for all other stages.
        reinforcement: settings of a stage that learns from rewards, None for all other stages.
    """

    stage: str
    steps: int
    batch: int = 16
    accumulate: int = 1
    rate: float = 1e-3
    warmup: int = 200
    decay: float = 0.2
    weight_decay: float = 0.05
    clip: float = 1.0
    questions: int = 6
    letters: int = 1000
    sizes: tuple[str, ...] = ("160x210",)
    harvest_share: float = 0.4
    focus: Mapping[str, float] = field(default_factory=dict)
    text_share: float = 0.0
    balance: float = 1e-3
    checkpointing: bool = False
    seed: int = 1
    weights: Weights = field(default_factory=Weights)
    learns: str = ""
    adapters: Adapters | None = None
    preference: Preference | None = None
    reinforcement: Reinforcement | None = None

    @classmethod
    def load(cls, stage: str) -> Recipe:
        """The recipe of a stage that ships with Eyehand, or of a TOML file.

        Raises:
            RecipeError: there is none, or it has unknown keys.
        """
        path = Path(stage) if stage.endswith(".toml") else RECIPES / f"{stage}.toml"
        if not path.is_file():
            known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
            raise RecipeError(f"no training stage {stage!r}; there are: {known}")
        raw: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        try:
            return cls(**{key: _TABLES.get(key, _same)(value) for key, value in raw.items()})
        except TypeError as error:
            raise RecipeError(f"{path}: {error}") from error

    @property
    def screen_sizes(self) -> tuple[Size, ...]:
        """`sizes` in pixels.

        Raises:
            RecipeError: one is not two whole numbers joined by an x.
        """
        matches = [re.fullmatch(r"(\d+)x(\d+)", size) for size in self.sizes]
        if not matches or None in matches:
            raise RecipeError(f'expected sizes like "160x210", actually: {self.sizes}')
        return tuple(Size(int(m[1]), int(m[2])) for m in matches if m)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the checkpoint."""
        return asdict(self)

    def rate_at(self, step: int) -> float:
        """Warm-up, plateau, linear decay: the learning rate of a step, counted from 0."""
        falling = self.steps * self.decay
        left = (self.steps - step) / falling if falling else 1.0
        return self.rate * min(1.0, (step + 1) / max(1, self.warmup), max(0.0, left))

    def with_steps(self, steps: int | None) -> Recipe:
        """The same recipe, longer or shorter; None changes nothing."""
        return self if steps is None else replace(self, steps=steps)


def embedded_config() -> KimiVLConfig:
    """The shape of the embedded model: Kimi-VL's classes, a thousandth of its size."""
    tokenizer = embedded_tokenizer()
    return KimiVLConfig(
        vision=VisionConfig(
            hidden_size=256,
            num_hidden_layers=6,
            num_attention_heads=4,
            intermediate_size=1024,
            init_pos_emb_height=32,
            init_pos_emb_width=32,
            stem_channels=(24, 64, 96),
            letter_blocks=4,
        ),
        text=TextConfig(
            vocab_size=tokenizer.vocab_size,
            hidden_size=256,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=768,
            moe_intermediate_size=192,
            n_routed_experts=8,
            n_shared_experts=1,
            num_experts_per_tok=2,
            kv_lora_rank=96,
            qk_nope_head_dim=48,
            qk_rope_head_dim=16,
            v_head_dim=64,
            rope_theta=10000.0,
            max_position_embeddings=4096,
        ),
        media_placeholder_token_id=tokenizer.special(MEDIA),
        pointer=PointerConfig(
            quote_size=128,
            word_heads=2,
            copy_size=128,
            look_size=128,
            inscriptions=True,
            clues=True,
        ),
    )
