"""What is typed is quoted from the instruction: labels, head and engine agree."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from actions.space import Type
from agent.learning.batch import IGNORE, collate
from agent.learning.looking import look
from agent.learning.losses import Weights
from agent.learning.samples import Glyphs, Question, Sample
from agent.learning.screens.dictation import FIELDS
from agent.learning.screens.generator import ScreenGenerator
from agent.model.prompt import END, answer_ids, embedded_tokenizer, instruction_ids
from agent.model.quoting import CLOSINGS, TYPING, Quotation, find_quotation, quotable, quote
from agent.model.writer import Wish, Writer
from tests.agent.tiny import learn, tiny_model

TOKENIZER = embedded_tokenizer()
NOTHING = Glyphs("", np.zeros((0, 2), np.float32))


def typed() -> list[tuple[int, Type]]:
    """Screens of the generator that ask for text, and that question's answer."""
    generator = ScreenGenerator(3, questions=4)
    samples = [generator.sample(index) for index in range(40)]
    return [
        (index, question.action)
        for index, sample in enumerate(samples)
        for question in sample.questions
        if isinstance(question.action, Type)
    ]


def test_generated_screens_ask_for_text_that_instruction_or_screen_hold() -> None:
    generator = ScreenGenerator(3, questions=4)
    found = typed()
    assert len(found) > 3
    seen = 0
    for index, action in found:
        sample = generator.sample(index)
        asked = next(q.instruction for q in sample.questions if q.action == action)
        if re.search("problem|comes out|answer", asked):
            continue  # what has to be worked out stands nowhere, see test_sums.py
        if action.text not in asked:
            seen += 1
            assert "".join(action.text.split()) in sample.glyphs.chars
        assert action.point is not None
    assert 0 < seen < len(found) / 2
    assert set(FIELDS) == {"text", "textarea"}


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=12))
def test_a_found_quotation_is_the_text(text: str) -> None:
    ids = instruction_ids(TOKENIZER, f"Enter {text} here")
    content = TOKENIZER.encode(text)
    found = find_quotation(content, ids)
    assert found is not None or any(token >= 256 for token in content)
    if found is not None:
        assert found.case == 0 and len(found) == len(content)
        assert TOKENIZER.decode(ids[found.first : found.last + 1]) == text


def test_whole_words_are_quoted_before_parts_of_words() -> None:
    ids = instruction_ids(TOKENIZER, 'Tomorrow enter "Tom" and press OK')
    assert find_quotation(TOKENIZER.encode("Tom"), ids) == Quotation(16, 18)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TOM", Quotation(6, 8, 1)),
        ("tom", Quotation(6, 8, 2)),
        ("om", Quotation(7, 8)),
        ("OM", None),
        ("tOm", None),
        ("7", Quotation(11, 11)),
    ],
)
def test_whole_words_may_be_quoted_in_other_letters(text: str, expected: Quotation | None) -> None:
    ids = instruction_ids(TOKENIZER, "enter Tom, 7")
    assert find_quotation(TOKENIZER.encode(text), ids) == expected


def test_earlier_answers_and_the_template_are_not_quoted() -> None:
    ids = instruction_ids(TOKENIZER, "Type it", ["Action: type(content='abc')"])
    assert [token for token, may in zip(ids, quotable(ids), strict=True) if may] == list(b"Type it")
    assert find_quotation(TOKENIZER.encode("abc"), ids) is None


def test_no_text_loss_is_taken_of_quoted_bytes_but_of_all_else() -> None:
    generator = ScreenGenerator(3, questions=4)
    index, action = typed()[0]
    sample = generator.sample(index)
    batch = collate([sample], TOKENIZER)
    place = next(
        k for k, token in enumerate(batch.quote_tokens.tolist())
        if batch.ids[0, token + 1] == TOKENIZER.encode(action.text)[0]
    )  # fmt: skip
    token = int(batch.quote_tokens[place])
    assert batch.ids[0, token] == TOKENIZER.encode(TYPING)[0]
    size = len(TOKENIZER.encode(action.text))
    assert batch.labels[0, token : token + size].tolist() == [IGNORE] * size
    assert batch.labels[0, token - 1] == batch.ids[0, token]
    assert batch.labels[0, token + size] == batch.ids[0, token + size + 1]
    first, last = int(batch.quote_starts[place]) - 1, int(batch.quote_ends[place])
    asked = batch.asked[batch.quote_asked[place]]
    assert TOKENIZER.decode(asked[first : last + 1].tolist()) == action.text


