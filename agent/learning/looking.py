"""One forward pass over a batch: what the network sees, and where it would point."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from agent.learning.batch import IGNORE, Batch
from agent.model import pointing
from agent.model.copying import find_copies, takeable
from agent.model.kimi_vl import Encoded, KimiVL
from agent.model.lexical import Sought, find
from agent.model.pointing import Pointed
from agent.model.transcript import Transcript


@dataclass(frozen=True)
class Copy:
    """A typed text that is not quoted from its instruction.

    Attributes:
        number: of the text in its batch, `Batch.quote_rows[number]`.
        page: what the tower reads on its screen.
        spans: where the text stands there; empty = nowhere.
    """

    number: int
    page: Transcript
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Look:
    """A batch as the network sees it.

    Attributes:
        encoded: its screens.
        states: (B, T, text hidden) of the decoder.
        shares: for each question (W, L), where its words stand; empty without a lexicon.
        labels: (B, T) those of the batch, but for texts that a head copies from the screen.
        copies: of typed texts that are not quoted; empty without a copying head.
    """

    encoded: Encoded
    states: Tensor
    shares: tuple[Tensor, ...]
    labels: Tensor
    copies: tuple[Copy, ...]

    @property
    def patches(self) -> Tensor:
        """(B, L, vision hidden) features of the screens."""
        return self.encoded.patches.unflatten(0, (len(self.encoded.grids), -1))


def look(model: KimiVL, batch: Batch, encoded: Encoded | None = None) -> Look:
    """Run encoder and decoder; `encoded`: the screens, if they are encoded already."""
    if encoded is None:
        encoded = model.encode(batch.patches, batch.grids)
    shares: tuple[Tensor, ...] = ()
    hints = None
    if model.lexicon is not None:
        rows = batch.asked_rows.tolist()
        shares = tuple(
            find(encoded.lines[row], words) for row, words in zip(rows, batch.words, strict=True)
        )
        hints = _hints(model, batch, encoded, shares)
    states = model.hidden(batch.ids, encoded.tokens, batch.positions, batch.mask, hints=hints)
    copies = _copies(model, batch, encoded)
    labels = batch.labels.clone() if copies else batch.labels
    for copy in copies:
        if copy.spans:
            row, token = int(batch.quote_rows[copy.number]), int(batch.quote_tokens[copy.number])
            labels[row, token : token + len(batch.quote_texts[copy.number])] = IGNORE
    return Look(encoded, states, shares, labels, copies)


def _copies(model: KimiVL, batch: Batch, encoded: Encoded) -> tuple[Copy, ...]:
    """Of the typed texts that are written as they stand, those that are not quoted."""
    if model.copier is None or not encoded.pages:
        return ()
    free = [
        number
        for number, (start, text) in enumerate(
            zip(batch.quote_starts.tolist(), batch.quote_texts, strict=True)
        )
        if text and not start
    ]
    rows = {number: int(batch.quote_rows[number]) for number in free}
    return tuple(
        Copy(number, page, find_copies(batch.quote_texts[number], page))
        for number, row in rows.items()
        if (page := encoded.pages[row]).text
    )


def copied(model: KimiVL, batch: Batch, seen: Look) -> tuple[Tensor, Tensor]:
    """How likely the heads find it to copy as it should be.

    Returns:
        (C,) log-probabilities of `seen.copies`: of any span where the text stands, or of none; and
        (C,) whether that is what the head would do.
    """
    assert model.copier is not None
    head, likely, right = model.copier, [], []
    for copy in seen.copies:
        row = int(batch.quote_rows[copy.number])
        state = seen.states[row, batch.quote_tokens[copy.number]][None]
        known, may = head.read(copy.page, seen.patches[row]), takeable(copy.page)
        asked = _sought(model, batch, seen, [int(batch.quote_asked[copy.number])])
        hint = head.hint(state[0], asked, copy.page)
        starts = head.starts(state, known, may, hint)[0].log_softmax(-1)
        spans = {first + 1: last for first, last in copy.spans} or {0: 0}
        wanted = starts[list(spans)]
        total = wanted.logsumexp(0)
        best = int(starts.argmax())
        if copy.spans:
            start = list(spans)[int(wanted.argmax())]
            ends = head.ends(state, known, may, torch.tensor([start - 1]))[0].log_softmax(-1)
            total = total + ends[spans[start]]
            right.append(best in spans and int(ends.argmax()) == spans[start])
        else:
            right.append(best == 0)
        likely.append(total)
    return torch.stack(likely), torch.tensor(right)


def _hints(model: KimiVL, batch: Batch, encoded: Encoded, shares: tuple[Tensor, ...]) -> Tensor:
    """(B, T, hidden): what each question's words look like, at the tokens after them."""
    assert model.lexicon is not None
    patches = encoded.patches.unflatten(0, (len(batch.grids), -1))
    hints = torch.zeros(*batch.ids.shape, encoded.tokens.shape[-1])
    rows, tokens, values = [], [], []
    for row in range(len(batch.grids)):
        mine = [n for n, owner in enumerate(batch.asked_rows.tolist()) if owner == row]
        ends = [int(batch.asked_starts[n]) + word.end for n in mine for word in batch.words[n]]
        if ends:
            values.append(model.lexicon.hints(torch.cat([shares[n] for n in mine]), patches[row]))
            rows += [row] * len(ends)
            tokens += ends
    if not values:
        return hints
    where = torch.tensor(rows), torch.tensor(tokens)
    return hints.index_put(where, torch.cat(values).to(hints.dtype))


def point(model: KimiVL, batch: Batch, seen: Look) -> Pointed:
    """Where each coordinate of a batch would lie."""
    states = seen.states[batch.point_rows, batch.point_tokens]
    sought = _sought(model, batch, seen, batch.point_asked.tolist()) if len(states) else None
    return pointing.point(model, states, seen.patches, batch.point_rows, batch.grids[0], sought)


def _sought(model: KimiVL, batch: Batch, seen: Look, of: list[int]) -> Sought | None:
    """The words of some questions, by their numbers."""
    if model.lexicon is None or model.quoter is None:
        return None
    shares = pad_sequence([seen.shares[n] for n in of], batch_first=True)
    ends = pad_sequence(
        [torch.tensor([word.end for word in batch.words[n]], dtype=torch.long) for n in of],
        batch_first=True,
    )
    counts = torch.tensor([len(batch.words[n]) for n in of])
    own = torch.arange(ends.shape[1]) < counts[:, None]
    known = model.quoter.read(batch.asked[of])[torch.arange(len(of))[:, None], ends]
    return Sought(known, own, shares)
