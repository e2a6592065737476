"""A second look at the patches corrects what the other heads would point at."""

from __future__ import annotations

import numpy as np
import torch

from actions.space import Click
from agent.learning.batch import collate
from agent.learning.losses import Weights
from agent.learning.samples import Glyphs, Question, Sample
from agent.model.kimi_vl import KimiVL
from agent.model.pointing import Pointed, places, point
from agent.model.prompt import embedded_tokenizer
from tests.agent.tiny import learn, tiny_config, tiny_model
from vision.geometry import Box, Point

GRID = (4, 6)
CLUES = 4


def looked(model: KimiVL, states: torch.Tensor, patches: torch.Tensor) -> Pointed:
    """Without words, so that nothing but the second look tells states apart from each other."""
    head = model.second_look
    assert head is not None
    rows = torch.zeros(len(states), dtype=torch.long)
    with torch.no_grad():
        found, shifts = head(states, patches, rows, torch.zeros(len(states), 24, CLUES), GRID)
    return Pointed(found, torch.zeros(len(states), 24, 16), shifts)


def test_a_new_one_changes_nothing() -> None:
    model = KimiVL(tiny_config(words=True))
    model.initialize(0)
    seen = looked(model, torch.randn(2, 32), torch.randn(1, 24, 32))
    assert seen.shifts is not None and not seen.logits.any() and not seen.shifts.any()


def test_it_knows_who_asks_and_what_is_beside_a_patch() -> None:
    model, random = tiny_model(words=True), torch.Generator().manual_seed(1)
    states = torch.randn(2, 32, generator=random)
    patches = torch.randn(1, 24, 32, generator=random)
    mine, other = looked(model, states, patches).logits
    assert not mine.allclose(other, atol=0.01)
    patches[0, 7] += 1
    assert not looked(model, states, patches).logits[0, 0].allclose(mine[0], atol=1e-4)


def test_it_moves_places_inside_patches() -> None:
    model, states = tiny_model(words=True), torch.randn(1, 32)
    seen = looked(model, states, torch.randn(1, 24, 32))
    only, at = torch.zeros(1, dtype=torch.long), torch.tensor([3])
    still = places(model, states, Pointed(seen.logits, seen.keys), at)
    moved = places(model, states, seen, at)
    assert not moved.allclose(still, atol=1e-3) and ((moved > 0) & (moved < 1)).all()
    assert point(model, states, torch.randn(1, 24, 32), only, GRID).shifts is None  # no words


def test_training_reaches_it() -> None:
    """Left of a mark or right of it, as the instruction says: the mark may be anywhere."""
    tokenizer, random = embedded_tokenizer(), np.random.default_rng(0)
    model = tiny_model(words=True)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("second_look" in name)
    samples = []
    for _ in range(4):
        pixels = np.full((84, 112, 3), 255, np.uint8)
        column, row = (int(n) for n in random.integers(1, (7, 6)))
        pixels[row * 14 : row * 14 + 14, column * 14 : column * 14 + 14] = (200, 0, 0)
        asked = tuple(
            Question(
                text, Click(Point(x, row * 14 + 7)), Box(x - 6, row * 14, x + 6, row * 14 + 14)
            )
            for text, x in (("left", column * 14 - 7), ("right", column * 14 + 21))
        )
        samples.append(Sample(pixels, asked, Glyphs("", np.zeros((0, 2), np.float32))))
    batch = collate(samples, tokenizer)
    scored = learn(model, batch, Weights(text=0, read=0, spell=0), "point_loss", 0.05)
    assert scored.metrics["point_right"] == 1
