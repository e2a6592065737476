"""Exercises that stand on a screen, worked out: sums, and equations with one unknown.

A decoder of this size does not learn to calculate from as many exercises as we can pay for
(docs/experiments.md); reading the exercise is enough. Of all that the letters of a line could be,
the likeliest exercise is taken (a Viterbi path through `_NEXT`). Large print, in which the letter
tower finds letters inside of letters, is read from a picture of half the size.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from agent.model.kimi_vl import KimiVL
from agent.model.lexical import Lines, read_lines
from agent.model.pointer import PRINTABLE
from agent.model.transcript import lines_of_cells
from vision.moonvit import Grid

DIGITS = "0123456789"

_NEXT = {
    "": {DIGITS: "number", "x": "unknown"},
    "number": {DIGITS: "number", "+-x": "sign", "+-": "sign before x"},
    "sign": {DIGITS: "other"},
    "other": {DIGITS: "other", "=": "sum"},
    "sum": {},
    "unknown": {"+-": "sign after x"},
    "sign after x": {DIGITS: "known"},
    "known": {DIGITS: "known", "=": "equals"},
    "sign before x": {"x": "x last"},
    "x last": {"=": "equals"},
    "equals": {DIGITS: "total"},
    "total": {DIGITS: "total"},
}
"""What may be read in each state, and where it leads."""

_UNSEEN = {
    "unknown": (DIGITS, "-", "known"),
    "number": ("x", "-", "x last"),
    "known": (DIGITS, "=", "total"),
    "x last": (DIGITS, "=", "total"),
}
"""What may be read after a thin sign that was not seen."""

_ENDS = {"sum": 0.0, "total": 0.0, "other": 2.0}
"""States in which an exercise may end, and the cost of ending there."""

_FLOOR = {**dict.fromkeys("0123456789x", 0.001), **dict.fromkeys("+-=", 0.02)}
"""Likelihood of what the tower does not see at all: it may take a plus for a four."""

_UNCLEAR = 4.0
"""What the sign of a sum costs more where it is not seen: little else speaks for a sum."""

_SKIPPED = _MISSED = 2.0
"""Cost, in nats, of a letter that is none, and of a sign that was not seen."""

_DEAREST = 9.0
"""Most that an exercise may cost in all: other text costs more."""

_TALL = 8
"""Rows of cells of one line of print, in which parts of it may be read once more."""

_APART, _SET_APART = 5, 4
"""Cells between digits of one number, at most; between all other signs, at least."""

_WIDE = 8
"""Cells from one side to the other of a sign that was not seen, at least; before that of a sum, at
most."""


@dataclass(frozen=True)
class _Path:
    """What is read so far, minus its log-likelihood, and the cell of its last letter."""

    cost: float = 0.0
    text: str = ""
    column: int = 0


def work_out(model: KimiVL, patches: Tensor, grid: Grid, lines: Lines) -> str:
    """What the one exercise on a picture comes to; empty where there is none, or several.

    Args:
        model: with a letter tower.
        patches: (L, 3, p, p) of the picture.
        grid: its rows and columns of patches, both even.
        lines: what the tower reads there.
    """
    for scale in (_halved(model, patches, grid), lines):
        found = sorted(exercises(scale))
        if found and all(abs(other[2] - found[0][2]) < _TALL for other in found):
            return solve(found[0][1])
    return ""


def solve(exercise: str) -> str:
    """The result of "4x2" or "4x2=", or the unknown of "x-3=35" or "4-x=35"."""
    parts = re.fullmatch(r"(\d+|x)([-+x])(\d+|x)=?(\d*)", exercise)
    assert parts is not None, f"{exercise!r} is none"
    left, sign, right, total = parts.groups()
    if left == "x":
        return str(int(total) - int(right) if sign == "+" else int(total) + int(right))
    if right == "x":
        return str(int(total) - int(left) if sign == "+" else int(left) - int(total))
    one, other = int(left), int(right)
    return str({"+": one + other, "-": one - other, "x": one * other}[sign])


def exercises(lines: Lines) -> Iterator[tuple[float, str, int]]:
    """The exercises on a page: what each costs to believe, its text, and in which row of cells."""
    for cells in lines_of_cells(lines):
        found = _exercise([(column, _likely(lines, row, column)) for row, column in cells])
        if found.cost <= _DEAREST:
            yield found.cost, found.text, int(lines.heights[cells[0][0]])


def _likely(lines: Lines, row: int, column: int) -> dict[str, float]:
    """How likely each sign of an exercise is in a cell; a minus may be half of an equals sign."""
    shares = lines.shares[row, column].tolist()
    likely = {char: shares[PRINTABLE.index(char) + 1] / 255 for char in DIGITS + "+-x="}
    likely["="] = max(likely["="], likely["-"] / 2)
    return {char: max(share, _FLOOR[char]) for char, share in likely.items()}


def _exercise(letters: Sequence[tuple[int, dict[str, float]]]) -> _Path:
    """The likeliest exercise that the letters of a line could be."""
    paths = {"": _Path()}
    for column, likely in letters:
        after: dict[str, _Path] = {}
        for state, path in paths.items():
            skipped = 0.0 if state == "sum" else _SKIPPED
            _keep(after, state, _Path(path.cost + skipped, path.text, path.column))
            step = column - path.column
            for chars, then in _NEXT[state].items():
                if _stands(state, then, step):
                    _keep(after, then, _read(path, likely, chars, "", then == "sign", column))
            if state in _UNSEEN and step > _WIDE:
                chars, sign, then = _UNSEEN[state]
                _keep(after, then, _read(path, likely, chars, sign, False, column))
        paths = after
    ends = [_Path(paths[s].cost + more, paths[s].text) for s, more in _ENDS.items() if s in paths]
    return min(ends, key=lambda path: path.cost, default=_Path(math.inf))


def _stands(state: str, then: str, step: int) -> bool:
    """Whether something that many cells further on may lead from one state to another."""
    if then == state:
        return step <= _APART
    return not state or _SET_APART <= step <= (_WIDE if then == "sign" else math.inf)


def _read(
    path: _Path, likely: dict[str, float], chars: str, before: str, clear: bool, column: int
) -> _Path:
    """The path with the likeliest of some characters, perhaps after a sign that was not seen."""
    char = max(chars, key=lambda c: likely[c])
    cost = path.cost - math.log(likely[char]) + _MISSED * len(before)
    if clear and likely[char] == _FLOOR[char]:
        cost += _UNCLEAR
    return _Path(cost, path.text + before + char, column)


def _keep(paths: dict[str, _Path], state: str, path: _Path) -> None:
    if state not in paths or path.cost < paths[state].cost:
        paths[state] = path


@torch.no_grad()
def _halved(model: KimiVL, patches: Tensor, grid: Grid) -> Lines:
    """What the tower reads in the picture at half its size."""
    side = patches.shape[-1]
    tall, wide = half = grid[0] // 2, grid[1] // 2
    image = patches.unflatten(0, grid).permute(2, 0, 3, 1, 4).flatten(3).flatten(1, 2)
    tiles = F.avg_pool2d(image, 2).unflatten(1, (tall, side)).unflatten(3, (wide, side))
    _, letters = model.vision_tower.embed(tiles.permute(1, 3, 0, 2, 4).flatten(0, 1), [half])
    assert letters is not None, "the tower is asked for"
    return read_lines(letters, half)
