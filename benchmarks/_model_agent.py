"""The agent's side of the model benchmark: a growing episode, and the embedded model."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from _model_cases import clock
from _model_nets import DTYPE, config_of
from PIL import Image, ImageDraw

from agent.model.engine import Engine
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import MEDIA, embedded_tokenizer
from agent.policies.base import Observation, Turn, Usage
from agent.policies.engine_chat import ChatPolicy, EngineChat
from agent.policies.local import local_policy
from agent.policies.profiles import profile_named
from vision.frame import Frame
from vision.image import KIMI_VL

ANSWER = (
    "## Thought:\nThe list has moved, the entry is further down.\n\n"
    "## Action:\nScroll the list down.\n\n## Code:\n```python\npyautogui.scroll(-5)\n```"
)
"""What the model is reminded of, step after step."""


@dataclass(frozen=True)
class EpisodeSteps:
    """Some steps of one episode, the mean of each figure.

    Attributes:
        first: number of the first of them; 1 begins the episode.
        last: likewise.
        prompt: tokens of the prompt.
        computed: how many the engine computed.
        reuse_ms: milliseconds of a decision of one token, the encoder included.
        fresh_ms: the same without reuse, as transformers' `generate` does it.
    """

    first: int
    last: int
    prompt: float
    computed: float
    reuse_ms: float
    fresh_ms: float


def episode(
    layers: int, stretches: Sequence[tuple[int, int]] = ((2, 2), (4, 5), (100, 101))
) -> list[EpisodeSteps]:
    """An episode of the `kimi` profile on Kimi-VL's layer shapes: every step shows a new screen.

    The profile's memory takes two pictures out at every second step from the fourth on, so two
    steps in a row make a whole cycle. What the engine keeps is that of the step before, so only
    that one is decided besides the ones that are measured.
    """
    model, profile, image = _network(layers), profile_named("kimi"), KIMI_VL
    tokenizer = embedded_tokenizer()
    engine = Engine(model, tokenizer)
    policy = ChatPolicy(EngineChat(engine, image), profile, {})
    turns: list[Turn] = []
    decided: dict[int, tuple[Usage, float, float]] = {}
    wanted = {step for first, last in stretches for step in range(first, last + 1)}
    decisive = wanted | {first - 1 for first, _ in stretches}
    for step in range(1, max(wanted) + 1):
        seen = Observation("Find the entry", _screen(640, 480, step), tuple(turns), max_tokens=1)
        began = clock()
        made = policy.decide(seen) if step in decisive else None
        spent = clock() - began
        if made is not None and step in wanted:
            fresh = ChatPolicy(EngineChat(Engine(model, tokenizer), image), profile, {})
            began = clock()
            fresh.decide(seen)
            decided[step] = made.usage, spent * 1e3, (clock() - began) * 1e3
        turns.append(Turn(seen.frame, ANSWER))
    return [_stretch(first, last, decided) for first, last in stretches]


def _stretch(first: int, last: int, decided: dict[int, tuple[Usage, float, float]]) -> EpisodeSteps:
    steps = [decided[step] for step in range(first, last + 1)]
    usages = [usage for usage, _, _ in steps]
    return EpisodeSteps(
        first,
        last,
        prompt=statistics.mean(usage.prompt_tokens for usage in usages),
        computed=statistics.mean(u.prompt_tokens - u.cached_tokens for u in usages),
        reuse_ms=statistics.mean(spent for _, spent, _ in steps),
        fresh_ms=statistics.mean(fresh for _, _, fresh in steps),
    )


def _network(layers: int) -> KimiVL:
    tokenizer, shape = embedded_tokenizer(), config_of(layers)
    text = replace(shape.text, vocab_size=tokenizer.vocab_size)
    config = replace(shape, text=text, media_placeholder_token_id=tokenizer.special(MEDIA))
    model = KimiVL(config).to(DTYPE)
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
            began = clock()
            policy.decide(Observation("Click on OK", shown))
            spent.append((clock() - began) * 1e3)
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
