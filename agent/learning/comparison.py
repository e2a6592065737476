"""Two evaluations of the same pages, compared page by page.

Pages differ in difficulty far more than two stages of one model do, so what counts is on which
pages they differ, not the distance of two rates.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Any

from rich.table import Table as RichTable

Played = tuple[str, int, int]
"""(task, seed, how often it was played before)."""


class ComparisonError(ValueError):
    """Two evaluations that cannot be compared."""


@dataclass(frozen=True)
class Comparison:
    """How a policy does on pages that another one has played too.

    Attributes:
        name: of the task, or of all together.
        pages: how many.
        before: how many the first one solved.
        won: how many only the second one solved.
        lost: how many only the first one solved.
    """

    name: str
    pages: int
    before: int
    won: int
    lost: int

    @property
    def after(self) -> int:
        """How many pages the second one solved."""
        return self.before + self.won - self.lost

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the difference of the two rates, -1..1.

        Half a page is added to each of the four cases (Agresti and Min 2005,
        doi 10.1002/sim.1781), so it also has a width where nothing differs.
        """
        count, differ = self.pages + 2, self.won + self.lost + 1
        middle = (self.won - self.lost) / count
        margin = statistics.NormalDist().inv_cdf(0.975) * (differ / count - middle**2) ** 0.5
        return max(-1.0, middle - margin / count**0.5), min(1.0, middle + margin / count**0.5)

    @property
    def chance(self) -> float:
        """How often two equally good policies differ so much or more (exact McNemar test), 0..1."""
        differ, fewer = self.won + self.lost, min(self.won, self.lost)
        return min(1.0, 2 * sum(comb(differ, k) for k in range(fewer + 1)) / 2**differ)


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Comparison]:
    """Per task, in the order of the first evaluation, then all together.

    Args:
        before: the JSON of an evaluation (`eyehand eval miniwob --json`).
        after: that of another one with the same tasks, seeds and repeats.

    Raises:
        ComparisonError: they did not play the same pages, or these are no evaluations.
    """
    first, second = _solved(before), _solved(after)
    if first.keys() != second.keys() or not first:
        apart = len(first.keys() ^ second.keys())
        raise ComparisonError(
            f"expected two evaluations of the same pages, actually {apart} pages are in one only; "
            "give both the same --tasks, --seeds, --first-seed and --repeats"
        )
    tasks = dict.fromkeys(task for task, _, _ in first)
    rows = [_compared(t, first, second, [page for page in first if page[0] == t]) for t in tasks]
    return [*rows, _compared("all", first, second, first)]


def _solved(evaluation: Mapping[str, Any]) -> dict[Played, bool]:
    turns: Counter[tuple[str, int]] = Counter()
    found: dict[Played, bool] = {}
    try:
        for rollout in evaluation["rollouts"]:
            page = str(rollout["task"]), int(rollout["seed"])
            found[*page, turns[page]] = bool(rollout["solved"])
            turns[page] += 1
    except (KeyError, TypeError, ValueError) as error:
        raise ComparisonError(
            f"expected what `eyehand eval miniwob --json` writes, actually: {error!r}"
        ) from error
    return found


def _compared(
    name: str,
    first: Mapping[Played, bool],
    second: Mapping[Played, bool],
    pages: Iterable[Played],
) -> Comparison:
    pairs = [(first[page], second[page]) for page in pages]
    return Comparison(
        name,
        len(pairs),
        sum(old for old, _ in pairs),
        sum(new and not old for old, new in pairs),
        sum(old and not new for old, new in pairs),
    )


def read(path: Path) -> Mapping[str, Any]:
    """An evaluation from its file.

    Raises:
        ComparisonError: it is no JSON object.
        OSError: it cannot be read.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ComparisonError(f"{path}: expected an evaluation in JSON ({error})") from error
    if not isinstance(found, dict):
        raise ComparisonError(f"{path}: expected an evaluation in JSON")
    return found


def to_rich(rows: Iterable[Comparison]) -> RichTable:
    """For the terminal."""
    caption = "brackets: 95 % intervals; chance: exact McNemar test"
    shown = RichTable("task", caption=caption)
    for heading in ("pages", "before", "after", "won", "lost", "difference", "chance"):
        shown.add_column(heading, justify="right")
    for row in rows:
        rates = (f"{count / row.pages:.0%}" for count in (row.before, row.after))
        low, high = row.interval
        apart = f"{(row.won - row.lost) / row.pages:+.0%} ({low:+.0%} to {high:+.0%})"
        counts = f"+{row.won}", f"-{row.lost}"
        shown.add_row(row.name, str(row.pages), *rates, *counts, apart, f"{row.chance:.3f}")
    return shown
