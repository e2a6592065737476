"""The gate of `eyehand learn`: what it asks for, and how often luck alone decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.learning.gate import ALLOWED, Change, Gate, Score, Standing


def scores(right: int, asked: int, gained: int, lost: int) -> tuple[Score, Score]:
    """The same questions before and after; so many right before."""
    kept, wrong = right - lost, asked - right - gained
    pairs = [(True, True)] * kept + [(False, False)] * wrong
    pairs += [(False, True)] * gained + [(True, False)] * lost
    before, after = zip(*pairs, strict=True)
    return Score(before), Score(after)


def gate(recorded: tuple[int, int], small: tuple[int, int], large: tuple[int, int]) -> Gate:
    """Answers gained and lost of 10 decisions, 360 questions and 90."""
    sets = scores(5, 10, *recorded), scores(180, 360, *small), scores(30, 90, *large)
    one, other = zip(*sets, strict=True)
    return Gate(Standing(*one), Standing(*other))


@pytest.mark.parametrize(
    ("judged", "why"),
    [
        (gate((2, 0), (0, 0), (0, 0)), ""),
        (gate((1, 0), (9, 10), (2, 2)), ""),  # a few answers change, nothing is lost
        (gate((2, 2), (9, 0), (9, 0)), "do no better"),
        (gate((3, 0), (40, 50), (0, 0)), "may lose 5.7%"),
        (gate((3, 0), (60, 60), (0, 0)), "may lose 4.0%"),  # too much changed to be sure
        (gate((3, 0), (5, 17), (20, 0)), "standard screens of 320x240"),
        (gate((3, 0), (20, 0), (1, 9)), "standard screens of 640x480"),
    ],
)  # fmt: skip
def test_the_gate_wants_more_of_the_one_and_proof_of_the_others(judged: Gate, why: str) -> None:
    assert why in judged.refusal and bool(why) == bool(judged.refusal)


def test_few_questions_prove_nothing() -> None:
    few = scores(20, 40, 0, 0)
    assert Change.between(*few).bounds[0] < -ALLOWED


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 300))
def test_bounds_hold_the_change_and_narrow_with_more_questions(
    gained: int, lost: int, same: int
) -> None:
    asked = gained + lost + same
    low, high = Change(asked, gained, lost).bounds
    assert low < (gained - lost) / (asked + 2) < high
    assert Change(asked, lost, gained).bounds == pytest.approx((-high, -low))
    wider = Change(4 * asked + 6, 4 * gained, 4 * lost).bounds  # the same shares of asked + 2
    assert wider[1] - wider[0] < high - low


@pytest.mark.parametrize(
    ("gained", "lost", "least", "most"),
    [
        (0.02, 0.02, 0.88, 1.0),  # harmless weights
        (0.01, 0.04, 0.0, 0.1),  # weights that lose as much as is allowed
        (0.02, 0.08, 0.0, 0.01),
    ],
)
def test_luck_seldom_decides(gained: float, lost: float, least: float, most: float) -> None:
    """Of 1,000 judgements of 450 answers each, that are gained and lost by chance."""
    chance = np.random.default_rng(1)
    drawn = chance.multinomial(450, (gained, lost, 1 - gained - lost), 1000)
    passed = [Change(450, int(g), int(n)).bounds[0] >= -ALLOWED for g, n, _ in drawn]
    assert least <= np.mean(passed) <= most
