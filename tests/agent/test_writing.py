"""Texts that stand nowhere are spelled, and have a loss of their own."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from agent.learning.batch import IGNORE
from agent.learning.looking import look
from agent.learning.losses import Weights, score
from agent.model.prompt import PIECES
from agent.model.quoting import BYTES, CLOSINGS, TYPING
from agent.model.writer import Wish, Writer
from tests.agent.test_copying import TOKENIZER, batch_of, words_read
from tests.agent.tiny import learn, tiny_model

CLOSED = TOKENIZER.encode(CLOSINGS[1])[0]


def test_only_what_stands_nowhere_counts() -> None:
    """A quotation ("number") and a copy belong to their heads, "7" and "42" to the decoder."""
    model = tiny_model(words=True)
    batch = batch_of("7", "number", words_read(model)[0], "42")
    seen = look(model, batch)
    assert len(batch.quote_texts) == 4 and int(batch.quote_starts.count_nonzero()) == 1
    logits = model.language_model.lm_head(seen.states)
    wanted = []
    for number, text in ((0, "7"), (3, "42")):
        row, token = int(batch.quote_rows[number]), int(batch.quote_tokens[number])
        ids = [*TOKENIZER.encode(text), ord("'")]
        assert seen.labels[row, token : token + len(ids)].tolist() == ids
        wanted.append(F.cross_entropy(logits[row, token : token + len(ids)], torch.tensor(ids)))
    assert wanted[0] != wanted[1]
    expected = (2 * wanted[0] + 3 * wanted[1]) / 2  # of a text, the sum of its tokens
    torch.testing.assert_close(score(model, batch, Weights()).metrics["write_loss"], expected)


def test_nobody_writes_where_all_is_quoted() -> None:
    batch = batch_of("number")
    assert (batch.labels != IGNORE).any()
    metrics = score(tiny_model(words=True), batch, Weights()).metrics
    assert metrics["write_loss"] == 0 and metrics["write_right"].isnan()


def test_it_is_learned_by_its_own_loss() -> None:
    model, batch = tiny_model(words=True), batch_of("7", "42")
    weights = Weights(text=0, point=0, offset=0, read=0, spell=0, copy=0, write=1)
    assert score(model, batch, weights).metrics["write_right"] == 0
    assert learn(model, batch, weights, "write_loss", 0.1).metrics["write_right"] == 1


def favouring(*tokens: int) -> torch.Tensor:
    """Logits: the first of these tokens is the likeliest, then the next."""
    logits = torch.zeros(TOKENIZER.vocab_size)
    logits[list(tokens)] = torch.arange(len(tokens), 0, -1).float()
    return logits


@pytest.mark.parametrize("piece", sorted({*PIECES} - {*CLOSINGS, TYPING}))
def test_no_piece_of_an_action_is_typed(piece: str) -> None:
    (token,), (typing,) = TOKENIZER.encode(piece), TOKENIZER.encode(TYPING)
    model, state = tiny_model(), torch.zeros(32)
    writer = Writer(model, TOKENIZER, Wish(64), None)
    assert writer.write(state, favouring(token)) == [token]  # outside a text it may stand
    assert writer.write(state, favouring(typing)) == [typing]
    assert token >= BYTES
    assert writer.write(state, favouring(token, ord("7"))) == [ord("7")]
    assert writer.write(state, favouring(token, CLOSED)) == [CLOSED]
    assert writer.write(state, favouring(token)) == [token]
