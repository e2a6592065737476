"""The engine against its slow twin, and what its caches promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from actions.dialects import parse
from agent.model.engine import ContextError, Engine
from agent.model.generate import greedy
from agent.model.job import Picture
from agent.model.prompt import (
    BOX_START,
    END,
    embedded_tokenizer,
    instruction_ids,
    screen_ids,
)
from tests.agent.tiny import tiny_model
from vision.frame import Frame
from vision.geometry import Box
from vision.image import prepare

TOKENIZER = embedded_tokenizer()


def picture(seed: int = 0, width: int = 90, height: int = 60) -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    frame = Frame(pixels, Box(0, 0, width, height))
    return Picture(prepare(frame), frame.digest)


def _visual(seen: Picture) -> int:
    rows, columns = seen.prepared.grid_hw
    return rows * columns // 4


def prompt_for(seen: Picture, instruction: str) -> list[int]:
    return screen_ids(TOKENIZER, _visual(seen)) + instruction_ids(TOKENIZER, instruction)


@pytest.mark.parametrize("stem", [True, False])
def test_cached_decoding_equals_running_everything_again(stem: bool) -> None:
    model, seen = tiny_model(1, pointing=False, stem=stem), picture()
    ids = prompt_for(seen, "Click on OK")
    patches, grids = torch.from_numpy(seen.prepared.patches), [seen.prepared.grid_hw]
    expected = greedy(model, ids, patches, grids, max_tokens=12)
    made = Engine(model, TOKENIZER).generate(ids, [seen], max_tokens=12)
    assert list(made.ids) == expected


def test_a_prompt_that_shares_its_screen_is_not_computed_again() -> None:
    model, seen = tiny_model(2, pointing=False), picture()
    engine = Engine(model, TOKENIZER)
    engine.generate(prompt_for(seen, "Click on OK"), [seen], max_tokens=3)
    again = prompt_for(seen, "Click on Cancel")
    reused = engine.generate(again, [seen], max_tokens=8)
    fresh = Engine(model, TOKENIZER).generate(again, [seen], max_tokens=8)
    assert fresh.cached_tokens == 0
    shared = prompt_for(seen, "Click on ")
    ending = len(prompt_for(seen, "")) - len(screen_ids(TOKENIZER, _visual(seen)))
    assert reused.cached_tokens == len(shared) - ending
    assert reused.ids == fresh.ids


def test_another_picture_of_the_same_size_is_not_mistaken_for_the_first() -> None:
    model, first, second = tiny_model(3, pointing=False), picture(1), picture(2)
    engine = Engine(model, TOKENIZER)
    engine.generate(prompt_for(first, "Click"), [first], max_tokens=4)
    made = engine.generate(prompt_for(second, "Click"), [second], max_tokens=8)
    fresh = Engine(model, TOKENIZER).generate(prompt_for(second, "Click"), [second], max_tokens=8)
    assert made.ids == fresh.ids
    assert made.cached_tokens < 20  # the words before the picture, nothing of the picture


def test_breaking_off_leaves_a_sound_cache() -> None:
    model, seen = tiny_model(4, pointing=False), picture()
    engine = Engine(model, TOKENIZER)

    def leave(_: int) -> bool:
        raise ConnectionError("the client went away")

    with pytest.raises(ConnectionError):
        engine.generate(prompt_for(seen, "Click"), [seen], max_tokens=4, emit=leave)
    ids = prompt_for(seen, "Click")
    fresh = Engine(model, TOKENIZER).generate(ids, [seen], max_tokens=8)
    assert engine.generate(ids, [seen], max_tokens=8).ids == fresh.ids


def test_emit_sees_every_token_and_may_end_the_text() -> None:
    model, seen = tiny_model(5, pointing=False), picture()
    written: list[int] = []

    def take(token: int) -> bool:
        written.append(token)
        return len(written) < 3

    made = Engine(model, TOKENIZER).generate(prompt_for(seen, "x"), [seen], 50, emit=take)
    assert list(made.ids) == written
    assert len(written) == 3
    assert not made.stopped


def test_the_stop_token_is_not_part_of_the_text() -> None:
    model, seen = tiny_model(6, pointing=False), picture()
    ids = prompt_for(seen, "x")
    free = Engine(model, TOKENIZER).generate(ids, [seen], max_tokens=6)
    stopped = Engine(model, TOKENIZER).generate(ids, [seen], max_tokens=6, stop=[free.ids[2]])
    assert stopped.stopped
    assert stopped.ids == free.ids[: free.ids.index(free.ids[2])]


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000), width=st.integers(1, 200), height=st.integers(1, 200),
)  # fmt: skip
def test_every_coordinate_is_in_range_whatever_the_weights(
    seed: int, width: int, height: int
) -> None:
    model, seen = tiny_model(seed), picture(seed, width, height)
    opening = TOKENIZER.special(BOX_START)
    script = iter([*TOKENIZER.encode("Action: click(start_box='"), opening])
    closing = iter([*TOKENIZER.encode("')"), TOKENIZER.special(END)])

    def choose(_: torch.Tensor) -> int:
        return next(script, None) or next(closing)

    engine = Engine(model, TOKENIZER)
    made = engine.generate(
        prompt_for(seen, "x"), [seen], stop=[TOKENIZER.special(END)], choose=choose
    )
    step = parse(TOKENIZER.decode(made.ids), "uitars")
    seen.prepared.map.to_screen(step.actions[0].point)  # type: ignore[attr-defined]
    assert made.confidence is not None
    assert 0 < made.confidence <= 1.001


def test_a_prompt_longer_than_the_context_is_refused() -> None:
    engine = Engine(tiny_model(), TOKENIZER)
    with pytest.raises(ContextError, match=r"expected 1\.\.511 prompt tokens, actually: 600"):
        engine.generate([5] * 600)


def test_writing_ends_at_the_end_of_the_context() -> None:
    made = Engine(tiny_model(pointing=False), TOKENIZER).generate([5] * 500, max_tokens=100)
    assert len(made.ids) == 12
