"""Asked words give clues to what has to be copied: on their line, or beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from actions.space import Type
from agent.learning.batch import Batch, collate
from agent.learning.looking import copied, look
from agent.learning.losses import Weights
from agent.learning.samples import Glyphs, Question, Sample
from agent.model.clues import Clues, line_numbers
from agent.model.config import ConfigError
from agent.model.lexical import Sought
from agent.model.prompt import embedded_tokenizer
from agent.model.transcript import Transcript
from tests.agent.test_copying import NOTHING, PIXELS, words_read
from tests.agent.tiny import learn, tiny_config, tiny_model
from vision.geometry import Point

PAGE = Transcript("ab cd\nef\tgh\n\nij", (0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4))


def asked_for(known: Tensor, shares: Tensor) -> Sought:
    """(W, known) and (W, L) of one instruction."""
    return Sought(known[None], torch.ones(1, len(known), dtype=torch.bool), shares[None])


def said(gain: list[float], *found: int) -> Tensor:
    """The clues when one word is asked for, which stands in these patches."""
    clues = Clues(8, 8)
    with torch.no_grad():
        clues.gain.copy_(torch.tensor(gain))
        clues.nothing.fill_(-9)  # some word is always meant
        shares = torch.zeros(1, 5)
        shares[0, list(found)] = 1
        spoken: Tensor = clues(torch.randn(8), asked_for(torch.zeros(1, 8), shares), PAGE)
    return spoken / 10


def test_a_line_that_has_the_word_is_told_of_it() -> None:
    on_line = said([0, 1, 0, 0], 2)
    wanted = [0.0] * 6 + [1.0] * 7 + [0.0] * 2
    torch.testing.assert_close(on_line, torch.tensor(wanted))
    torch.testing.assert_close(said([1, 0, 0, 0], 2), torch.tensor([0.0] * 6 + [1.0] * 3 + [0] * 6))


def test_lines_below_and_above_it_are_told_too() -> None:
    below, above = said([0, 0, 1, 0], 3), said([0, 0, 0, 1], 3)
    assert below.tolist() == pytest.approx([0] * 13 + [1] * 2)
    assert above.tolist() == pytest.approx([1] * 6 + [0] * 9)


def test_of_several_words_one_is_chosen() -> None:
    clues, state = Clues(8, 8), torch.randn(8)
    known, shares = torch.randn(2, 8), torch.tensor([[1.0, 0, 0, 0, 0], [0, 0, 1.0, 0, 0]])
    with torch.no_grad():
        clues.key.weight.zero_()
        clues.key.bias.zero_()
        clues.nothing.fill_(-99)
        even = clues(state, asked_for(known, shares), PAGE)
        clues.key.weight.copy_(torch.randn(64, 8) * 30)
        torn = clues(state, asked_for(known, shares), PAGE)
    assert float(even[0]) == pytest.approx(float(even[6])) == pytest.approx(1)
    assert abs(float(torn[0] - torn[6])) > 0.5


@given(st.text("a \t\n", max_size=30))
def test_lines_are_counted(text: str) -> None:
    breaks = [text[index : index + 2] for index in range(len(text))]
    ends = [pair[0] == "\n" and pair[1:] not in ("", "\n") for pair in breaks]
    assert line_numbers(text) == [sum(ends[:index]) for index in range(len(text))]


def asked(*pairs: tuple[str, str]) -> Batch:
    """Each text is typed when its word is asked for."""
    questions = tuple(
        Question(f"Value of {word}", Type(text, point=Point(20, 20))) for word, text in pairs
    )
    nothing: Glyphs = NOTHING
    return collate([Sample(PIXELS, questions, nothing)], embedded_tokenizer())


def test_training_reaches_them_and_no_word_is_no_clue() -> None:
    model = tiny_model(words=True)
    one, other, *_ = words_read(model)
    batch = asked((one, other), (other, one))
    assert model.copier is not None and model.copier.clues is not None
    before = [p.detach().clone() for p in model.copier.clues.parameters()]
    learn(model, batch, Weights(text=0, point=0, read=0, spell=0), "copy_loss", 0.3)
    after = list(model.copier.clues.parameters())
    assert not all(a.allclose(b) for a, b in zip(after, before, strict=True))
    with torch.no_grad():
        model.copier.clues.gain.copy_(torch.tensor([9.0, 0, 0, 0]))
        likely, _ = copied(model, batch, look(model, batch))
        model.copier.clues.gain.zero_()
        without, _ = copied(model, batch, look(model, batch))
    assert not likely.allclose(without)
    nothing = asked_for(torch.zeros(0, 8), torch.zeros(0, 5))
    assert model.copier.hint(torch.zeros(32), nothing, PAGE) is None
    assert model.copier.hint(torch.zeros(32), None, PAGE) is None


def test_they_need_words() -> None:
    config = tiny_config(words=True)
    assert config.pointer is not None
    with pytest.raises(ConfigError, match="clues needs word_heads"):
        replace(config, pointer=replace(config.pointer, word_heads=0, look_size=0))
