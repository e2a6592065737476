"""Canonical key names and the many spellings that lead to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.keys import NAMED, SYNONYMS, UnknownKeyError, canonical


@pytest.mark.parametrize("name", sorted(NAMED))
def test_a_canonical_name_is_its_own(name: str) -> None:
    assert canonical(name) == name
    assert canonical(name.upper()) == name


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("Return", "enter"),
        ("ArrowDown", "down"),
        ("arrow_left", "left"),
        ("Control", "ctrl"),
        ("Control_L", "ctrl"),
        ("cmd", "super"),
        ("Win", "super"),
        ("meta", "super"),
        ("del", "delete"),
        ("pgdn", "pagedown"),
        ("Page Down", "pagedown"),
        ("page-up", "pageup"),
        ("escape", "esc"),
        ("shiftleft", "shift"),
        ("A", "a"),
        (" ", "space"),
        ("\n", "enter"),
        ("\t", "tab"),
        ("plus", "+"),
        ("-", "-"),
        ("_", "_"),
        ("漢", "漢"),
        ("İ", "İ"),
    ],
)
def test_synonyms(written: str, key: str) -> None:
    assert canonical(written) == key


def test_every_synonym_leads_to_a_canonical_name() -> None:
    assert not SYNONYMS.keys() & NAMED
    for key in SYNONYMS.values():
        assert canonical(key) == key


def test_an_unknown_name_offers_near_ones() -> None:
    with pytest.raises(UnknownKeyError, match=r"'pagedwn'; did you mean pagedown"):
        canonical("pagedwn")


@pytest.mark.parametrize("name", ["", "   ", "f25", "f0", "\x00", "\u00a0", "x" * 10_000])
def test_names_that_no_key_has(name: str) -> None:
    with pytest.raises(UnknownKeyError, match="expected") as caught:
        canonical(name)
    assert len(str(caught.value)) < 250


@given(st.text(max_size=8))
def test_canonical_is_idempotent(name: str) -> None:
    try:
        key = canonical(name)
    except UnknownKeyError:
        return
    assert canonical(key) == key
