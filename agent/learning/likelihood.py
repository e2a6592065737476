"""How likely a network finds answers: what preference and reinforcement learning differentiate.

The likelihood of an answer is that of its words, of the patches that its coordinates lie in, and of
where it quotes a typed text from.
Where inside a patch a point lies is no choice: the network computes it. Words are judged without
the grammar that holds them at run time; a network that was trained on actions gives next to
nothing to what the grammar forbids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from actions.space import Click, points
from agent.learning.batch import IGNORE, Batch, collate
from agent.learning.looking import copied, look, point
from agent.learning.samples import Glyphs, Question, Sample
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import screen_ids
from agent.model.quoting import QuotingHead
from agent.model.tokenizer import Tokenizer
from agent.policies.base import Observation
from vision.frame import Frame
from vision.geometry import Point

_NO_GLYPHS = Glyphs("", np.zeros((0, 2), np.float32))


@dataclass(frozen=True)
class Answer:
    """A screen, a question about it, and an answer (`question.action`), right or wrong.

    Attributes:
        frame: its box starts at (0, 0); the question's points are pixels of it.
        question: instruction, answer, and what was done before.
    """

    frame: Frame
    question: Question


@dataclass(frozen=True)
class Likelihoods:
    """N answers as a network sees them.

    Attributes:
        log_probs: (N,), natural logarithms, fp32.
        features: (N, F), what the network makes of the screen and the question: the mean of the
            screen's patches, then the decoder's state where the answer begins. No gradient.
    """

    log_probs: Tensor
    features: Tensor


def likelihoods(
    model: KimiVL,
    answers: Sequence[Answer],
    tokenizer: Tokenizer,
    temperature: float = 1.0,
) -> Likelihoods:
    """The log-likelihood of each answer.

    Answers about the same screen share its encoding, and equal ones are computed once.

    Args:
        model: in eval mode, so that no statistic of the batch is in the result.
        answers: at least one, all screens of one size.
        tokenizer: the model's.
        temperature: divides all logits first.
    """
    screens: dict[str, dict[Question, int]] = {}
    frames: dict[str, Frame] = {}
    for answer in answers:
        asked = screens.setdefault(answer.frame.digest, {})
        asked.setdefault(answer.question, len(asked))
        frames.setdefault(answer.frame.digest, answer.frame)
    samples = [
        Sample(frames[key].pixels, tuple(asked), _NO_GLYPHS) for key, asked in screens.items()
    ]
    batch = collate(samples, tokenizer)
    most = max(map(len, screens.values()))
    found = _table(model, batch, tokenizer, most, temperature)
    rows = {key: row for row, key in enumerate(screens)}
    where = torch.tensor(
        [rows[a.frame.digest] * most + screens[a.frame.digest][a.question] for a in answers]
    )
    return Likelihoods(found.log_probs[where], found.features[where])


def _table(
    model: KimiVL, batch: Batch, tokenizer: Tokenizer, most: int, temperature: float
) -> Likelihoods:
    """The same for every question of a batch, at row * most + its number in the row."""
    looked = look(model, batch)
    states = looked.states
    (rows, columns), count = batch.grids[0], len(batch.grids)
    prefix = len(screen_ids(tokenizer, rows * columns // 4))
    number = (batch.positions == prefix).cumsum(1) - 1
    owner = number + torch.arange(count).unsqueeze(1) * most
    wanted = looked.labels != IGNORE
    logits = model.language_model.lm_head(states[wanted]).float() / temperature
    total = torch.zeros(count * most).index_add(
        0, owner[wanted], _chosen(logits, looked.labels[wanted])
    )
    if len(batch.point_rows):
        logits = point(model, batch, looked).logits.float() / temperature
        where = owner[batch.point_rows, batch.point_tokens]
        total = total.index_add(0, where, _chosen(logits, batch.point_patches))
    if model.quoter is not None and len(batch.quote_rows):
        where = owner[batch.quote_rows, batch.quote_tokens]
        typing = states[batch.quote_rows, batch.quote_tokens]
        total = total.index_add(0, where, _quoting(model.quoter, typing, batch))
    if looked.copies:
        numbers = torch.tensor([copy.number for copy in looked.copies])
        where = owner[batch.quote_rows[numbers], batch.quote_tokens[numbers]]
        total = total.index_add(0, where, copied(model, batch, looked)[0])
    owners = owner[wanted]
    first = torch.cat([owners.new_ones(1, dtype=torch.bool), owners[1:] != owners[:-1]])
    begin = states.new_zeros(count * most, states.shape[-1])
    begin = begin.index_put((owners[first],), states[wanted][first])
    seen = looked.patches.mean(1).repeat_interleave(most, 0)
    return Likelihoods(total, torch.cat([seen, begin], -1).detach())


def click_likelihoods(
    model: KimiVL, answers: Sequence[Answer], tokenizer: Tokenizer, temperature: float = 1.0
) -> Likelihoods:
    """The same where nothing but clicks can be chosen: only the patch counts.

    All patches of a screen come from one look at it.

    Args:
        model: in eval mode.
        answers: clicks without anything done before; all screens of one size.
        tokenizer: the model's.
        temperature: divides all logits first.
    """
    screens = {a.frame.digest: Observation(a.question.instruction, a.frame) for a in answers}
    logits, features = click_logits(model, list(screens.values()), tokenizer)
    side = model.config.vision.patch_size
    rows = {key: row for row, key in enumerate(screens)}
    where = torch.tensor([rows[answer.frame.digest] for answer in answers])
    patches = torch.tensor([_patch(answer, side) for answer in answers])
    log_probs = (logits / temperature).log_softmax(-1)[where, patches]
    return Likelihoods(log_probs, features[where])


def click_logits(
    model: KimiVL, screens: Sequence[Observation], tokenizer: Tokenizer
) -> tuple[Tensor, Tensor]:
    """How a click is spread over the patches of each screen.

    Returns:
        (N, L) logits, and the features that `Likelihoods` has.
    """
    anywhere = Click(Point(0, 0))
    samples = [
        Sample(seen.frame.pixels, (Question(seen.instruction, anywhere),), _NO_GLYPHS)
        for seen in screens
    ]
    batch = collate(samples, tokenizer)
    seen = look(model, batch)
    asking = seen.states[batch.point_rows, batch.point_tokens]
    features = torch.cat([seen.patches.mean(1), asking], -1).detach()
    return point(model, batch, seen).logits.float(), features


def _patch(answer: Answer, side: int) -> int:
    """The number of the patch that a click lies in."""
    (point,) = points(answer.question.action)
    return int(point.y // side) * (answer.frame.width // side) + int(point.x // side)


def _quoting(quoter: QuotingHead, typing: Tensor, batch: Batch) -> Tensor:
    """(K,) log-probabilities of where typed texts are quoted from, or that they are not."""
    known = quoter.read(batch.asked[batch.quote_asked])
    quotable = batch.quotable[batch.quote_asked]
    found = _chosen(quoter.starts(typing, known, quotable), batch.quote_starts)
    some = batch.quote_starts > 0
    begun = batch.quote_starts[some] - 1
    ends = quoter.ends(typing[some], known[some], quotable[some], begun)
    cases = _chosen(quoter.case(typing[some]), batch.quote_cases[some])
    return found.index_put((some,), found[some] + _chosen(ends, batch.quote_ends[some]) + cases)


def _chosen(logits: Tensor, choices: Tensor) -> Tensor:
    """(N, C) logits and (N,) choices -> (N,) log-probabilities."""
    return logits.log_softmax(-1).gather(-1, choices.unsqueeze(-1)).squeeze(-1)
