"""Where the words of an instruction stand on the screen.

A small decoder takes far more examples than we can pay for until it finds a word by comparing its
letters with those in the patches (docs/experiments.md), though the letter tower has read both. Here
the comparison is not learned: every word is aligned with every line of letters, dynamic programming
as in Needleman and Wunsch (1970). What is learned is what to make of it (`Lexicon`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from string import ascii_lowercase, digits

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agent.model.config import KimiVLConfig
from agent.model.pointer import PRINTABLE

BETWEEN = frozenset(b" \t\n\"'.,;:!?()[]{}/")
"""Bytes that end a word."""

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
"""How a calendar writes what an instruction writes as the first number of 12/05/2016."""

LONGEST = 24
"""Letters of a word that are compared."""

REACH = 9
"""Cells between the middles of two letters that follow one another, at most: 18 pixels."""

RIGHT, WRONG, MISSED = 1.0, -0.5, -0.5
"""What a letter adds that is the right one, that is another one, that stands nowhere."""

INSIDE = 0.3
"""What a number loses at each end where another digit follows: 5 is not 15."""

WITHIN = 1.0
"""What a word of one letter loses where another letter follows: "p" does not stand in "ship"."""

ADJACENT = (2, 3, 4)
"""Cells from a letter to the next one of its word; the same letter is seen in the cell beside."""

SEEN = 0.3
"""How sure a letter must be in some cell of a line for the line to be read."""

SIZE = 64
"""Channels of a head."""

TENFOLD = 10.0
"""Factor of logits whose weights should move by whole units, though AdamW moves thousandths."""

_LOWER = {ord(char): PRINTABLE.find(char.lower()) + 1 for char in PRINTABLE}

_DIGITS = tuple(_LOWER[ord(digit)] for digit in digits)

_LETTERS = tuple(_LOWER[ord(letter)] for letter in ascii_lowercase)


@dataclass(frozen=True)
class Word:
    """A word of an instruction.

    Attributes:
        end: index of the token after it, where it is known to be whole.
        letters: classes of the letter tower, in lower case; 0 = what it cannot read.
    """

    end: int
    letters: tuple[int, ...]


@dataclass(frozen=True)
class Lines:
    """The letters of one picture, in rows of cells.

    Attributes:
        shares: (M, width, classes) uint8, how likely each letter is, of 255; capital letters are
            counted among the small ones.
        names: (M, width) uint8, the likeliest letter in a cell and those above and below, as an
            index into `PRINTABLE`, capital letters apart.
        weights: (M, width) uint8, how sure it is that there is any.
        heights: (M,) which rows of cells these are.
        grid: (rows, columns) of the picture in patches.
    """

    shares: Tensor
    names: Tensor
    weights: Tensor
    heights: Tensor
    grid: tuple[int, int]


@dataclass(frozen=True)
class Found:
    """The words of one instruction on one picture.

    Attributes:
        ends: index of the token after each word.
        shares: (W, L), from `find`.
    """

    ends: tuple[int, ...]
    shares: Tensor


@dataclass(frozen=True)
class Sought:
    """The words of the instructions that some states answer.

    Attributes:
        known: (Q, W, known), what `QuotingHead.read` knows of the end of each word.
        own: (Q, W), False where a row has fewer words.
        shares: (Q, W, L), from `find`.
    """

    known: Tensor
    own: Tensor
    shares: Tensor


def words(ids: Sequence[int]) -> tuple[Word, ...]:
    """The words among token ids: bytes are letters, any other token ends a word.

    A date is looked for as calendars write it.
    """
    found: list[Word] = []
    letters: list[int] = []
    for index, token in enumerate(ids):
        if token < 256 and token not in BETWEEN:
            letters.append(_LOWER.get(token, 0))
        elif letters:
            found.append(Word(index, tuple(letters[:LONGEST])))
            letters = []
    return tuple(_dates_as_calendars_write_them(found, ids))


def _dates_as_calendars_write_them(found: list[Word], ids: Sequence[int]) -> list[Word]:
    """12/05/2016 is looked for as December, 5 and 2016."""
    for at in range(len(found) - 2):
        three = month, day, year = found[at : at + 3]
        slashes = all(ids[word.end] == ord("/") for word in (month, day))
        adjacent = all(b.end - a.end == len(b.letters) + 1 for a, b in pairwise(three))
        numbers = [_number(word) for word in three]
        written = slashes and adjacent and len(year.letters) == 4 and numbers[2] >= 0
        if written and 0 < numbers[0] <= len(MONTHS) and 0 < numbers[1] <= 31:
            found[at] = replace(month, letters=_letters(MONTHS[numbers[0] - 1]))
            found[at + 1] = replace(day, letters=_letters(str(numbers[1])))
    return found


def _number(word: Word) -> int:
    """What a word of digits says; -1 for anything else."""
    text = "".join(PRINTABLE[letter - 1] if letter else " " for letter in word.letters)
    return int(text) if text.isdigit() else -1


def _letters(text: str) -> tuple[int, ...]:
    return tuple(_LOWER[ord(char)] for char in text)


@torch.no_grad()
def read_lines(cells: Tensor, grid: tuple[int, int]) -> Lines:
    """The rows of cells in which there are letters.

    Args:
        cells: (L, cells, classes) logits of the letter tower for one picture, raster order.
        grid: its rows and columns of patches.
    """
    rows, columns = grid
    side = round(cells.shape[1] ** 0.5)
    image = cells.view(rows, columns, side, side, -1).transpose(1, 2).flatten(2, 3).flatten(0, 1)
    shares = image.float().softmax(-1)
    heights = (shares[..., 0].amin(1) < 1 - SEEN).nonzero().flatten()
    tall = F.pad(shares, (0, 0, 0, 0, 1, 1))
    tall = tall[heights] + tall[heights + 1] + tall[heights + 2]
    names = tall[..., 1:].argmax(-1)
    weights = tall[..., 1:].sum(-1) * (255 / 3)
    lines = shares[heights]
    upper, lower = (PRINTABLE.index(char) + 1 for char in "Aa")
    lines[..., lower : lower + 26] += lines[..., upper : upper + 26]
    return Lines((lines * 255).byte(), names.byte(), weights.byte(), heights, grid)


@torch.no_grad()
def find(lines: Lines, words: Sequence[Word]) -> Tensor:
    """How much of each word stands in each patch; a number or a letter hardly inside others.

    Returns:
        (W, L) fp32 from 0 to 1: of the best alignment through the patch, the share of letters that
        it gets right, less what it gets wrong; below a half it is 0, at one it is 1.
    """
    rows, columns = lines.grid
    side = lines.shares.shape[1] // columns
    image = lines.shares.new_zeros(rows * side, columns * side, dtype=torch.float32)
    if not words or not len(lines.heights):
        return image.new_zeros(len(words), rows * columns)
    known: dict[tuple[int, ...], Tensor] = {}
    for word in words:
        if word.letters not in known:
            image[lines.heights] = _aligned(lines.shares, word.letters)
            patches = image.view(rows, side, columns, side).amax((1, 3))
            known[word.letters] = patches.flatten()
    return torch.stack([known[word.letters] for word in words])


def _aligned(shares: Tensor, letters: Sequence[int]) -> Tensor:
    """(M, width) from 0 to 1: how good the best alignment through the letter in each cell is."""
    gains = shares[..., list(letters)].permute(2, 0, 1).float() * ((RIGHT - WRONG) / 255) + WRONG
    gains[[index for index, letter in enumerate(letters) if not letter]] = WRONG
    for place, side in ((0, -1), (-1, 1)):
        if letters[place] in _DIGITS:
            gains[place] -= INSIDE * len(letters) / 2 * _beside(shares, _DIGITS, side)
        elif len(letters) == 1:
            gains[place] -= WITHIN / 2 * _beside(shares, _LETTERS, side)
    forward = _scores(gains)
    backward = _scores(gains.flip(0, 2)).flip(0, 2)
    through = (forward + backward - gains).masked_fill(gains <= 0, 0.0)
    return (through.amax(0) * (2 / len(letters)) - 1).clamp(0, 1)


def _beside(shares: Tensor, those: Sequence[int], side: int) -> Tensor:
    """(M, width) from 0 to 1: is one of those just before (-1) or after (1) each cell?"""
    here = shares[..., list(those)].sum(-1) / 255
    farthest = max(ADJACENT)
    near = F.pad(here, (farthest, farthest)).unfold(1, here.shape[1], 1)
    return near[:, [farthest + side * cells for cells in ADJACENT]].amax(1)


def _scores(gains: Tensor) -> Tensor:
    """(n, M, width) gains of each letter in each cell -> best sums of alignments that end there."""
    best = [gains[0]]
    for gain in gains[1:]:
        before = F.max_pool1d(F.pad(best[-1], (REACH, -1), value=-LONGEST), REACH, 1)
        best.append(torch.maximum(gain + before, best[-1] + MISSED))
    return torch.stack(best)


def chosen(query: Tensor, keys: Tensor, nothing: Tensor, sought: Sought) -> Tensor:
    """Where the words stand that some heads choose.

    Args:
        query: (Q, heads * SIZE).
        keys: (Q, W, heads * SIZE), of the words.
        nothing: (heads,), a tenth of the logit of choosing no word.
        sought: the words.

    Returns:
        (Q, heads, L) fp32: shares of each word, weighted by how much it is chosen.
    """
    heads = query.unflatten(-1, (-1, SIZE)).float()
    words = keys.unflatten(-1, (-1, SIZE)).float()
    logits = torch.einsum("qhc,qwhc->qhw", heads, words) * SIZE**-0.5
    logits = logits.masked_fill(~sought.own.unsqueeze(1), float("-inf"))
    none = TENFOLD * nothing.view(-1, 1).expand(len(query), -1, -1)
    return torch.cat([none, logits], -1).softmax(-1)[..., 1:] @ sought.shares


class Lexicon(nn.Module):
    """What to make of words that stand on the screen: two uses of `find`.

    The token after a word learns what the patches look like in which the word stands (`hints`). And
    where a coordinate is due, a head chooses a word (`choose`), and the patches of that word, or
    those at a certain distance from them, are pointed at (`aim`).
    """

    def __init__(self, config: KimiVLConfig, heads: int, known: int) -> None:
        super().__init__()
        seen, hidden = config.vision.hidden_size, config.text.hidden_size
        self.heads = heads
        self.gain = nn.Parameter(torch.full((heads,), 0.8))
        self.nowhere = nn.Parameter(torch.full((heads,), 0.4))
        self.place = nn.Linear(seen, heads)
        self.value = nn.Linear(seen, heads * SIZE)
        self.hint = nn.Linear(heads * SIZE, hidden)
        self.query = nn.Linear(hidden, heads * SIZE)
        self.key = nn.Linear(known, heads * SIZE)
        self.nothing = nn.Parameter(torch.zeros(heads))
        self.spread = nn.Conv2d(heads, 1, (5, 9), padding=(2, 4), bias=False)

    def hints(self, shares: Tensor, patches: Tensor) -> Tensor:
        """What each word looks like where it stands.

        Args:
            shares: (W, L), from `find`.
            patches: (L, vision hidden) of the same picture.

        Returns:
            (W, text hidden), to be added to the embedding of the token after each word.
        """
        places = self.place(patches).T.float().unsqueeze(1)
        gain, nowhere = (TENFOLD * x.view(-1, 1, 1) for x in (self.gain, self.nowhere))
        logits = shares.clamp(min=1e-9).log() + gain * shares + places
        nowhere = nowhere.expand(-1, len(shares), 1)
        weights = torch.cat([nowhere, logits], -1).softmax(-1)[..., 1:]
        values = self.value(patches).unflatten(-1, (self.heads, SIZE)).transpose(0, 1)
        return self.hint((weights.to(values.dtype) @ values).transpose(0, 1).flatten(1))

    def choose(self, states: Tensor, sought: Sought) -> Tensor:
        """Where the words stand that each head chooses: (Q, text hidden) -> (Q, heads, L) fp32."""
        return chosen(self.query(states), self.key(sought.known), self.nothing, sought)

    def aim(self, maps: Tensor, grid: tuple[int, int]) -> Tensor:
        """What the words add to the logits of pointing.

        Args:
            maps: (Q, heads, L), from `choose`.
            grid: rows and columns of patches.

        Returns:
            (Q, L) fp32.
        """
        maps = TENFOLD * maps.unflatten(-1, grid)
        return F.conv2d(maps, self.spread.weight.float(), padding=(2, 4)).flatten(1)
