"""One forward pass over a batch: what the network sees, and where it would point."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from agent.learning.batch import Batch
from agent.model.kimi_vl import Encoded, KimiVL
from agent.model.lexical import find


@dataclass(frozen=True)
class Look:
    """A batch as the network sees it.

    Attributes:
        encoded: its screens.
        states: (B, T, text hidden) of the decoder.
        shares: for each question (W, L), where its words stand; empty without a lexicon.
    """

    encoded: Encoded
    states: Tensor
    shares: tuple[Tensor, ...]

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
    return Look(encoded, states, shares)


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


def point(model: KimiVL, batch: Batch, seen: Look) -> tuple[Tensor, Tensor]:
    """Where each coordinate of a batch would lie.

    Returns:
        (Q, L) logits of the patches and (Q, L, size) keys of the pointing head.
    """
    assert model.pointer is not None
    states = seen.states[batch.point_rows, batch.point_tokens]
    # Every question of a screen is compared with that screen's patches only.
    keys = model.pointer.keys(seen.patches)[batch.point_rows]
    logits = model.pointer(states, keys)
    if model.lexicon is None or model.quoter is None or not len(states):
        return logits, keys
    of = batch.point_asked.tolist()
    shares = pad_sequence([seen.shares[n] for n in of], batch_first=True)
    ends = pad_sequence(
        [torch.tensor([word.end for word in batch.words[n]], dtype=torch.long) for n in of],
        batch_first=True,
    )
    counts = torch.tensor([len(batch.words[n]) for n in of])
    own = torch.arange(ends.shape[1]) < counts[:, None]
    known = model.quoter.read(batch.asked)[batch.point_asked[:, None], ends]
    return logits + model.lexicon.aim(states, known, own, shares, batch.grids[0]), keys
