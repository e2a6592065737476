"""Words of the instruction are found where they stand on the screen, in training as at run time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from actions.dialects import parse
from actions.space import Click
from agent.learning.batch import collate
from agent.learning.looking import look, point
from agent.learning.recipe import Recipe, embedded_config
from agent.learning.samples import Glyphs, Question, Sample
from agent.learning.screens.generator import ScreenGenerator
from agent.learning.stage import trainer_of
from agent.model import checkpoint
from agent.model.config import ConfigError, PointerConfig
from agent.model.engine import Engine
from agent.model.job import Picture
from agent.model.kimi_vl import KimiVL
from agent.model.lexical import (
    BETWEEN,
    INSIDE,
    MISSED,
    REACH,
    WRONG,
    Lines,
    Sought,
    _scores,
    find,
    words,
)
from agent.model.pointer import PRINTABLE
from agent.model.prompt import BOX_START, END, embedded_tokenizer, instruction_ids, screen_ids
from tests.agent.lettering import GRID, page
from tests.agent.tiny import tiny_config, tiny_model
from vision.frame import Frame
from vision.geometry import Box, Point
from vision.image import prepare

TOKENIZER = embedded_tokenizer()
NOTHING = Glyphs("", np.zeros((0, 2), np.float32))


class Script:
    """Chooses the tokens of a script, one after the other."""

    def __init__(self, tokens: list[int]) -> None:
        self._tokens = iter(tokens)

    def __call__(self, _: torch.Tensor) -> int:
        return next(self._tokens)


def shares(lines: Lines, instruction: str) -> torch.Tensor:
    """(words, rows, columns)."""
    return find(lines, words(TOKENIZER.encode(instruction + "\n"))).unflatten(1, GRID)


@example("an assistant may wait() here")  # pieces of one token
@given(st.text(max_size=40))
def test_words_lie_between_what_ends_them(text: str) -> None:
    ids = [*TOKENIZER.encode(text), TOKENIZER.special(END)]
    found = words(ids)
    spaced = bytes(32 if id in BETWEEN or id >= 256 else id for id in ids[:-1])
    assert len(found) == len([part for part in spaced.split(b" ") if part])
    for word in found:
        assert ids[word.end - 1] < 256
        assert ids[word.end] >= 256 or ids[word.end] in BETWEEN


def test_a_word_is_found_in_the_patches_where_it_stands() -> None:
    there = shares(page((3, 2, "Submit"), (17, 9, "cancel")), 'click "Submit" or CANCEL')
    click, submit, _, cancel = there
    assert (submit[0, :3] > 0.95).all() and submit[:, 3:].max() < 0.1 and submit[1:].max() < 0.1
    assert (cancel[2, 1:4] > 0.95).all() and cancel[:2].max() < 0.1
    assert click.max() < 0.1


def test_letters_that_are_read_wrong_or_missed_cost_their_share() -> None:
    (wrong,) = shares(page((3, 2, "sobmit")), "submit")
    assert wrong.max() == pytest.approx(2 * (5 + WRONG) / 6 - 1, abs=0.02)
    (missed,) = shares(page((3, 2, "submt")), "submit")
    assert missed.max() == pytest.approx(2 * (5 + MISSED) / 6 - 1, abs=0.02)
    (half,) = shares(page((3, 2, "subxyz")), "submit")
    assert half.max() == 0


def test_letters_out_of_reach_or_on_another_line_are_not_one_word() -> None:
    (far,) = shares(page((3, 0, "ab"), (3, 3 + REACH + 1, "cd")), "abcd")
    (near,) = shares(page((3, 0, "ab"), (3, 3 + REACH, "cd")), "abcd")
    (split,) = shares(page((3, 0, "ab"), (5, 6, "cd")), "abcd")
    assert near.max() > 0.95 and far.max() < 0.3 and split.max() < 0.3


def test_a_number_inside_another_is_hardly_found() -> None:
    (five,) = shares(page((3, 2, "15"), (3, 16, "5"), (3, 30, "52")), "5")
    assert five[0, 2] > 0.95 and five[0, [0, 1, 3, 4, 5]].max() == pytest.approx(
        1 - INSIDE, abs=0.02
    )
    (text,) = shares(page((3, 2, "tabs")), "tab")
    assert text[0, 0] > 0.95


def test_a_letter_stands_alone_or_is_not_found() -> None:
    (letter,) = shares(page((3, 2, "p"), (3, 9, "ship"), (3, 30, "R")), "p")
    assert letter[0, 0] > 0.95 and letter[0, 1:].max() < 0.05
    (other,) = shares(page((3, 2, "p"), (3, 9, "ship"), (3, 30, "R")), "r")
    assert other[0, 4] > 0.95


def spelled(instruction: str) -> list[str]:
    letters = (word.letters for word in words(TOKENIZER.encode(instruction + "\n")))
    return ["".join(PRINTABLE[letter - 1] for letter in each) for each in letters]


def test_a_date_is_looked_for_as_a_calendar_writes_it() -> None:
    assert spelled("Select 12/05/2016 now") == ["select", "december", "5", "2016", "now"]
    assert spelled("by 01/31/1999.") == ["by", "january", "31", "1999"]


@pytest.mark.parametrize(
    "text",
    ["13/05/2016", "0/05/2016", "12/00/2016", "12/32/2016", "12/05/16", "12 05 2016", "1/2/abcd"],
)
def test_what_is_no_date_stays_as_it_is(text: str) -> None:
    assert spelled(text) == text.replace("/", " ").split()


def test_an_empty_screen_and_an_empty_instruction_hold_nothing() -> None:
    assert shares(page(), "any words").sum() == 0
    assert shares(page((3, 2, "abc")), "").shape == (0, *GRID)


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 14))
def test_alignments_are_the_best_of_all(seed: int, letters: int, width: int) -> None:
    """Against a slow twin that tries every alignment."""
    gains = torch.rand(letters, 1, width, generator=torch.Generator().manual_seed(seed)) * 1.5 - 0.5

    def best(letter: int, end: int) -> float:
        """Of letters 0 to `letter`, the last that stands anywhere at cell `end`."""
        here = float(gains[letter, 0, end])
        if not letter:
            return here
        before = [best(letter - 1, cell) for cell in range(max(0, end - REACH), end)]
        return max(here + max(before, default=-99.0), best(letter - 1, end) + MISSED)

    slow = torch.tensor([best(letters - 1, end) for end in range(width)])
    quick = _scores(gains)[-1, 0]
    assert torch.allclose(quick[slow > -20], slow[slow > -20], atol=1e-5)
    assert (quick[slow <= -20] < -10).all()


def test_a_new_lexicon_points_at_the_words_and_gives_no_hints() -> None:
    model = tiny_model(words=True)
    model.initialize(0)
    assert model.lexicon is not None and model.quoter is not None
    assert (model.lexicon.gain == 0.8).all() and (model.lexicon.nothing == 0).all()
    ids = instruction_ids(TOKENIZER, "submit")
    found = words(ids)[:1]
    there = find(page((3, 2, "submit")), found)
    assert (model.lexicon.hints(there, torch.randn(18, 32)) == 0).all()
    known = model.quoter.read(torch.tensor([ids]))[:, [found[0].end]]
    own = torch.ones(1, 1, dtype=torch.bool)
    chosen = model.lexicon.choose(torch.randn(1, 32), Sought(known, own, there[None]))
    assert (model.lexicon.aim(chosen, GRID)[0].detach() > 1).equal(there[0] > 0.9)
    nobodys = model.lexicon.choose(torch.randn(1, 32), Sought(known, ~own, there[None]))
    assert (nobodys == 0).all()


def test_hints_tell_where_a_word_stands_and_not_what_else_is_there() -> None:
    lexicon = tiny_model(words=True).lexicon
    assert lexicon is not None
    there = find(page((3, 2, "submit")), words(TOKENIZER.encode("submit nothing\n")))
    patches = torch.randn(18, 32, generator=torch.Generator().manual_seed(1))
    before = lexicon.hints(there, patches)
    elsewhere, inside = patches.clone(), patches.clone()
    elsewhere[9:] += 1
    inside[1] += 1
    found, missing = before
    assert found.allclose(lexicon.hints(there, elsewhere)[0], atol=1e-4)
    assert (found - lexicon.hints(there, inside)[0]).norm() > 0.1 * found.norm()
    assert missing.allclose(lexicon.hints(there, inside)[1], atol=1e-4)


def test_the_engine_sees_and_points_as_training_does() -> None:
    """Several questions about a screen share a pass in training; the engine has caches."""
    model = tiny_model(3, words=True)
    generator = ScreenGenerator(3, questions=4)
    pixels = generator.sample(5).pixels
    asked = ["a b c d e f g h i j k l m", "n o p, q r s", "Where is 1 2 3 4?"]
    somewhere = Click(Point(20, 20))
    questions = tuple(Question(text, somewhere) for text in asked)
    batch = collate([Sample(pixels, questions, NOTHING)], TOKENIZER)
    with torch.no_grad():
        logits = point(model, batch, look(model, batch)).logits
    frame = Frame(pixels, Box(0, 0, pixels.shape[1], pixels.shape[0]))
    picture = Picture(prepare(frame), frame.digest)
    rows, columns = picture.prepared.grid_hw
    engine = Engine(model, TOKENIZER)
    for number, text in enumerate(asked):
        written = [
            *TOKENIZER.encode("Action: click(start_box='"), TOKENIZER.special(BOX_START),
            *TOKENIZER.encode("')"), TOKENIZER.special(END),
        ]  # fmt: skip
        made = engine.generate(
            screen_ids(TOKENIZER, rows * columns // 4) + instruction_ids(TOKENIZER, text),
            [picture], stop=[TOKENIZER.special(END)], choose=Script(written),
        )  # fmt: skip
        (action,) = parse(TOKENIZER.decode(made.ids), "uitars").actions
        assert isinstance(action, Click)
        at = picture.prepared.map.to_screen(action.point)
        expected = divmod(int(logits[number].argmax()), columns)
        assert (int(at.y // 14), int(at.x // 14)) == expected


def test_a_history_is_reused_up_to_the_first_word_that_differs() -> None:
    """Also where the words begin alike, and where the same words stand on another picture."""
    model = tiny_model(3, words=True)
    frames = [
        Frame(ScreenGenerator(3).sample(index).pixels, Box(0, 0, 160, 210)) for index in (5, 6)
    ]
    engine = Engine(model, TOKENIZER)
    for text, frame in [
        ("a b c dare", frames[0]), ("a b c date", frames[0]), ("a b c dare", frames[1]),
        ("a b c dare", frames[0]),
    ]:  # fmt: skip
        picture = Picture(prepare(frame), frame.digest)
        rows, columns = picture.prepared.grid_hw
        ids = screen_ids(TOKENIZER, rows * columns // 4) + instruction_ids(TOKENIZER, text)
        reused = engine.generate(ids, [picture], max_tokens=12)
        assert reused.ids == Engine(model, TOKENIZER).generate(ids, [picture], max_tokens=12).ids
    assert reused.cached_tokens > 0


def test_hints_reach_the_decoder() -> None:
    """Else the test above would hold without them."""
    model = tiny_model(3, words=True)
    pixels = ScreenGenerator(3, questions=4).sample(5).pixels
    question = Question("a b c d e f g h i j k l m", Click(Point(20, 20)))
    batch = collate([Sample(pixels, (question,), NOTHING)], TOKENIZER)
    with torch.no_grad():
        seen = look(model, batch)
        states = model.hidden(batch.ids, seen.encoded.tokens, batch.positions, batch.mask)
    assert any(share.any() for share in seen.shares)
    assert not states.allclose(seen.states, atol=1e-3)


def test_a_lexicon_needs_a_tower_and_a_quoting_head(tmp_path: Path) -> None:
    plain = tiny_config(words=True)
    with pytest.raises(ConfigError, match="letter tower"):
        replace(plain, vision=replace(plain.vision, letter_blocks=0))
    with pytest.raises(ConfigError, match="quote_size"):
        replace(plain, pointer=PointerConfig(16, word_heads=2))
    with pytest.raises(ConfigError, match="look_size needs word_heads"):
        replace(plain, pointer=PointerConfig(16, quote_size=8, look_size=32))


def test_only_training_from_samples_gives_a_network_a_lexicon(tmp_path: Path) -> None:
    plain = replace(tiny_config(), pointer=PointerConfig(16, quote_size=8))
    model = KimiVL(plain)
    model.initialize(0)
    checkpoint.save(model, tmp_path / "start")
    recipe = Recipe.load("reinforcement")
    trainer = trainer_of(recipe, tmp_path / "out", (), tmp_path / "start")
    assert trainer.model.config == plain and trainer.model.lexicon is None
    made = trainer_of(Recipe.load("acting"), tmp_path / "other")
    assert made.model.config == embedded_config() and made.model.lexicon is not None
