"""A head that Kimi-VL does not have: typing what stands on the screen.

Some of what an agent types it has to read first: a cell of a table, the last word of a text. The
letter tower has read it (`Transcript`); choosing where it begins and ends is as easy as quoting.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

from agent.model.clues import Clues
from agent.model.config import KimiVLConfig
from agent.model.lexical import Sought
from agent.model.quoting import SpanHead
from agent.model.transcript import Transcript

ASCII = 128
COUNTED = 64
"""Words that are counted, from either end of a block."""

SHORTEST = 3
"""Letters of a text that may be taken from the middle of a word."""


class CopyingHead(SpanHead):
    """Takes text from the screen.

    What is known of a character is its letter and those around, what the encoder makes of its
    patch, and how many words of its block stand before and after it. Words of the instruction may
    give clues where it begins.
    """

    def __init__(self, config: KimiVLConfig, size: int) -> None:
        super().__init__(config.text.hidden_size, size)
        self.embed = nn.Embedding(ASCII, size)
        self.before = nn.Embedding(COUNTED, size)
        self.after = nn.Embedding(COUNTED, size)
        self.seen = nn.Linear(config.vision.hidden_size, size)
        assert config.pointer is not None
        words = config.pointer.quote_size
        self.clues = Clues(config.text.hidden_size, words) if config.pointer.clues else None

    def hint(self, state: Tensor, asked: Sought | None, page: Transcript) -> Tensor | None:
        """(1, T): what the asked words say of each character to a state (hidden,), if anything."""
        if self.clues is None or asked is None or not asked.own.shape[1]:
            return None
        return self.clues(state, asked, page)[None]

    def read(self, page: Transcript, patches: Tensor) -> Tensor:
        """A page of T > 0 characters and its patches (L, vision hidden) -> (1, T, size)."""
        return self.read_all([page], patches, [0]).unsqueeze(0)

    def read_all(
        self, pages: Sequence[Transcript], patches: Tensor, starts: Sequence[int]
    ) -> Tensor:
        """What is known of all characters of some pages, not all of them empty.

        Args:
            pages: what is written on each picture.
            patches: (L, vision hidden) of all pictures, packed.
            starts: which patch is the first one of each.

        Returns:
            (T, size), one page after the other.
        """
        device = patches.device
        lengths = torch.tensor([len(page.text) for page in pages], device=device)
        real = torch.arange(int(lengths.max()), device=device) < lengths[:, None]
        x = patches.new_zeros(*real.shape, self.seen.out_features)
        x = x.masked_scatter(real.unsqueeze(-1), self._letters(pages, patches, starts).to(x.dtype))
        return self.in_context(x, real)[real]

    def _letters(
        self, pages: Sequence[Transcript], patches: Tensor, starts: Sequence[int]
    ) -> Tensor:
        """(T, size): what is known of each character of all pages by itself."""
        letters: list[int] = []
        before: list[int] = []
        after: list[int] = []
        places: list[int] = []
        for page, start in zip(pages, starts, strict=True):
            letters += page.text.encode("ascii")
            here = counts(page.text)
            before += here[0]
            after += here[1]
            places += [start + patch for patch in page.patches]
        device = patches.device
        return (
            self.embed(torch.tensor(letters, device=device))
            + self.before(torch.tensor(before, device=device))
            + self.after(torch.tensor(after, device=device))
            + self.seen(patches[torch.tensor(places, device=device)])
        )


def takeable(page: Transcript) -> Tensor:
    """(1, T): which characters can begin or end a copy: all but spaces."""
    return torch.tensor([[not char.isspace() for char in page.text]])


def counts(text: str) -> tuple[list[int], list[int]]:
    """For each character the words of its block before its own and after it, `COUNTED` - 1 at most.

    Blocks are separated by empty lines.
    """
    before, after = [], []
    for block in text.split("\n\n"):
        padded = " " + block
        begins = [a.isspace() and not b.isspace() for a, b in zip(padded, block, strict=False)]
        words = list(accumulate(begins, initial=0))[1:]
        total = words[-1] if words else 0
        before += [max(0, n - 1) for n in words] + [0, 0]
        after += [total - n for n in words] + [0, 0]
    most = COUNTED - 1
    return [min(n, most) for n in before[:-2]], [min(n, most) for n in after[:-2]]


def find_copies(content: str, page: Transcript) -> tuple[tuple[int, int], ...]:
    """First and last index of every place where a text stands, whole words before parts of words.

    Spaces between words do not count: the tower does not see them. Where a longer text stands
    nowhere, it may have been misread, and the place that is most like it counts, with a quarter of
    its letters wrong at most. A number of one or two digits may be on any page by chance, and a
    space at the end is never read: these are written freely.
    """
    wanted = "".join(content.split())
    if content != content.strip() or (wanted.isdigit() and len(wanted) < SHORTEST):
        return ()
    places = [index for index, char in enumerate(page.text) if not char.isspace()]
    letters = "".join(page.text[index] for index in places)
    found: list[tuple[int, int]] = []
    start = letters.find(wanted) if wanted else -1
    while start >= 0:
        found.append((places[start], places[start + len(wanted) - 1]))
        start = letters.find(wanted, start + 1)
    whole = [span for span in found if _stands_alone(page.text, *span)]
    if whole or len(wanted) < SHORTEST:
        return tuple(whole)
    return tuple(found) or _alike(wanted, letters, places)


def _alike(wanted: str, letters: str, places: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """The place of the piece of a page that takes the fewest edits (Sellers 1980), if so few."""
    costs = [(0, index) for index in range(len(letters) + 1)]  # and where each piece begins
    for row, char in enumerate(wanted, 1):
        edits = [(row, 0)]
        for index, other in enumerate(letters):
            (skipped, a), (both, b), (added, c) = costs[index + 1], costs[index], edits[index]
            edits.append(min((both + (char != other), b), (skipped + 1, a), (added + 1, c)))
        costs = edits
    best, end = min((cost, end) for end, (cost, _) in enumerate(costs))
    start = costs[end][1]
    near = best <= len(wanted) // 4 and start < end
    return ((places[start], places[end - 1]),) if near else ()


def _stands_alone(text: str, first: int, last: int) -> bool:
    return (
        not (text[max(0, first - 1) : first] + text[last + 1 : last + 2]).strip(" \t\n").isalnum()
    )


def copy(
    head: CopyingHead,
    state: Tensor,
    page: Transcript,
    patches: Tensor,
    asked: Sought | None = None,
) -> str:
    """What the state (hidden,) copies from a page, one space between words; maybe nothing."""
    if not page.text:
        return ""
    may, hint = takeable(page).to(state.device), head.hint(state, asked, page)
    span = head.span(state, head.read(page, patches), may, hint)
    return "" if span is None else " ".join(page.text[span[0] : span[1] + 1].split())
