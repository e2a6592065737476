"""What the letter tower reads, as text: lines from top to bottom, words with spaces between.

The tower says for each cell of 2x2 pixels whether a letter has its middle there, or in the cell
above or below. Nothing here is learned: rows of letters that are sure become runs of text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from agent.model.lexical import REACH, Lines
from agent.model.pointer import PRINTABLE
from agent.model.typesetting import doubled, pitch, words_end

SURE = 128
"""Share, of 255, from which on a letter is taken to stand in a cell."""

TALL = 3
"""Rows of cells above and below a run that belong to the same letters."""

NEAR = 9
"""Rows of cells between lines of one block, at most."""

LONGEST = 2048
"""Characters of a screen that are read."""

Letters = npt.NDArray[np.uint8]

NARROW = 0.45
"""Ems that two letters in cells side by side are apart, at most."""


@dataclass(frozen=True)
class Transcript:
    """The text of one picture.

    Attributes:
        text: printable ASCII; a line break between lines, two between blocks, a tab between runs
            that share a line.
        patches: of each character, the patch in which its middle is; a space has the one of the
            letter before.
    """

    text: str
    patches: tuple[int, ...]


@dataclass(frozen=True)
class _Run:
    """Letters of one row of cells, none out of reach of the next.

    Attributes:
        height: the row.
        columns: the cells.
        places: the same to a fraction of a cell.
        chars: the letters.
        weight: how sure they are, in all.
    """

    height: int
    columns: tuple[int, ...]
    places: tuple[float, ...]
    chars: str
    weight: float


def transcribe(lines: Lines) -> Transcript:
    """The text of a picture, `LONGEST` characters of it at most."""
    side = lines.shares.shape[1] // lines.grid[1]
    chars: list[str] = []
    patches: list[int] = []
    last = 0
    for line in _ordered(_strongest(_runs(lines))):
        for index, run in enumerate(line):
            row = run.height // side * lines.grid[1]
            if chars:
                gap = "\t" if index else "\n" if run.height - last <= NEAR else "\n\n"
                chars += gap
                patches += [patches[-1]] * len(gap)
            last = run.height
            for char, column in _spaced(run):
                chars.append(char)
                patches.append(row + column // side)
    return Transcript("".join(chars[:LONGEST]), tuple(patches[:LONGEST]))


def lines_of_cells(lines: Lines) -> list[list[tuple[int, int]]]:
    """The cells in which letters stand, line by line: (index of the row in `lines`, column)."""
    rows = {height: index for index, height in enumerate(lines.heights.tolist())}
    return [
        [(rows[run.height], column) for run in line for column in run.columns]
        for line in _ordered(_strongest(_runs(lines)))
    ]


def _runs(lines: Lines) -> Iterator[_Run]:
    """The letters of each row of cells; the three rows of a line of text say nearly the same."""
    sure = 255 - lines.shares[..., 0].cpu().numpy()
    names, weights = lines.names.cpu().numpy(), lines.weights.cpu().numpy()
    for index, height in enumerate(lines.heights.tolist()):
        columns = _middles(
            np.flatnonzero(sure[index] >= SURE).tolist(), names[index], weights[index]
        )
        gaps = [n + 1 for n, (a, b) in enumerate(pairwise(columns)) if b - a > REACH]
        for start, stop in pairwise([0, *gaps, len(columns)]):
            own = columns[start:stop]
            if own:
                own = _twice(own, names[index], weights[index], sure[index])
                chars, places = _chars(names[index], own), tuple(_places(own, weights[index]))
                yield _Run(height, tuple(own), places, chars, float(weights[index, own].sum()))


def _chars(names: Letters, columns: Sequence[int]) -> str:
    return "".join(PRINTABLE[names[column]] for column in columns)


def _middles(columns: Sequence[int], names: Letters, weights: Letters) -> list[int]:
    """Of cells side by side the surest, as they are one letter; only thin letters are so near."""
    middles: list[int] = []
    for column in columns:
        last = middles[-1] if middles else -2
        if column - last > 1 or _two(*_chars(names, (last, column))):
            middles.append(column)
        elif weights[column] > weights[last]:
            middles[-1] = column
    return middles


def _places(columns: Sequence[int], weights: Letters) -> Iterator[float]:
    """Where letters stand to a fraction of a cell.

    A middle near the border of its cell is seen in the next one too. What is seen in a cell between
    two letters is half of either.
    """
    seen = np.pad(weights.astype(float), 2)
    taken = {column + 2 for column in columns}
    for column in columns:
        here = column + 2
        left, right = (
            0.0 if here + side in taken else seen[here + side] / (1 + (here + 2 * side in taken))
            for side in (-1, 1)
        )
        yield column + float((right - left) / (left + seen[here] + right))


def _twice(columns: list[int], names: Letters, weights: Letters, sure: Letters) -> list[int]:
    """The cells, and those beside that show the same letter once more."""
    taken = set(columns)
    beside = [_beside(column, names, sure, taken) for column in columns]
    shares = [
        0.0 if other < 0 else float(weights[other]) / float(weights[column])
        for column, other in zip(columns, beside, strict=True)
    ]
    places = list(_places(columns, weights))
    again = doubled(_chars(names, columns), places, shares)
    return sorted([*columns, *(other for other, more in zip(beside, again, strict=True) if more)])


def _beside(column: int, names: Letters, sure: Letters, taken: Collection[int]) -> int:
    """The cell beside one that shows the same letter and is not taken; -1 where there is none."""
    for other in (column - 1, column + 1):
        free = 0 <= other < len(names) and other not in taken
        if free and sure[other] >= SURE and names[other] == names[column]:
            return other
    return -1


def _two(one: str, other: str) -> bool:
    """Whether letters in cells side by side are two."""
    return one != other and pitch(one, other) < NARROW


def _strongest(runs: Iterable[_Run]) -> list[_Run]:
    """Of runs that show the same letters, the surest."""
    kept: dict[int, list[_Run]] = {}
    for run in sorted(runs, key=lambda run: -run.weight):
        near = range(run.height - TALL, run.height + TALL + 1)
        if not any(_overlap(run, other) for height in near for other in kept.get(height, ())):
            kept.setdefault(run.height, []).append(run)
    return [run for height in sorted(kept) for run in kept[height]]


def _overlap(one: _Run, other: _Run) -> bool:
    return one.columns[0] <= other.columns[-1] and other.columns[0] <= one.columns[-1]


def _ordered(runs: Iterable[_Run]) -> Iterator[list[_Run]]:
    """Runs at about one height, from left to right."""
    line: list[_Run] = []
    for run in runs:
        if line and run.height - line[0].height > TALL:
            yield sorted(line, key=lambda run: run.columns)
            line = []
        line.append(run)
    if line:
        yield sorted(line, key=lambda run: run.columns)


def _spaced(run: _Run) -> Iterator[tuple[str, int]]:
    """The letters of a run and their columns, with spaces between words."""
    ends = [*words_end(run.chars, run.places), False]
    for char, column, end in zip(run.chars, run.columns, ends, strict=True):
        yield char, column
        if end:
            yield " ", column
