"""The shape of a Kimi-VL network, in the field names of the published config.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from vision.moonvit import VisionConfig

T = TypeVar("T")


class ConfigError(ValueError):
    """A config.json that this network cannot be built from."""


@dataclass(frozen=True)
class TextConfig:
    """Shape of the Moonlight decoder; the defaults are Kimi-VL-A3B's."""

    vocab_size: int = 163840
    hidden_size: int = 2048
    num_hidden_layers: int = 27
    num_attention_heads: int = 16
    intermediate_size: int = 11264
    moe_intermediate_size: int = 1408
    n_routed_experts: int = 64
    n_shared_experts: int = 2
    num_experts_per_tok: int = 6
    first_k_dense_replace: int = 1
    routed_scaling_factor: float = 2.446
    norm_topk_prob: bool = True
    kv_lora_rank: int = 512
    qk_nope_head_dim: int = 128
    qk_rope_head_dim: int = 64
    v_head_dim: int = 128
    rope_theta: float = 800000.0
    rms_norm_eps: float = 1e-5
    max_position_embeddings: int = 131072
    int4_group: int = 0
    """Inputs that share a scale in the MLPs' 4-bit weights; 0 = weights are not quantised."""

    @property
    def qk_head_dim(self) -> int:
        """Channels of one query head: the part without position, then the rotary part."""
        return self.qk_nope_head_dim + self.qk_rope_head_dim

    @property
    def latent_size(self) -> int:
        """Values that the cache keeps per token and layer."""
        return self.kv_lora_rank + self.qk_rope_head_dim


@dataclass(frozen=True)
class PointerConfig:
    """Shape of the pointing, reading and quoting heads, which Kimi-VL does not have.

    Attributes:
        size: channels in which the pointing head compares.
        glyph_slots: letters that a patch can hold.
        glyph_classes: printable ASCII and "nothing".
        quote_size: channels of the quoting head, 0 = there is none.
        word_heads: heads that look up words on the screen, 0 = there are none; they need a quoting
            head and a letter tower.
        copy_size: channels of the copying head, 0 = there is none; it needs the same.
        look_size: channels of the second look, a multiple of 32, 0 = there is none; it needs
            `word_heads`.
        look_blocks: its blocks.
        inscriptions: whether visual tokens are told what is written where they look; needs
            `copy_size`.
        clues: whether the copying head looks for words of the instruction; needs `word_heads`.
    """

    size: int = 256
    glyph_slots: int = 3
    glyph_classes: int = 96
    quote_size: int = 0
    word_heads: int = 0
    copy_size: int = 0
    look_size: int = 0
    look_blocks: int = 2
    inscriptions: bool = False
    clues: bool = False


@dataclass(frozen=True)
class KimiVLConfig:
    """The whole network.

    Attributes:
        pointer: None for Kimi-VL itself; with it, coordinates come from a pointing head.
        int8: whether the matrices are stored in 8 bits; a network that was read has them widened.
    """

    vision: VisionConfig = field(default_factory=VisionConfig)
    text: TextConfig = field(default_factory=TextConfig)
    media_placeholder_token_id: int = 163605
    pointer: PointerConfig | None = None
    int8: bool = False

    def __post_init__(self) -> None:
        """Refuse heads that lack what they look at."""
        pointer = self.pointer
        if pointer is not None:
            _refuse_lonely(pointer)
        if pointer is None or not (pointer.word_heads or pointer.copy_size or pointer.look_size):
            return
        if not (self.vision.letter_blocks and pointer.quote_size):
            raise ConfigError(
                "word_heads and copy_size need a letter tower (letter_blocks) and a quote_size"
            )

    def to_json(self) -> dict[str, Any]:
        """The published layout, so that `from_json(to_json(c)) == c`."""
        out: dict[str, Any] = {
            "architectures": ["KimiVLForConditionalGeneration"],
            "model_type": "kimi_vl",
            "tie_word_embeddings": False,
            "media_placeholder_token_id": self.media_placeholder_token_id,
            "vision_config": {"model_type": "moonvit", **asdict(self.vision)},
            "text_config": {"model_type": "deepseek_v3", **asdict(self.text)},
        }
        if not self.text.int4_group:
            del out["text_config"]["int4_group"]
        if self.pointer is not None:
            out["pointer_config"] = asdict(self.pointer)
        if self.int8:
            out["int8"] = True
        return out

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> KimiVLConfig:
        """Read the published layout.

        Raises:
            ConfigError: another architecture, or a feature that this network does not have.
        """
        if raw.get("model_type") != "kimi_vl":
            raise ConfigError(f"model_type must be 'kimi_vl', actually: {raw.get('model_type')!r}")
        vision, text = raw.get("vision_config") or {}, raw.get("text_config") or {}
        if faults := _unsupported(text):
            raise ConfigError("unsupported text_config: " + "; ".join(faults))
        pointer = raw.get("pointer_config")
        return cls(
            vision=_known(VisionConfig, vision),
            text=_known(TextConfig, text),
            media_placeholder_token_id=raw.get("media_placeholder_token_id", 163605),
            pointer=_known(PointerConfig, pointer) if pointer else None,
            int8=bool(raw.get("int8", False)),
        )

    @classmethod
    def load(cls, directory: Path) -> KimiVLConfig:
        """Read `config.json` of a checkpoint folder."""
        return cls.from_json(json.loads((directory / "config.json").read_text("utf-8")))


def _refuse_lonely(pointer: PointerConfig) -> None:
    """Refuse parts of heads without what they add to."""
    for part, needed in (
        ("look_size", "word_heads"), ("clues", "word_heads"),
        ("clues", "copy_size"), ("inscriptions", "copy_size"),
    ):  # fmt: skip
        if getattr(pointer, part) and not getattr(pointer, needed):
            raise ConfigError(f"{part} needs {needed}")


def _known(kind: type[T], raw: Mapping[str, Any]) -> T:
    """Build a config from the keys that it knows; lists become tuples."""
    names = {f.name for f in fields(kind)}  # type: ignore[arg-type]  # always a dataclass here
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items() if k in names}
    return kind(**values)


def _unsupported(text: Mapping[str, Any]) -> list[str]:
    """Settings under which the DeepSeek-V3 family differs from Moonlight."""
    required = {
        "q_lora_rank": None, "scoring_func": "sigmoid", "topk_method": "noaux_tc", "n_group": 1,
        "topk_group": 1, "moe_layer_freq": 1, "attention_bias": False, "hidden_act": "silu",
        "rope_scaling": None,
    }  # fmt: skip
    return [
        f"{key} must be {value!r}, actually: {text[key]!r}"
        for key, value in required.items()
        if key in text and text[key] != value
    ]
