"""A head that Kimi-VL does not have: typing by quoting the instruction.

Most text that an agent types stands in its instruction. Copying it byte by byte takes a small
decoder far more examples than we can pay for (docs/experiments.md); choosing where the quotation
begins and ends is as easy as pointing, and what is typed is right to the letter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agent.model.config import KimiVLConfig

TYPING = "type(content='"
"""The piece after which a quotation may stand."""

CLOSINGS = ("'", "')", "\\n')")
"""What may follow a quotation, each one token: it is the whole text that is typed."""

BYTES = 256
"""Smaller token ids are bytes; only these can be quoted."""

CASES = (bytes, bytes.upper, bytes.lower)
"""How a quotation may be typed: as it stands, in capital letters, in small ones."""

LONGEST = 512
"""Tokens of an instruction that are looked at."""

_DILATIONS = (1, 3, 9)


class SpanHead(nn.Module):
    """Compares the decoder's state where text is due with what is known of every character.

    Args:
        hidden: size of the state.
        size: size of what is known of a character.
    """

    def __init__(self, hidden: int, size: int) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(size))
        self.first = nn.Sequential(nn.Linear(hidden, size), nn.GELU(), nn.Linear(size, size))
        self.last = nn.Sequential(nn.Linear(hidden + size, size), nn.GELU(), nn.Linear(size, size))
        self.first_key = nn.Linear(size, size)
        self.last_key = nn.Linear(size, size)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(size, size, 5, padding=2 * dilation, dilation=dilation)
            for dilation in _DILATIONS
        )

    def in_context(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """(N, T, size) -> the same shape: each character with 26 to either side of it.

        `real` (N, T) is False where a text has ended; what comes then is 0, as it is after T.
        """
        for convolution in self.convolutions:
            x = x if real is None else x * real.unsqueeze(-1)
            x = x + F.gelu(convolution(x.transpose(1, 2)).transpose(1, 2))
        return x

    def starts(
        self, states: Tensor, known: Tensor, quotable: Tensor, clues: Tensor | None = None
    ) -> Tensor:
        """Where the text begins.

        Args:
            states: (N, text hidden), at the token `TYPING`.
            known: (N, T, size), of each character.
            quotable: (N, T), True = can be taken.
            clues: (N, T), what else speaks for each character.

        Returns:
            (N, T + 1) logits; index 0 stands for "nothing is taken", i + 1 for character i.
        """
        query = self.first(states)
        logits = _compare(query, self.first_key(known))
        logits = logits if clues is None else logits + clues
        logits = logits.masked_fill(~quotable, float("-inf"))
        return torch.cat([_compare(query, self.nothing[None, None]), logits], -1)

    def ends(self, states: Tensor, known: Tensor, quotable: Tensor, starts: Tensor) -> Tensor:
        """The last character of a text that begins at `starts` (N,): (N, T) logits."""
        begun = known[torch.arange(len(starts)), starts]
        logits = _compare(self.last(torch.cat([states, begun], -1)), self.last_key(known))
        before = torch.arange(known.shape[1], device=known.device) < starts[:, None]
        return logits.masked_fill(~quotable | before, float("-inf"))

    def span(
        self, state: Tensor, known: Tensor, may: Tensor, clues: Tensor | None = None
    ) -> tuple[int, int] | None:
        """First and last character that a state (hidden,) takes of one text; None = nothing."""
        first = int(self.starts(state[None], known, may, clues)[0].argmax()) - 1
        if first < 0:
            return None
        begun = torch.tensor([first], device=state.device)
        return first, int(self.ends(state[None], known, may, begun)[0].argmax())


class QuotingHead(SpanHead):
    """Takes text from the instruction.

    Its bytes are embedded by convolutions that see 26 bytes to either side, not by the decoder: so
    they need no cache, and the end of a quotation is known where it begins.
    """

    def __init__(self, config: KimiVLConfig, size: int) -> None:
        super().__init__(config.text.hidden_size, size)
        self.case = nn.Linear(config.text.hidden_size, len(CASES))
        self.embed = nn.Embedding(config.text.vocab_size, size)
        self.places = nn.Embedding(LONGEST, size)

    def read(self, ids: Tensor) -> Tensor:
        """Instructions as ids (N, T <= LONGEST) -> what is known of each byte, (N, T, size)."""
        return self.in_context(self.embed(ids) + self.places.weight[: ids.shape[1]])


def _compare(query: Tensor, keys: Tensor) -> Tensor:
    """(N, size) and (N or 1, T, size) -> (N, T) scaled dot products in fp32."""
    return (keys.float() @ query.float().unsqueeze(-1)).squeeze(-1) * query.shape[-1] ** -0.5


def quotable(ids: Sequence[int]) -> list[bool]:
    """Which tokens can be quoted: the bytes of the instruction, up to its first line break."""
    line = next((i for i, token in enumerate(ids) if token == 0x0A or token >= BYTES), len(ids))
    return [index < line for index in range(len(ids))]


@dataclass(frozen=True)
class Quotation:
    """A text that stands in an instruction.

    Attributes:
        first: index of its first token.
        last: index of its last token.
        case: how it is typed, an index into `CASES`.
    """

    first: int
    last: int
    case: int = 0

    def __len__(self) -> int:
        """Tokens of the text."""
        return self.last - self.first + 1


def find_quotation(content: Sequence[int], ids: Sequence[int]) -> Quotation | None:
    """Where a text stands in an instruction.

    Whole words come before parts of words, and these before whole words in other letters.
    """
    if not content or max(content) >= BYTES:
        return None
    text = bytes(content)
    line = bytes(token for token, may in zip(ids[:LONGEST], quotable(ids), strict=False) if may)
    found = _places(text, line)
    whole = [start for start in found if _stands_alone(line, start, start + len(text))]
    if whole or found:
        start = (whole or found)[0]
        return Quotation(start, start + len(text) - 1)
    for case, write in enumerate(CASES[1:], 1):
        for start in _places(text, write(line)):
            if _stands_alone(line, start, start + len(text)):
                return Quotation(start, start + len(text) - 1, case)
    return None


def _places(text: bytes, line: bytes) -> list[int]:
    return [start for start in range(len(line)) if line.startswith(text, start)]


def _stands_alone(line: bytes, start: int, stop: int) -> bool:
    around = line[max(0, start - 1) : start] + line[stop : stop + 1]
    return not any(chr(byte).isalnum() for byte in around)


def quote(head: QuotingHead, state: Tensor, ids: Sequence[int]) -> list[int]:
    """What the state (hidden,) quotes from an instruction; empty when it quotes nothing."""
    ids = ids[:LONGEST]
    may = torch.tensor([quotable(ids)], device=state.device)
    if not bool(may.any()):
        return []
    span = head.span(state, head.read(torch.tensor([list(ids)], device=state.device)), may)
    if span is None:
        return []
    return list(CASES[int(head.case(state).argmax())](bytes(ids[span[0] : span[1] + 1])))
