"""The letter tower: its labels, its place in the network, and how it learns alone."""

from __future__ import annotations

from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pytest
import torch

from agent.learning.batch import BESIDE, IGNORE, collate, glyph_classes, letter_cells
from agent.learning.losses import Weights, score
from agent.learning.recipe import Recipe
from agent.learning.samples import Glyphs
from agent.learning.screens.pages import text_page
from agent.learning.stream import MINIWOB, Stream
from agent.learning.train import Metrics, Trainer, TrainingError
from agent.model.config import KimiVLConfig
from agent.model.kimi_vl import KimiVL
from agent.model.pointer import PRINTABLE
from agent.model.prompt import embedded_tokenizer
from tests.agent.tiny import tiny_config
from vision.stem import LETTER_CLASSES, LetterCodes, LetterTower

TOKENIZER = embedded_tokenizer()
READING = Recipe(
    "test", steps=2, batch=2, warmup=1, text_share=1.0, learns="patch_embed.letters",
    weights=Weights(read=0.0),
)  # fmt: skip


def towered() -> KimiVLConfig:
    plain = tiny_config()
    return replace(plain, vision=replace(plain.vision, letter_blocks=2))


def whole(cells: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """(patches, cells) -> the picture that they tile."""
    return cells.unflatten(0, grid).unflatten(2, (7, 7)).transpose(1, 2).flatten(2).flatten(0, 1)


def test_a_letter_is_named_in_its_cell_and_those_above_and_below() -> None:
    glyphs = Glyphs("Ab.", np.array([[20.2, 15.0], [27.0, 15.0], [55.9, 41.9]], np.float32))
    cells = whole(letter_cells(glyphs, (3, 4)), (3, 4))
    assert cells.shape == (21, 28)
    for char, x, y, left in (("A", 10, 7, IGNORE), ("b", 13, 7, BESIDE)):
        assert (cells[y - 1 : y + 2, x] == PRINTABLE.index(char) + 1).all()
        assert (cells[y - 1 : y + 2, x - 1] == left).all()
        assert (cells[y - 1 : y + 2, x + 1] == BESIDE).all()
        assert cells[y - 2, x] == cells[y + 2, x] == IGNORE
    assert cells[20, 27] == PRINTABLE.index(".") + 1
    assert (cells[10:17, :] == 0).all() and cells[0, 0] == 0


def test_of_two_letters_beside_each_other_each_keeps_its_cell() -> None:
    glyphs = Glyphs("il", np.array([[20.0, 15.0], [22.0, 15.0]], np.float32))
    cells = whole(letter_cells(glyphs, (3, 4)), (3, 4))
    assert [PRINTABLE[int(c) - 1] for c in cells[7, 10:12]] == ["i", "l"]


def test_letters_off_the_picture_are_left_out_and_where_none_are_known_nothing_is_learned() -> None:
    off = Glyphs("ab", np.array([[-3.0, 5.0], [300.0, 5.0]], np.float32))
    assert not (letter_cells(off, (2, 2)) > 0).any()
    unread = Glyphs("", np.zeros((0, 2), np.float32))
    assert (letter_cells(unread, (2, 2)) == IGNORE).all()
    assert (glyph_classes(unread, (2, 2), 3) == IGNORE).all()


@torch.no_grad()
def test_labels_and_features_of_a_cell_lie_at_the_same_place() -> None:
    model = KimiVL(towered())
    model.initialize(0)
    batch = collate([text_page(1, MINIWOB, "train", 0)], TOKENIZER)
    letters = model.eval().vision_tower.embed(batch.patches, batch.grids)[1]
    assert letters is not None and letters.shape[:2] == batch.letters.shape
    spot = batch.patches.clone()
    spot[30, :, 4:6, 10:12] += 3.0  # cell (2, 5) of patch 30
    moved = model.vision_tower.embed(spot, batch.grids)[1]
    assert moved is not None
    change = (moved - letters).norm(dim=-1)
    assert int(change.flatten().argmax()) in {
        30 * 49 + y * 7 + x for y in (1, 2, 3) for x in (4, 5, 6)
    }


@torch.no_grad()
def test_a_letter_goes_into_the_embedding_of_its_patch_by_column_and_height() -> None:
    codes = LetterCodes(hidden=16, side=7)
    blank = torch.zeros(4, 49, LETTER_CLASSES)
    blank[..., 0] = 50.0
    shown = blank.clone()
    for patch, (row, column) in enumerate([(1, 2), (1, 3), (5, 2)]):
        shown[patch, row * 7 + column] = 0.0
        shown[patch, row * 7 + column, 40] = 50.0
    vectors = codes(shown)
    assert torch.allclose(codes(blank)[0], vectors[3])
    for one in range(4):
        assert not any(torch.allclose(vectors[one], vectors[k]) for k in range(4) if k != one)


def test_letters_are_learned_while_the_rest_rests(tmp_path: Path) -> None:
    seen: list[Metrics] = []
    trainer = Trainer(READING, tmp_path, shape=towered())
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.run(lambda _, metrics: seen.append(metrics))
    assert all(0 <= metrics["spell_right"] <= 1 and "read_right" not in metrics for metrics in seen)
    changed = {n for n, v in trainer.model.state_dict().items() if not v.equal(before[n])}
    assert any(".letters.blocks." in name for name in changed)
    assert all(".letters." in name for name in changed)


def test_a_pattern_that_names_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no such part"):
        Trainer(replace(READING, learns="no such part"), tmp_path, shape=towered())


def test_a_network_without_a_tower_has_nothing_to_spell() -> None:
    trainer = Trainer(replace(READING, learns=""), Path("unused"), shape=tiny_config())
    batch = collate([Stream(1, questions=1).sample(0)], TOKENIZER)
    metrics = score(trainer.model, batch, Weights()).metrics
    assert isnan(metrics["spell_right"]) and metrics["spell_loss"] == 0


def restless_tower() -> LetterTower:
    """A tower whose every number matters."""
    generator = torch.Generator().manual_seed(3)
    tower = LetterTower(8, blocks=3).eval()
    for name, tensor in tower.state_dict().items():
        if tensor.is_floating_point():
            tensor.normal_(0, 0.5, generator=generator)
            if name.endswith("running_var"):
                tensor.abs_().add_(0.5)
    return tower


@pytest.mark.parametrize("shape", [(1, 8, 14, 21), (3, 8, 7, 7)])
def test_a_resting_tower_says_what_its_slow_twin_says(shape: tuple[int, ...]) -> None:
    tower, features = restless_tower(), torch.randn(shape, generator=torch.Generator())
    before = features.clone()
    with torch.no_grad():
        expected = tower.forward_learning(features)
        torch.testing.assert_close(tower(features), expected, rtol=1e-5, atol=1e-5)
        wide = features.contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(tower(wide), expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(features, before)


def test_gradients_of_a_resting_tower_are_those_of_its_slow_twin() -> None:
    tower, features = restless_tower(), torch.randn(2, 8, 7, 7, requires_grad=True)
    asked = [features, *tower.parameters()]
    short, slow = (
        torch.autograd.grad(forward(features).square().mean(), asked)
        for forward in (tower, tower.forward_learning)
    )
    for one, other in zip(short, slow, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_tower_in_training_goes_by_its_batch() -> None:
    tower, features = restless_tower().train(), torch.randn(2, 8, 7, 7)
    torch.testing.assert_close(tower(features), tower.forward_learning(features))
    assert all(int(n) == 2 for name, n in tower.named_buffers() if "tracked" in name)
