"""The agent's side of the model benchmark: a growing episode, and the embedded model."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from agent.model.config import KimiVLConfig, TextConfig
from agent.model.engine import Engine
from agent.model.job import Generation
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import MEDIA, embedded_tokenizer
from agent.policies.base import Observation
from agent.policies.local import local_policy
from vision.frame import Frame
from vision.moonvit import VisionConfig

TURN = 256
"""Tokens that every step adds to the prompt, besides the last answer."""


@dataclass(frozen=True)
class EpisodeStep:
    """One step of an episode whose prompt grows.

    Attributes:
        step: 1 is the first.
        prompt: tokens of the whole prompt.
        computed: how many the engine computed.
        reuse_ms: milliseconds of prefill.
        fresh_ms: the same without reuse, as transformers' `generate` does it.
        same: whether both wrote the same answer.
    """

    step: int
    prompt: int
    computed: int
    reuse_ms: float
    fresh_ms: float
    same: bool


def episode(last: int = 100, repeats: int = 3) -> list[EpisodeStep]:
    """Steps 2 and `last` of an episode on a small network; times are medians over episodes."""
    model = _small_network()
    runs = [_episode(model, last, seed) for seed in range(repeats)]
    return [
        EpisodeStep(
            step=steps[0].step,
            prompt=steps[0].prompt,
            computed=steps[0].computed,
            reuse_ms=statistics.median(s.reuse_ms for s in steps),
            fresh_ms=statistics.median(s.fresh_ms for s in steps),
            same=all(s.same for s in steps),
        )
        for steps in zip(*runs, strict=True)
    ]


def _episode(model: KimiVL, last: int, seed: int) -> list[EpisodeStep]:
    engine, shown, ids = Engine(model, embedded_tokenizer()), [], []
    for step in range(1, last + 1):
        ids += [(seed * 31 + step * 17 + i * i) % 200 for i in range(TURN)]
        made = engine.generate(ids, max_tokens=4)
        if step in (2, last):
            shown.append(_compared(model, ids, step, made))
        ids += made.ids
    return shown


def _compared(model: KimiVL, ids: list[int], step: int, made: Generation) -> EpisodeStep:
    fresh = Engine(model, embedded_tokenizer()).generate(ids, max_tokens=4)
    computed = made.prompt_tokens - made.cached_tokens
    return EpisodeStep(
        step, len(ids), computed, made.prefill_ms, fresh.prefill_ms, made.ids == fresh.ids
    )


def _small_network() -> KimiVL:
    tokenizer = embedded_tokenizer()
    config = KimiVLConfig(
        vision=VisionConfig(hidden_size=64, num_hidden_layers=1, num_attention_heads=4),
        text=TextConfig(
            vocab_size=tokenizer.vocab_size,
            hidden_size=512,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=1536,
            moe_intermediate_size=384,
            n_routed_experts=8,
            n_shared_experts=1,
            num_experts_per_tok=2,
            kv_lora_rank=128,
            qk_nope_head_dim=64,
            qk_rope_head_dim=32,
            v_head_dim=64,
        ),
        media_placeholder_token_id=tokenizer.special(MEDIA),
    )
    model = KimiVL(config)
    model.initialize(0)
    return model.eval()


def embedded_latency(directory: Path | None, repeats: int) -> dict[str, float]:
    """Median milliseconds from a screen that was never seen to the parsed action, by size."""
    policy = local_policy(directory)
    out = {}
    for width, height in ((160, 210), (640, 480)):
        policy.decide(Observation("Click on OK", _screen(width, height, 999)))
        spent = []
        for number in range(repeats):
            shown = _screen(width, height, number)
            began = time.perf_counter()
            policy.decide(Observation("Click on OK", shown))
            spent.append((time.perf_counter() - began) * 1e3)
        out[f"{width}x{height}"] = statistics.median(spent)
    return out


def _screen(width: int, height: int, number: int) -> Frame:
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for row, word in enumerate(("OK", "Cancel", "Help")):
        top = 20 + row * 50 + number % 7
        draw.rectangle((20, top, 100, top + 24), "#e0e0e0", "gray")
        draw.text((32, top + 6), word, "black")
    draw.text((4, 2), f"Number {number}", "black")
    return Frame.of_image(image)
