"""Letters are counted where they are, and pages are the same for everybody."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from agent.learning.reading import (
    HEIGHTS,
    _spelled,
    evaluate_reading,
    page_of_height,
    to_json,
    to_rich,
    total,
)
from agent.learning.samples import Glyphs
from agent.model.kimi_vl import KimiVL
from tests.agent.lettering import GRID, letters
from tests.agent.tiny import tiny_config


def test_pages_repeat_and_are_full_of_letters() -> None:
    for height in (HEIGHTS[0], HEIGHTS[-1]):
        pixels, glyphs = page_of_height(height, 0)
        again, same = page_of_height(height, 0)
        assert np.array_equal(pixels, again)
        assert glyphs.chars == same.chars
        assert len(glyphs.chars) > 100
    assert len(page_of_height(9, 0)[1].chars) > len(page_of_height(16, 0)[1].chars)


def test_a_network_that_always_says_the_same_letter_is_right_as_often_as_it_occurs() -> None:
    model = KimiVL(tiny_config()).eval()
    model.initialize(1)
    assert model.reader is not None
    with torch.no_grad():
        model.reader.proj.weight.zero_()
        model.reader.proj.bias.zero_()
        model.reader.proj.bias.view(model.reader.shape)[:, ord("e") - 31] = 1
    readings = evaluate_reading(model, 1)
    pages = [page_of_height(height, 0)[1].chars for height in HEIGHTS]
    assert [one.letters for one in readings] == [len(chars) for chars in pages]
    es = sum(chars.count("e") for chars in pages)
    assert 0.9 * es <= total(readings).right <= es  # some have no slot left in their patch
    assert to_json(readings)["spelled"] is None
    assert to_rich(readings).row_count == len(HEIGHTS) + 1


def test_the_letter_tower_is_read_within_a_cell_of_where_a_letter_has_its_centre() -> None:
    tower = letters((8, 4, "a"), (8, 20, "b"), (8, 30, "c"))
    for shift, right in ((0, 3), (1, 3), (2, 0)):
        centers = 2 * np.array([(4, 8), (20, 8), (30, 8)], np.float32) + 2 * shift
        assert _spelled(tower, Glyphs("abc", centers), GRID) == right
    assert _spelled(tower, Glyphs("ax", np.array([(8, 16), (40, 16)], np.float32)), GRID) == 1


def test_a_network_with_a_letter_tower_is_told_how_much_it_spells() -> None:
    config = tiny_config()
    model = KimiVL(replace(config, vision=replace(config.vision, letter_blocks=1))).eval()
    model.initialize(1)
    for one in evaluate_reading(model, 1):
        assert one.spelled is not None
        assert 0 <= one.spelled <= one.letters


def test_a_network_that_cannot_read_is_refused() -> None:
    with pytest.raises(ValueError, match="no"):
        evaluate_reading(KimiVL(tiny_config(pointing=False)), 1)
