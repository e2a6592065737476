"""Eight requests at once against the same eight one after the other, in the engine."""

from __future__ import annotations

import statistics
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from _model_cases import clock, words

from agent.model.engine import Engine
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import embedded_tokenizer

COUNT, PROMPT, ANSWER = 8, 64, 32


@dataclass(frozen=True)
class Together:
    """What the engine made of the requests.

    Attributes:
        alone: tokens a second, one request after the other.
        together: tokens a second, all at once.
        read: how many times the weights of one token all eight read in a pass, if experts are
            chosen at random; memory allows a ratio of `COUNT / read`.
    """

    alone: float
    together: float
    read: float


def together(model: KimiVL, repeats: int) -> Together:
    """Medians over repetitions; every request has a prompt of its own."""
    rates: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats):
        prompts = [words(PROMPT + (turn * COUNT + n) % 7)[0].tolist() for n in range(COUNT)]
        for prompt, number in zip(prompts, range(COUNT), strict=True):
            prompt[0] = turn * COUNT + number
        for parallel, found in zip((1, COUNT), rates, strict=True):
            found.append(_rate(Engine(model, embedded_tokenizer()), prompts, parallel))
    return Together(*map(statistics.median, rates), _read(model))


def _rate(engine: Engine, prompts: list[list[int]], parallel: int) -> float:
    began = clock()
    with ThreadPoolExecutor(parallel) as pool:
        made = list(pool.map(lambda ids: engine.generate(ids, (), ANSWER), prompts))
    return sum(len(one.ids) for one in made) / (clock() - began)


def _read(model: KimiVL) -> float:
    text, one, all_of_them = model.config.text, 0.0, 0.0
    share = text.num_experts_per_tok / text.n_routed_experts
    for name, weight in model.language_model.named_parameters():
        if "embed_tokens" not in name:
            routed = ".experts." in name
            one += weight.nbytes * (share if routed else 1)
            all_of_them += weight.nbytes * (1 - (1 - share) ** COUNT if routed else 1)
    return all_of_them / one