def test_a_text_that_the_instruction_lacks_is_written_freely() -> None:
    ids = instruction_ids(TOKENIZER, "What is 3 + 4?")
    assert find_quotation(TOKENIZER.encode("7"), ids) is None
    answer = answer_ids(TOKENIZER, Type("7"))
    assert TOKENIZER.encode(TYPING)[0] in answer


def test_each_closing_is_one_token() -> None:
    assert all(len(TOKENIZER.encode(closing)) == 1 for closing in CLOSINGS)


def test_a_quotation_is_the_whole_text_on_any_weights() -> None:
    typing = TOKENIZER.encode(TYPING)[0]
    instruction = 'Enter "Rex" and press OK'
    asked = instruction_ids(TOKENIZER, instruction)
    closings = {TOKENIZER.encode(closing)[0] for closing in CLOSINGS}
    quoted = 0
    for seed in range(8):
        model = tiny_model(seed)
        logits = torch.randn(TOKENIZER.vocab_size, generator=torch.Generator().manual_seed(seed))
        state = torch.randn(
            model.config.text.hidden_size, generator=torch.Generator().manual_seed(seed)
        )
        assert model.quoter is not None
        text = TOKENIZER.decode(quote(model.quoter, state, asked))
        writer = Writer(model, TOKENIZER, Wish(64, asked=asked), None)
        writer.ids.append(typing)
        if text:
            quoted += 1
            assert text.lower() in instruction.lower()
            assert TOKENIZER.decode(writer.write(state, logits)) == text
            assert writer.write(state, logits)[0] in closings
    assert quoted > 3


def test_the_head_learns_in_which_letters_to_quote() -> None:
    model = tiny_model()
    assert model.quoter is not None
    blank = np.zeros((84, 84, 3), np.uint8)
    asked = ("Enter Tom in small letters.", "Enter Tom in capitals.", "Enter Tom.")
    typed = ("tom", "TOM", "Tom")
    questions = [Question(a, Type(b), None) for a, b in zip(asked, typed, strict=True)]
    batch = collate([Sample(blank, tuple(questions), NOTHING)], TOKENIZER)
    assert batch.quote_cases.tolist() == [2, 1, 0]
    learn(model, batch, Weights(text=0, point=0, offset=0, read=0), "quote_loss", 0.01)
    states = look(model, batch).states
    for k, text in enumerate(typed):
        ids = instruction_ids(TOKENIZER, asked[k])
        state = states[batch.quote_rows[k], batch.quote_tokens[k]]
        assert TOKENIZER.decode(quote(model.quoter, state, ids)) == text


def test_the_head_learns_to_quote_and_the_engine_reads_the_same_span() -> None:
    model = tiny_model()
    assert model.quoter is not None
    generator = ScreenGenerator(3, questions=4)
    samples = [generator.sample(index) for index in dict(typed())][:4]
    batch = collate(samples, TOKENIZER)
    scored = learn(model, batch, Weights(text=0, point=0, offset=0, read=0), "quote_loss", 0.05)
    assert scored.metrics["quote_right"] == 1
    states = look(model, batch).states
    for k in range(len(batch.quote_rows)):
        ids = batch.asked[batch.quote_asked[k]].tolist()
        state = states[batch.quote_rows[k], batch.quote_tokens[k]]
        first, last = int(batch.quote_starts[k]) - 1, int(batch.quote_ends[k])
        end = TOKENIZER.special(END)
        assert quote(model.quoter, state, ids[: ids.index(end) + 1]) == ids[first : last + 1]
