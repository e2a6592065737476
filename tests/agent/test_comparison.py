"""Evaluations side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from agent.cli import app
from agent.learning.comparison import Comparison, ComparisonError, compare, read


def evaluation(**solved: str) -> dict[str, Any]:
    """`task="110"`: pages 0 and 1 were solved, page 2 was not."""
    return {
        "rollouts": [
            {"task": task, "seed": seed, "solved": one == "1"}
            for task, row in solved.items()
            for seed, one in enumerate(row)
        ]
    }


def test_pages_are_compared_one_by_one() -> None:
    rows = compare(evaluation(a="1100", b="01"), evaluation(b="11", a="0111"))
    assert rows == [
        Comparison("a", 4, before=2, won=2, lost=1),
        Comparison("b", 2, before=1, won=1, lost=0),
        Comparison("all", 6, before=3, won=3, lost=1),
    ]
    assert [row.after for row in rows] == [3, 2, 5]


def test_a_page_may_be_played_several_times() -> None:
    one = {"task": "a", "seed": 1}
    before = {"rollouts": [{**one, "solved": True}, {**one, "solved": False}]}
    after = {"rollouts": [{**one, "solved": True}, {**one, "solved": True}]}
    assert compare(before, after)[0] == Comparison("a", 2, before=1, won=1, lost=0)


def test_chance_is_that_of_the_exact_test() -> None:
    """Values of R's binom.test."""
    assert Comparison("a", 50, 20, won=0, lost=0).chance == 1
    assert Comparison("a", 50, 20, won=10, lost=2).chance == pytest.approx(0.03857422, abs=1e-8)
    assert Comparison("a", 50, 20, won=6, lost=6).chance == 1


def test_the_interval_is_that_of_agresti_and_min() -> None:
    low, high = Comparison("a", 100, 50, won=15, lost=5).interval
    middle, sd = 10 / 102, ((21 - 10**2 / 102) ** 0.5) / 102
    assert (low, high) == pytest.approx((middle - 1.959964 * sd, middle + 1.959964 * sd), abs=1e-6)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 60))
def test_the_interval_stays_in_range(won: int, lost: int, rest: int) -> None:
    row = Comparison("a", won + lost + rest, lost, won, lost)
    low, high = row.interval
    assert -1 <= low < high <= 1
    assert 0 < row.chance <= 1
    mirrored = Comparison("a", row.pages, won, won=lost, lost=won)
    assert mirrored.interval == pytest.approx((-high, -low))
    assert mirrored.chance == row.chance


@pytest.mark.parametrize("after", [evaluation(a="11"), evaluation(b="111"), {"rollouts": []}])
def test_other_pages_are_refused(after: dict[str, Any]) -> None:
    with pytest.raises(ComparisonError, match=r"the same pages, actually \d+ pages"):
        compare(evaluation(a="111"), after)


def test_what_is_no_evaluation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ComparisonError, match="eval miniwob --json"):
        compare({"rows": []}, evaluation(a="1"))
    (tmp_path / "a.json").write_text("[1]")
    (tmp_path / "b.json").write_text("{")
    for name in ("a.json", "b.json"):
        with pytest.raises(ComparisonError, match="expected an evaluation in JSON"):
            read(tmp_path / name)


def test_the_command_prints_the_table(tmp_path: Path) -> None:
    for name, row in (("before", "0000000000"), ("after", "1111111100")):
        (tmp_path / name).write_text(json.dumps(evaluation(task=row)))
    done = CliRunner().invoke(
        app, ["eval", "compare", *(str(tmp_path / n) for n in ("before", "after"))]
    )
    assert done.exit_code == 0, done.output
    assert "+8" in done.output and "0.008" in done.output
