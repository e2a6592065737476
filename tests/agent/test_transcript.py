"""What the letter tower reads, as text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.model.transcript import LONGEST, NEAR, transcribe
from tests.agent.lettering import GRID, SIDE, page

WIDE = st.text("abdeghnopqu0123456789", min_size=1, max_size=13)


def test_lines_come_from_top_to_bottom_and_runs_from_left_to_right() -> None:
    read = transcribe(page((3, 24, "right"), (15, 2, "below"), (4, 1, "left"), (9, 0, "next")))
    assert read.text == "left\tright\nnext\nbelow"


def test_each_character_knows_its_patch() -> None:
    read = transcribe(page((3, 2, "abc"), (17, 6, "dde f")))
    assert read.text == "abc\n\ndde f"
    rows = [patch // GRID[1] for patch in read.patches]
    columns = [patch % GRID[1] for patch in read.patches]
    assert rows == [0, 0, 0, 0, 0, 2, 2, 2, 2, 2]
    assert columns == [0, 0, 1, 1, 1, 0, 1, 1, 1, 2]


def test_a_line_is_read_once_though_three_rows_of_cells_show_it() -> None:
    assert transcribe(page((4, 1, "Name: Bob"), (12, 1, "OK"), tall=True)).text == "Name: Bob\nOK"


def test_an_empty_line_stands_between_lines_that_are_far_apart() -> None:
    assert transcribe(page((3, 0, "ab"), (3 + NEAR, 0, "cd"))).text == "ab\ncd"
    assert transcribe(page((3, 0, "ab"), (4 + NEAR, 0, "cd"))).text == "ab\n\ncd"


def test_thin_letters_side_by_side_are_two_and_a_letter_seen_twice_is_one() -> None:
    assert transcribe(page((3, 2, "l"), (3, 3, "i"))).text == "li"
    assert transcribe(page((3, 2, "r"), (3, 3, "t"))).text == "rt"
    assert transcribe(page((3, 2, "l"), (3, 3, "l"))).text == "l"
    assert len(transcribe(page((3, 2, "m"), (3, 3, "n"))).text) == 1


def test_a_letter_seen_in_two_cells_stands_twice_where_there_is_room_for_two() -> None:
    beside = (3, 0, "sand"), (3, 11, "l"), (3, 12, "l")
    assert transcribe(page(*beside, (3, 14, "an"))).text == "sandllan"
    assert transcribe(page(*beside, (3, 13, "an"))).text == "sandlan"


def test_a_letter_seen_a_little_in_the_next_cell_stands_near_it() -> None:
    """Steps of 4 cells are words' ends where letters are 3 apart, if not brought about by cells."""
    lines = page((8, 2, "non"), (8, 12, "no"))
    assert transcribe(lines).text == "non no"
    lines.weights[0, 9], lines.weights[0, 11] = 200, 200  # n to the right, the next to the left
    assert transcribe(lines).text == "nonno"


def test_nothing_is_read_from_an_empty_page() -> None:
    read = transcribe(page())
    assert read.text == "" and read.patches == ()


@given(st.lists(WIDE, min_size=1, max_size=4))
def test_letters_of_one_width_are_read_as_they_stand(words: list[str]) -> None:
    lines = [(2 + 5 * row, 1, word) for row, word in enumerate(words)]
    read = transcribe(page(*lines, tall=True))
    assert read.text == "\n".join(words)
    assert len(read.patches) == len(read.text) <= LONGEST
    assert all(0 <= patch < GRID[0] * GRID[1] for patch in read.patches)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=13))
def test_no_letter_is_lost_or_moved(word: str) -> None:
    read = transcribe(page((8, 1, word)))
    assert "".join(read.text.split()) == word
    places = [patch for char, patch in zip(read.text, read.patches, strict=True) if char != " "]
    assert places == [GRID[1] + (1 + 3 * index) // SIDE for index in range(len(word))]
