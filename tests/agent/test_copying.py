"""What is typed is copied from the screen: labels, head and writer agree."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from actions.space import Type
from agent.learning.batch import IGNORE, Batch, collate
from agent.learning.likelihood import Answer, likelihoods
from agent.learning.looking import Look, copied, look
from agent.learning.losses import Weights
from agent.learning.samples import Glyphs, Question, Sample
from agent.learning.screens.generator import ScreenGenerator
from agent.model.config import ConfigError
from agent.model.copying import copy, counts, find_copies
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import embedded_tokenizer, instruction_ids
from agent.model.quoting import TYPING
from agent.model.transcript import Transcript, transcribe
from agent.model.writer import Wish, Writer
from tests.agent.lettering import page
from tests.agent.tiny import learn, tiny_config, tiny_model
from vision.frame import Frame
from vision.geometry import Box, Point
from vision.image import prepare

TOKENIZER = embedded_tokenizer()
Learned = tuple[KimiVL, Batch, list[str]]

NOTHING = Glyphs("", np.zeros((0, 2), np.float32))
PIXELS = ScreenGenerator(3, questions=4).sample(3).pixels


def plain(text: str) -> Transcript:
    return Transcript(text, (0,) * len(text))


def words_read(model: KimiVL) -> list[str]:
    """Words that stand once on the screen, to the tower's mind: its own reading is the truth."""
    text = transcribe(model.encode(*_prepared()).lines[0]).text
    found = [word for word in text.split() if len(word) > 2 and not {"'", "\\"} & {*word}]
    once = [word for word in found if len(find_copies(word, plain(text))) == 1]
    return sorted(once, key=len)


def _prepared() -> tuple[torch.Tensor, list[tuple[int, int]]]:
    prepared = prepare(Frame(PIXELS, Box(0, 0, 160, 210)))
    return torch.from_numpy(prepared.patches), [prepared.grid_hw]


def batch_of(*texts: str) -> Batch:
    questions = tuple(
        Question(f"Type number {number}", Type(text, point=Point(20, 20)))
        for number, text in enumerate(texts)
    )
    return collate([Sample(PIXELS, questions, NOTHING)], TOKENIZER)


def test_whole_words_are_copied_before_parts_and_spaces_do_not_count() -> None:
    assert find_copies("Tom", plain("Tomorrow Tom")) == ((9, 11),)
    assert find_copies("Tom", plain("Tomorrow")) == ((0, 2),)
    assert find_copies("x", plain("ax x\nx")) == ((3, 3), (5, 5))
    assert find_copies("x", plain("ax")) == ()
    assert find_copies("New York", plain("New\tYo rk")) == ((0, 8),)
    assert find_copies("", plain("a")) == find_copies("  ", plain("a")) == ()


def test_a_misread_text_is_where_something_alike_stands() -> None:
    assert find_copies("Christianity", plain("Wu\nChrstianity")) == ((3, 13),)
    assert find_copies("Williston", plain("from Wi1lisston to")) == ((5, 14),)
    assert find_copies("Kerr", plain("Ker Kerr")) == ((4, 7),)  # what is right goes first
    assert find_copies("Kerr", plain("Koor")) == find_copies("Kerr", plain("")) == ()


def test_short_numbers_and_open_ends_are_written_freely() -> None:
    assert find_copies("14", plain("14 - 3 =")) == () != find_copies("1914", plain("in 1914"))
    assert find_copies("rm ", plain("rm it")) == () != find_copies("rm", plain("rm it"))


@given(st.text("abc ", min_size=3, max_size=9), st.text("abcx \n", max_size=30))
def test_what_is_alike_takes_few_edits(text: str, read: str) -> None:
    for first, last in find_copies(text.strip(), plain(read)):
        piece, wanted = ("".join(said.split()) for said in (read[first : last + 1], text))
        rows = range(len(wanted) + 1)
        edits = list(rows)
        for index, char in enumerate(piece, 1):  # Levenshtein's distance, the textbook's way
            before, edits = edits, [index]
            for row in rows[1:]:
                changed = before[row - 1] + (char != wanted[row - 1])
                edits.append(min(changed, before[row] + 1, edits[row - 1] + 1))
        assert edits[-1] <= len(wanted) // 4


