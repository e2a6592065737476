"""Visual tokens are told what is written where they look."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from actions.space import Type
from agent.learning.batch import collate
from agent.learning.losses import Weights
from agent.learning.samples import Question, Sample
from agent.learning.screens.generator import ScreenGenerator
from agent.model.config import ConfigError
from agent.model.inscriptions import Inscriptions
from agent.model.kimi_vl import Encoded, KimiVL
from agent.model.prompt import embedded_tokenizer
from agent.model.transcript import Transcript
from tests.agent.tiny import learn, tiny_config, tiny_model
from vision.frame import Frame, Pixels
from vision.geometry import Box, Point
from vision.image import prepare

SCREENS = [ScreenGenerator(3, questions=4).sample(index) for index in (3, 5)]
EMPTY = SCREENS[0].pixels * 0


@torch.no_grad()
def encoded(model: KimiVL, *screens: Pixels) -> Encoded:
    seen = [prepare(Frame(pixels, Box(0, 0, 160, 210))) for pixels in screens]
    patches = torch.cat([torch.from_numpy(each.patches) for each in seen])
    return model.encode(patches, [each.grid_hw for each in seen])


def test_each_token_is_told_of_its_own_characters() -> None:
    head, grids = Inscriptions(tiny_config(words=True), 8), ((4, 6), (2, 2))
    pages = Transcript("abcde", (0, 1, 7, 2, 23)), Transcript("fg", (3, 0))
    known = torch.randn(7, 8)
    with torch.no_grad():
        told = head(known, pages, grids)
        each = head.told(F.gelu(head.inner(known)))
    wanted = torch.zeros(7, 32)
    for character, patch in enumerate(pages[0].patches):  # the slow twin: row by row
        row, column = divmod(patch, 6)
        wanted[row // 2 * 3 + column // 2] += each[character]
    wanted[6] = each[5] + each[6]
    torch.testing.assert_close(told, wanted)
    assert told[[0, 1, 5, 6]].any(1).all() and not told[2:5].any()


def test_a_new_one_tells_nothing() -> None:
    model = KimiVL(tiny_config(words=True))
    model.initialize(0)
    told = encoded(model.eval(), SCREENS[0].pixels)
    model.inscriptions = None
    assert told.pages[0].text
    torch.testing.assert_close(told.tokens, encoded(model, SCREENS[0].pixels).tokens)


def test_pictures_do_not_hear_of_each_other() -> None:
    model = tiny_model(words=True)
    together = encoded(model, SCREENS[0].pixels, SCREENS[1].pixels)
    alone = [encoded(model, screen.pixels) for screen in SCREENS]
    torch.testing.assert_close(together.tokens, torch.cat([each.tokens for each in alone]))
    model.inscriptions = None
    assert not together.tokens.allclose(encoded(model, *(s.pixels for s in SCREENS)).tokens)


def test_where_nothing_is_written_nothing_is_told() -> None:
    model = tiny_model(words=True)
    letters = model.vision_tower.patch_embed.letters
    assert letters is not None and letters.spell.bias is not None
    letters.spell.bias.data[0] = 1e4  # it reads nothing anywhere
    told = encoded(model, EMPTY)
    assert not told.pages[0].text
    model.inscriptions = None
    torch.testing.assert_close(told.tokens, encoded(model, EMPTY).tokens)


def test_characters_know_their_own_page_only() -> None:
    """Read together, pages of different lengths are read as each by itself."""
    model = tiny_model(words=True)
    assert model.copier is not None
    patches = torch.randn(10, 32)
    pages = Transcript("ab c", (0, 1, 1, 2)), Transcript("", ()), Transcript("x" * 30, (3,) * 30)
    with torch.no_grad():
        together = model.copier.read_all(pages, patches, [0, 4, 4])
        first = model.copier.read(pages[0], patches[:4])[0]
        last = model.copier.read(pages[2], patches[4:])[0]
    torch.testing.assert_close(together, torch.cat([first, last]))


def test_training_reaches_it() -> None:
    model = tiny_model(words=True)
    question = Question("Type it", Type("ab", point=Point(20, 20)))
    batch = collate(
        [Sample(s.pixels, (question,), s.glyphs) for s in SCREENS], embedded_tokenizer()
    )
    assert model.inscriptions is not None
    before = model.inscriptions.told.weight.detach().clone()
    learn(model, batch, Weights(read=0, spell=0), "text_loss", 0.5)
    assert not model.inscriptions.told.weight.allclose(before, atol=1e-3)


def test_it_needs_a_copying_head() -> None:
    config = tiny_config(words=True)
    assert config.pointer is not None
    with pytest.raises(ConfigError, match="inscriptions needs copy_size"):
        replace(config, pointer=replace(config.pointer, copy_size=0, clues=False))
