"""What the letter tower reads, as text: lines from top to bottom, words with spaces between.

The tower says for each cell of 2x2 pixels whether a letter has its middle there, or in the cell
above or below. Nothing here is learned: rows of letters that are sure become runs of text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np
import numpy.typing as npt

from agent.model.lexical import REACH, Lines
from agent.model.pointer import PRINTABLE

SURE = 128
"""Share, of 255, from which on a letter is taken to stand in a cell."""

TALL = 2
"""Rows of cells above and below a run that belong to the same letters."""

NEAR = 9
"""Rows of cells between lines of one block, at most."""

LONGEST = 2048
"""Characters of a screen that are read."""

Letters = npt.NDArray[np.uint8]

_WIDTHS = {
    "ijl|'": 0.22, "ftI.,:;!/\\[]": 0.28, "r()-`\"{}": 0.34, "cksvxyzJ": 0.5, "FTZL": 0.6,
    "ABEKPSVXY&": 0.67, "CDHNRUw": 0.72, "GOQ": 0.78, "mM": 0.83, "%": 0.89, "W": 0.94, "@": 1.0,
}  # fmt: skip
_WIDTH = {char: width for chars, width in _WIDTHS.items() for char in chars}
_USUAL = 0.55
"""Width of letters in ems, about as in all sans-serif fonts; what is not listed has the usual."""

NARROW = 0.45
"""Ems that two letters in cells side by side are apart, at most."""

_SPACE = 0.22
"""Ems by which two letters are further apart than their widths say, where a space is between."""


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
    """Letters of one row of cells, none out of reach of the next."""

    height: int
    columns: tuple[int, ...]
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
                chars = _chars(names[index], own)
                yield _Run(height, tuple(own), chars, float(weights[index, own].sum()))


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


def _two(one: str, other: str) -> bool:
    """Whether letters in cells side by side are two."""
    return one != other and _pitch(one, other) < NARROW


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
    """The letters of a run and their columns, with spaces where the next letter is far."""
    em = _em(run.chars, run.columns)
    for index, (char, column) in enumerate(zip(run.chars, run.columns, strict=True)):
        if index:
            before, left = run.chars[index - 1], run.columns[index - 1]
            if column - left > em * (_pitch(before, char) + _SPACE):
                yield " ", left
        yield char, column


def _em(chars: str, columns: Sequence[int]) -> float:
    """Cells to an em: most letters follow one another without a space."""
    steps = [
        (right - left) / _pitch(one, other)
        for (one, other), (left, right) in zip(pairwise(chars), pairwise(columns), strict=True)
    ]
    return median(steps) if steps else 1.0


def _pitch(one: str, other: str) -> float:
    """Ems between the middles of two letters side by side."""
    return (_WIDTH.get(one, _USUAL) + _WIDTH.get(other, _USUAL)) / 2