def test_words_are_counted_in_their_block() -> None:
    text = "a bc\nd\n\ne f"
    before, after = counts(text)
    letters = [index for index, char in enumerate(text) if not char.isspace()]
    assert [before[index] for index in letters] == [0, 1, 1, 2, 0, 1]
    assert [after[index] for index in letters] == [2, 1, 1, 0, 1, 0]


@given(st.text("ab \t\n", max_size=30))
def test_every_character_is_counted(text: str) -> None:
    before, after = counts(text)
    assert len(before) == len(after) == len(text)
    first = 0
    for block in text.split("\n\n"):
        for index in range(first, first + len(block)):
            if not text[index].isspace():
                assert before[index] + after[index] == len(block.split()) - 1
        first += len(block) + 2


def test_a_head_needs_a_tower() -> None:
    config = tiny_config(words=True)
    assert config.pointer is not None
    with pytest.raises(ConfigError, match="copy_size"):
        replace(
            config,
            vision=replace(config.vision, letter_blocks=0),
            pointer=replace(config.pointer, word_heads=0, look_size=0, clues=False),
        )


def test_no_text_loss_is_taken_of_what_is_copied_but_of_all_else() -> None:
    model = tiny_model(words=True)
    word, *_ = words_read(model)
    batch = batch_of(word, "nowhere on it")
    seen = look(model, batch)
    assert [bool(copy.spans) for copy in seen.copies] == [True, False]
    (here, there), (row, _) = batch.quote_tokens.tolist(), batch.quote_rows.tolist()
    assert seen.labels[row, here : here + len(word)].tolist() == [IGNORE] * len(word)
    assert seen.labels[row, here + len(word)] == batch.labels[row, here + len(word)]
    assert seen.labels[row, there:].equal(batch.labels[row, there:])
    assert batch.labels[row, here] != IGNORE


@pytest.fixture(scope="module")
def learned() -> Learned:
    """A network that has learned to copy two words and to write a third text itself."""
    model = tiny_model(words=True)
    chosen = [*words_read(model)[:2], "nowhere on it"]
    batch = batch_of(*chosen)
    model.vision_tower.requires_grad_(False)  # else it would read something else each time
    learn(model, batch, Weights(text=0, point=0, offset=0, read=0), "copy_loss", 0.1)
    return model.eval(), batch, chosen


def test_the_head_learns_to_copy_and_the_writer_types_the_same_text(learned: Learned) -> None:
    model, batch, (one, other, _) = learned
    assert model.copier is not None
    with torch.no_grad():
        seen = look(model, batch)
        likely, right = copied(model, batch, seen)
    assert right.all() and (likely > -0.3).all()
    (lines,) = seen.encoded.lines
    states = [seen.states[0, token] for token in batch.quote_tokens]
    assert [
        copy(model.copier, state, transcribe(lines), seen.encoded.patches) for state in states
    ] == [one, other, ""]
    assert _written(model, seen, states[0]) == one


def _written(model: KimiVL, seen: Look, state: torch.Tensor) -> str:
    """What the writer types after the instruction, which it quotes nothing of."""
    model = deepcopy(model)
    assert model.quoter is not None
    model.quoter.nothing.data += 1e3 * model.quoter.first(state).detach()
    prepared = prepare(Frame(PIXELS, Box(0, 0, 160, 210)))
    asked = instruction_ids(TOKENIZER, "Type number 0")
    writer = Writer(model, TOKENIZER, Wish(64, asked=asked), (prepared, seen.encoded))
    writer.ids.append(TOKENIZER.encode(TYPING)[0])
    return TOKENIZER.decode(writer.write(state, torch.zeros(TOKENIZER.vocab_size)))


def test_the_likelihood_of_an_answer_knows_what_is_copied(learned: Learned) -> None:
    model, _, (one, other, _) = learned
    frame = Frame(PIXELS, Box(0, 0, 160, 210))
    right, wrong = (
        Answer(frame, Question("Type number 0", Type(text, point=Point(20, 20))))
        for text in (one, other)
    )
    with torch.no_grad():
        found = likelihoods(model, [right, wrong], TOKENIZER).log_probs
    assert found[0] > found[1] + 1


def test_a_page_without_letters_is_copied_from_by_nobody() -> None:
    model = tiny_model(words=True)
    assert model.copier is not None
    empty = transcribe(page())
    assert copy(model.copier, torch.zeros(32), empty, torch.zeros(18, 32)) == ""
