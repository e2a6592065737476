"""Exercises are found among letters, read in spite of what the tower takes them for, and solved."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agent.learning.screens.canvas import Canvas
from agent.learning.screens.fonts import face, installed
from agent.model.arithmetic import exercises, solve, work_out
from agent.model.checkpoint import load
from agent.model.copying import copy
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import embedded_tokenizer
from agent.model.quoting import TYPING
from agent.model.writer import Wish, Writer
from agent.policies.local import EMBEDDED
from tests.agent.lettering import page
from vision.frame import Frame
from vision.geometry import Box
from vision.image import Prepared, prepare

TOKENIZER = embedded_tokenizer()
NUMBERS = st.integers(0, 99)
DIGITS = st.integers(0, 9)


@pytest.fixture(scope="module")
def model() -> KimiVL:
    return load(EMBEDDED)


def found(*texts: str) -> list[str]:
    """The exercises on a page with these lines, letters three cells apart."""
    lines = [(2 + 8 * row, 0, text) for row, text in enumerate(texts)]
    return [text for _, text, _ in exercises(page(*lines, tall=True))]


@given(NUMBERS, st.sampled_from("+-x"), NUMBERS)
def test_sums_are_worked_out(one: int, sign: str, other: int) -> None:
    (text,) = found(f"{one} {sign} {other} =")
    assert text == f"{one}{sign}{other}="
    assert int(solve(text)) == {"+": one + other, "-": one - other, "x": one * other}[sign]
    assert found(f"{one} {sign} {other}") == [text[:-1]]  # the equals sign may be lost
    assert solve(text[:-1]) == solve(text)


@given(DIGITS, st.sampled_from("+-"), NUMBERS, st.booleans())
def test_equations_are_solved(known: int, sign: str, total: int, first: bool) -> None:
    left = f"x {sign} {known}" if first else f"{known} {sign} x"
    (text,) = found(f"{left} = {total}")
    x = int(solve(text))
    one, other = (x, known) if first else (known, x)
    assert (one + other if sign == "+" else one - other) == total


def test_thin_signs_may_be_lost_and_a_plus_taken_for_a_four() -> None:
    assert found("x - 3    35") == ["x-3=35"]
    assert found("x   3 = 35") == ["x-3=35"]
    assert found("5 4 x = 18") == ["5+x=18"]
    assert found("x - 3 - 35") == ["x-3=35"]


def test_other_text_is_no_exercise() -> None:
    assert found("990099", "12:45 PM", "Tab #3") == []
    assert found("10/11/2016", "3x8", "4 items") == []
    assert found("") == []


def written(text: str, size: int) -> Prepared:
    """A white screen of 160x210 with one line of text."""
    canvas = Canvas(160, 210, (255, 255, 255))
    canvas.text(4, 80, text, face(installed()["Liberation Sans"][0], size), (0, 0, 0))
    return prepare(Frame(canvas.pixels(), Box(0, 0, 160, 210)))


def worked_out(model: KimiVL, screen: Prepared) -> str:
    patches = torch.from_numpy(screen.patches)
    encoded = model.encode(patches, [screen.grid_hw])
    return work_out(model, patches, screen.grid_hw, encoded.lines[0])


@torch.no_grad()
@pytest.mark.parametrize(
    ("text", "result"), [("7 x 8 =", "56"), ("9 + 6 =", "15"), ("3 - 8 =", "-5")]
)
@pytest.mark.parametrize("size", [12, 30])
def test_small_and_large_print_is_read(model: KimiVL, text: str, result: str, size: int) -> None:
    assert worked_out(model, written(text, size)) == result


@torch.no_grad()
def test_of_two_exercises_none_is_worked_out(model: KimiVL) -> None:
    assert worked_out(model, written("Nothing to do", 12)) == ""
    canvas = Canvas(160, 210, (255, 255, 255))
    large = face(installed()["Liberation Sans"][0], 30)
    for y, text in ((60, "7 x 8 ="), (130, "9 x 6 =")):
        canvas.text(4, y, text, large, (0, 0, 0))
    assert worked_out(model, prepare(Frame(canvas.pixels(), Box(0, 0, 160, 210)))) == ""


@torch.no_grad()
def test_the_result_is_typed_where_nothing_is_quoted_or_copied(model: KimiVL) -> None:
    screen = written("7 x 8 =", 30)
    encoded = model.encode(torch.from_numpy(screen.patches), [screen.grid_hw])
    assert model.copier is not None
    size, generator = model.config.text.hidden_size, torch.Generator().manual_seed(0)
    states = (torch.randn(size, generator=generator) for _ in range(200))
    state = next(s for s in states if not copy(model.copier, s, encoded.pages[0], encoded.patches))
    writer = Writer(model, TOKENIZER, Wish(64), (screen, encoded))
    writer.ids += TOKENIZER.encode(TYPING)
    assert TOKENIZER.decode(writer.write(state, torch.zeros(TOKENIZER.vocab_size))) == "56"
