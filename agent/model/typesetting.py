"""What the widths of letters say: where words end, and which letters stand twice.

The widths are about those of all sans-serif fonts, in ems; how large an em is, each run of letters
tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

_WIDTHS = {
    "ijl|'": 0.22, "ftI.,:;!/\\[]": 0.28, "r()-`\"{}": 0.34, "cksvxyzJ": 0.5, "FTZL": 0.6,
    "ABEKPSVXY&": 0.67, "CDHNRUw": 0.72, "GOQ": 0.78, "mM": 0.83, "%": 0.89, "W": 0.94, "@": 1.0,
}  # fmt: skip
_WIDTH = {char: width for chars, width in _WIDTHS.items() for char in chars}
_USUAL = 0.55
"""Width of what is not listed."""

_FIXED = 0.6
"""Width of every letter of typewriter fonts."""

_CLEARLY = 0.6
"""Part of what letters of different widths leave unexplained that letters of one width leave."""

_SPACE = 0.28
"""Width of a space; with half of it between them, letters belong to different words."""

_OFTEN = "lt."
"""Thin letters that often stand twice; of others the tower more often sees one in two cells."""

_AS_SURE = 0.95
"""How sure the cell beside a letter is, of how sure its own is, where the letter stands twice."""

_WIDER = 0.08
"""Ems by which the letters around one that stands twice are further apart, at least."""


def pitch(one: str, other: str) -> float:
    """Ems between the middles of two letters side by side."""
    return (_WIDTH.get(one, _USUAL) + _WIDTH.get(other, _USUAL)) / 2


def words_end(chars: str, places: Sequence[float]) -> list[bool]:
    """After which letters of a run but the last there is a space.

    Args:
        chars: the letters.
        places: where their middles are, in any unit.
    """
    steps = [right - left for left, right in pairwise(places)]
    pitches = [pitch(one, other) for one, other in pairwise(chars)]
    rests, fixed = _rests(steps, pitches), _rests(steps, [_FIXED] * len(steps))
    # Typewriter letters are all as wide as each other: taken where that explains far more.
    if _unexplained(fixed) < _unexplained(rests) * _CLEARLY:
        rests = fixed
    return [rest > _SPACE / 2 for rest in rests]


def doubled(chars: str, places: Sequence[float], beside: Sequence[float]) -> list[bool]:
    """Which letters of a run stand twice, though they are read once.

    Args:
        chars: the letters.
        places: where their middles are, in any unit.
        beside: how sure the same letter is in a cell beside, of how sure it is in its own, 0..1.
    """
    steps = [right - left for left, right in pairwise(places)]
    rests = _rests(steps, [pitch(one, other) for one, other in pairwise(chars)])
    without = [rest - _SPACE if rest > _SPACE / 2 else rest for rest in rests]
    around = [left + right for left, right in pairwise([0.0, *without, 0.0])]
    return [
        char in _OFTEN and sure > _AS_SURE and wider > _WIDER
        for char, sure, wider in zip(chars, beside, around, strict=True)
    ]


def _rests(steps: Sequence[float], pitches: Sequence[float]) -> list[float]:
    """Ems by which steps exceed pitches; most letters follow one another without a space."""
    if not steps:
        return []
    em = median(step / pitch for step, pitch in zip(steps, pitches, strict=True))
    return [step / em - pitch for step, pitch in zip(steps, pitches, strict=True)]


def _unexplained(rests: Sequence[float]) -> float:
    """How much is left, where a space explains itself."""
    return sum(min(abs(rest), _SPACE / 2) for rest in rests)
