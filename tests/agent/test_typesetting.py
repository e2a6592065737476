"""Words end and letters stand twice where the widths of real fonts say so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.learning.screens.fonts import Face, face, installed
from agent.model.typesetting import doubled, words_end

SANS, TYPEWRITER = "Liberation Sans", "DejaVu Sans Mono"
TEXT = "Nulla lobortis wimmels filled, a little hill of jars"


def set_in(family: str, text: str, size: int = 11) -> tuple[str, list[float]]:
    """The letters and their middles, in cells of two pixels."""
    drawn: Face = face(installed()[family][0], size)
    starts = drawn.offsets(text)
    widths = [drawn.width(char) for char in text]
    middles = [(start + width / 2) / 2 for start, width in zip(starts, widths, strict=False)]
    known = [(char, middle) for char, middle in zip(text, middles, strict=True) if char != " "]
    return "".join(char for char, _ in known), [middle for _, middle in known]


def read(chars: str, places: list[float]) -> str:
    ends = [*words_end(chars, places), False]
    return "".join(char + " " * end for char, end in zip(chars, ends, strict=True))


@pytest.mark.parametrize("family", [SANS, TYPEWRITER])
@pytest.mark.parametrize("size", [9, 11, 16])
def test_words_end_where_they_do(family: str, size: int) -> None:
    assert read(*set_in(family, TEXT, size)) == TEXT


@given(st.lists(st.sampled_from([w for w in TEXT.split() if len(w) > 3]), min_size=2, max_size=6))
def test_any_words_are_told_apart(words: list[str]) -> None:
    """Most letters must follow one another without a space, as that tells how large they are."""
    assert read(*set_in(SANS, " ".join(words))) == " ".join(words)


@given(st.text("abcl", min_size=1, max_size=5), st.floats(0.1, 9), st.floats(0, 50))
def test_neither_size_nor_place_matters(text: str, scale: float, offset: float) -> None:
    chars, places = set_in(SANS, text)
    moved = [offset + scale * place for place in places]
    assert words_end(chars, places) == words_end(chars, moved)


def test_what_is_seen_once_in_two_cells_stands_twice_where_there_is_room() -> None:
    chars, places = set_in(SANS, "a little hill of sand")
    at = chars.index("tt")
    once = chars[:at] + chars[at + 1 :]
    middle = [(places[at] + places[at + 1]) / 2]
    merged = places[:at] + middle + places[at + 2 :]
    twice = [index == at for index in range(len(once))]
    assert doubled(once, merged, [float(seen) for seen in twice]) == twice
    assert doubled(once, merged, [0.5] * len(once)) == [False] * len(once)
    assert doubled(chars, places, [1.0] * len(chars)) == [False] * len(chars)


def test_one_letter_has_no_neighbours() -> None:
    assert words_end("a", [3.0]) == words_end("", []) == []
    assert doubled("l", [3.0], [1.0]) == [False]
