"""What training minimises, and the accuracies that people read."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from agent.learning.batch import BESIDE, IGNORE, Batch
from agent.learning.looking import Look, copied, look, point
from agent.model.kimi_vl import KimiVL
from agent.model.pointing import places


@dataclass(frozen=True)
class Weights:
    """How much each loss counts."""

    text: float = 0.5
    point: float = 1.0
    offset: float = 1.0
    read: float = 1.0
    spell: float = 1.0
    quote: float = 1.0
    copy: float = 1.0
    write: float = 0.0


@dataclass(frozen=True)
class Scores:
    """One batch, scored: the loss to minimise and plain numbers to log, NaN where nobody asked."""

    loss: Tensor
    metrics: dict[str, Tensor]


def score(model: KimiVL, batch: Batch, weights: Weights) -> Scores:
    """Forward pass and losses of a batch.

    Where nobody asks anything and the patches need not be read, only stem and letter tower run.
    """
    if not weights.read and (batch.labels == IGNORE).all():
        return _spelling_alone(model, batch, weights)
    seen = look(model, batch)
    encoded, states = seen.encoded, seen.states
    text, text_right = _text(model, seen)
    pointed, point_right, offset = _point(model, seen, batch)
    read, read_right = _read(model, encoded.patches, batch.glyphs)
    quoted, quote_right = _quote(model, states, batch)
    copying, copy_right = _copy(model, seen, batch)
    writing, write_right = _write(model, seen, batch)
    spell, spell_right = _spell(encoded.letters, batch.letters, states)
    loss = (
        weights.text * text
        + weights.point * pointed
        + weights.offset * offset
        + weights.read * read
        + weights.quote * quoted
        + weights.copy * copying
        + weights.write * writing
        + weights.spell * spell
    )
    metrics = {
        "loss": loss, "text_loss": text, "point_loss": pointed, "read_loss": read,
        "offset_error": offset.where(~point_right.isnan(), torch.nan), "text_right": text_right,
        "point_right": point_right, "read_right": read_right, "quote_loss": quoted,
        "quote_right": quote_right, "copy_loss": copying, "copy_right": copy_right,
        "write_loss": writing, "write_right": write_right, "spell_loss": spell,
        "spell_right": spell_right,
    }  # fmt: skip
    return Scores(loss, {name: value.detach() for name, value in metrics.items()})


def _spelling_alone(model: KimiVL, batch: Batch, weights: Weights) -> Scores:
    embedded, letters = model.vision_tower.embed(batch.patches, batch.grids)
    spell, right = _spell(letters, batch.letters, embedded)
    loss = weights.spell * spell
    metrics = {"loss": loss, "spell_loss": spell, "spell_right": right}
    return Scores(loss, {name: value.detach() for name, value in metrics.items()})


def _text(model: KimiVL, seen: Look) -> tuple[Tensor, Tensor]:
    """Cross-entropy and accuracy of the answers' tokens."""
    states, wanted = seen.states, seen.labels != IGNORE
    if not wanted.any():  # of use to nobody, but the backward pass is that of any other batch
        return states.sum() * 0.0, _nobody(states)
    logits = model.language_model.lm_head(states[wanted]).float()
    labels = seen.labels[wanted]
    return F.cross_entropy(logits, labels), (logits.argmax(-1) == labels).float().mean()


def _point(model: KimiVL, seen: Look, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Soft cross-entropy over patches, share of points on target, mean offset error."""
    states = seen.states
    if not len(batch.point_rows):
        return states.new_zeros(()), _nobody(states), states.new_zeros(())
    asking = states[batch.point_rows, batch.point_tokens]
    pointed = point(model, batch, seen)
    logits = pointed.logits
    loss = -(batch.point_targets * logits.log_softmax(-1)).sum(-1).mean()
    hit = batch.point_targets.gather(1, logits.argmax(-1, keepdim=True)) > 0
    inside = places(model, asking, pointed, batch.point_patches)
    offset = (inside - batch.point_offsets).abs().mean()
    return loss, hit.float().mean(), offset


def _quote(model: KimiVL, states: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Cross-entropy of begin, end and letter case of quotations, and the share right in all."""
    if model.quoter is None or not len(batch.quote_rows):
        return states.new_zeros(()), _nobody(states)
    typing = states[batch.quote_rows, batch.quote_tokens]
    known = model.quoter.read(batch.asked[batch.quote_asked])
    quotable = batch.quotable[batch.quote_asked]
    starts = model.quoter.starts(typing, known, quotable)
    loss = F.cross_entropy(starts, batch.quote_starts)
    right = starts.argmax(-1) == batch.quote_starts
    some = batch.quote_starts > 0
    if some.any():
        begun = batch.quote_starts[some] - 1
        ends = model.quoter.ends(typing[some], known[some], quotable[some], begun)
        loss = loss + F.cross_entropy(ends, batch.quote_ends[some])
        cases = model.quoter.case(typing[some]).float()
        loss = loss + F.cross_entropy(cases, batch.quote_cases[some])
        right[some] &= ends.argmax(-1) == batch.quote_ends[some]
        right[some] &= cases.argmax(-1) == batch.quote_cases[some]
    return loss, right.float().mean()


def _copy(model: KimiVL, seen: Look, batch: Batch) -> tuple[Tensor, Tensor]:
    """Negative log-likelihood of copies from the screen, and the share that is right."""
    if not seen.copies:
        return seen.states.new_zeros(()), _nobody(seen.states)
    likely, right = copied(model, batch, seen)
    return -likely.mean(), right.float().mean()


def _write(model: KimiVL, seen: Look, batch: Batch) -> tuple[Tensor, Tensor]:
    """Negative log-likelihood of texts that stand nowhere, as a sum does, and the share right.

    Their few tokens are lost among all those of `_text`, most of which are easy.
    """
    copied = {copy.number for copy in seen.copies if copy.spans}
    starts = batch.quote_starts.tolist()
    free = [
        (number, len(text))
        for number, text in enumerate(batch.quote_texts)
        if text and not starts[number] and number not in copied
    ]
    if not free:
        return seen.states.new_zeros(()), _nobody(seen.states)
    owners = torch.cat([torch.full((length + 1,), at) for at, (_, length) in enumerate(free)])
    tokens = torch.cat([batch.quote_tokens[n] + torch.arange(length + 1) for n, length in free])
    rows = batch.quote_rows[[number for number, _ in free]][owners]
    logits = model.language_model.lm_head(seen.states[rows, tokens]).float()
    losses = F.cross_entropy(logits, seen.labels[rows, tokens], reduction="none")
    wrong = logits.argmax(-1) != seen.labels[rows, tokens]
    texts = losses.new_zeros(len(free))
    right = texts.index_add(0, owners, wrong.float()) == 0
    return texts.index_add(0, owners, losses).mean(), right.float().mean()


def _read(model: KimiVL, patches: Tensor, glyphs: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy over letters and empty slots, and the share of letters that are right."""
    assert model.reader is not None
    letters, empty = glyphs.flatten() > 0, glyphs.flatten() == 0
    if not letters.any():  # nobody knows what is written on these screens
        return patches.new_zeros(()), _nobody(patches)
    logits = model.reader(patches).float()
    losses = F.cross_entropy(logits.flatten(0, 1), glyphs.flatten(), reduction="none")
    # Most slots are empty; letters and empty slots each get half of the loss.
    loss = 0.5 * losses[letters].mean() + 0.5 * losses[empty].mean()
    right = (logits.argmax(-1).flatten() == glyphs.flatten())[letters].float().mean()
    return loss, right


def _spell(letters: Tensor | None, wanted: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of cells with a letter, and of those beside and elsewhere; letters right."""
    some, none = wanted > 0, (wanted == 0).nonzero()
    if letters is None or not some.any():
        return like.new_zeros(()), _nobody(like)
    logits = letters[some].float()
    empty = none[:: max(1, len(none) // len(logits))]  # most are: an even share of them is enough
    found = F.cross_entropy(logits, wanted[some])
    blank = _blank(letters[wanted == BESIDE]) + _blank(letters[empty[:, 0], empty[:, 1]])
    loss = 0.5 * found + 0.25 * blank
    return loss, (logits.argmax(-1) == wanted[some]).float().mean()


def _blank(logits: Tensor) -> Tensor:
    """Mean cross-entropy of (n, classes) where there is no letter."""
    if not len(logits):
        return logits.sum().float()
    return F.cross_entropy(logits.float(), torch.zeros(len(logits), dtype=torch.long))


def _nobody(like: Tensor) -> Tensor:
    """The accuracy of questions that nobody asked."""
    return like.new_full((), torch.nan)
