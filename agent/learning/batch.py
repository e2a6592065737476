"""Samples -> tensors: one screenshot, many questions, one forward pass.

The questions of a screen share its prefix and cannot see each other (a block-diagonal causal mask),
so that the encoder runs once for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from actions.space import Action, Type, on_points, points
from agent.learning.resizing import at_model_size
from agent.learning.samples import Glyphs, Question, Sample
from agent.model.copying import ASCII
from agent.model.lexical import Word, words
from agent.model.pointer import PRINTABLE
from agent.model.prompt import (
    BOX_END,
    BOX_START,
    PAD,
    answer_ids,
    instruction_ids,
    remembered,
    screen_ids,
)
from agent.model.quoting import LONGEST, TYPING, Quotation, find_quotation, quotable
from agent.model.tokenizer import Tokenizer
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point
from vision.image import ImageConfig, prepare
from vision.stem import CELL

IGNORE = -100
"""Label of tokens that no loss is taken of."""

BESIDE = -1
"""Label of a cell without a letter, beside one that has one: there it is hard to say so."""

BORDER = 0.25
"""Part of a cell in which the middle of a letter may as well be in the next one."""


@dataclass(frozen=True)
class Batch:
    """B screens of one size; T tokens, L patches each; Q coordinates in all.

    Attributes:
        patches: (B * L, 3, p, p) float32.
        grids: (rows, columns) of each screen.
        ids: (B, T) token ids.
        positions: (B, T) positions; every question starts where the screen's prefix ends.
        mask: (B, 1, T, T) boolean, True = may look.
        labels: (B, T) the next token, or IGNORE.
        point_rows: (Q,) which screen a coordinate belongs to.
        point_tokens: (Q,) the index of its box token in the row.
        point_targets: (Q, L) probability of each patch, rows add up to 1.
        point_patches: (Q,) the patch that holds the point.
        point_offsets: (Q, 2) where in that patch, (x, y) in 0..1.
        glyphs: (B * L, slots) classes of the letters centred in each patch.
        letters: (B * L, cells) class of the letter centred in each cell of 2x2 pixels, 0, BESIDE or
            IGNORE, see `letter_cells`.
        asked: (N, S) the instructions of all questions, what was done before included.
        asked_rows: (N,) which screen a question is about.
        asked_starts: (N,) the index of its first token in the row.
        words: N times the words of its instruction; `end` counts from there.
        quotable: (N, S) which of their tokens can be quoted.
        point_asked: (Q,) which question a coordinate answers.
        quote_asked: (K,) which question a typed text answers.
        quote_rows: (K,) which screen it belongs to.
        quote_tokens: (K,) the index of the token before it in the row.
        quote_starts: (K,) where the quotation begins, from 1; 0 = it is written freely.
        quote_ends: (K,) its last token, from 0; 0 where nothing is quoted.
        quote_cases: (K,) in which letters, an index into `CASES`.
        quote_texts: K times the text, where it is written as it stands; else it is empty.
    """

    patches: Tensor
    grids: tuple[tuple[int, int], ...]
    ids: Tensor
    positions: Tensor
    mask: Tensor
    labels: Tensor
    point_rows: Tensor
    point_tokens: Tensor
    point_targets: Tensor
    point_patches: Tensor
    point_offsets: Tensor
    glyphs: Tensor
    letters: Tensor
    asked: Tensor
    asked_rows: Tensor
    asked_starts: Tensor
    words: tuple[tuple[Word, ...], ...]
    quotable: Tensor
    point_asked: Tensor
    quote_asked: Tensor
    quote_rows: Tensor
    quote_tokens: Tensor
    quote_starts: Tensor
    quote_ends: Tensor
    quote_cases: Tensor
    quote_texts: tuple[str, ...]


@dataclass(frozen=True)
class _Typed:
    """A typed text: its question, the token before it in its row, where the instruction has it."""

    question: int
    token: int
    found: Quotation | None
    text: str


@dataclass(frozen=True)
class _Row:
    """One screen, tokenised."""

    ids: list[int]
    positions: list[int]
    owners: list[int]
    labels: list[int]
    asked: list[tuple[int, list[int]]] = field(default_factory=list)
    targets: list[tuple[int, int, Point, tuple[Box, ...]]] = field(default_factory=list)
    quotations: list[_Typed] = field(default_factory=list)


def collate(samples: Sequence[Sample], tokenizer: Tokenizer, slots: int = 3) -> Batch:
    """Samples of one screen size -> a batch.

    Raises:
        ValueError: the screens differ in size.
    """
    if len({sample.pixels.shape for sample in samples}) != 1:
        raise ValueError("all screens of a batch must have one size")
    config = ImageConfig()
    samples = [at_model_size(sample, config) for sample in samples]
    frames = [Frame(s.pixels, Box(0, 0, s.pixels.shape[1], s.pixels.shape[0])) for s in samples]
    prepared = [prepare(frame, config) for frame in frames]
    grid = prepared[0].grid_hw
    rows = [
        _row(sample.questions, tokenizer, grid, p.map)
        for sample, p in zip(samples, prepared, strict=True)
    ]
    ids, positions, mask, labels = _pad(rows, tokenizer.special(PAD))
    pointed = [(index, *target) for index, row in enumerate(rows) for target in row.targets]
    aims = [_aim(point, boxes, grid, config.patch_size) for *_, point, boxes in pointed]
    before = [sum(len(row.asked) for row in rows[:index]) for index in range(len(rows))]
    return Batch(
        patches=torch.from_numpy(np.concatenate([p.patches for p in prepared])),
        grids=tuple(p.grid_hw for p in prepared),
        ids=ids,
        positions=positions,
        mask=mask,
        labels=labels,
        point_rows=torch.tensor([row for row, *_ in pointed], dtype=torch.long),
        point_tokens=torch.tensor([token for _, _, token, *_ in pointed], dtype=torch.long),
        point_targets=torch.cat([torch.empty(0, grid[0] * grid[1]), *(aim[0] for aim in aims)]),
        point_patches=torch.tensor([patch for _, patch, _ in aims], dtype=torch.long),
        point_offsets=torch.tensor([offset for _, _, offset in aims]).view(-1, 2),
        glyphs=torch.cat([glyph_classes(s.glyphs, grid, slots) for s in samples]),
        letters=torch.cat([letter_cells(s.glyphs, grid) for s in samples]),
        point_asked=torch.tensor([before[row] + n for row, n, *_ in pointed], dtype=torch.long),
        words=tuple(words(ids) for row in rows for _, ids in row.asked),
        **_asked(rows),
        **_quotations(rows, before),
    )


def _row(
    questions: Sequence[Question], tokenizer: Tokenizer, grid: tuple[int, int], map: CoordinateMap
) -> _Row:
    prefix = screen_ids(tokenizer, grid[0] * grid[1] // 4)
    row = _Row(
        list(prefix),
        list(range(len(prefix))),
        [0] * len(prefix),
        [IGNORE] * len(prefix),
    )
    for owner, question in enumerate(questions, 1):
        start = len(row.ids)
        done = [remembered(on_points(action, map.to_model)) for action in question.done]
        asked = instruction_ids(tokenizer, question.instruction, done)
        answer = answer_ids(tokenizer, on_points(question.action, map.to_model))
        ids = asked + answer
        row.ids.extend(ids)
        row.positions.extend(range(len(prefix), len(prefix) + len(ids)))
        row.owners.extend([owner] * len(ids))
        quoted = _quotation(question.action, owner - 1, asked, ids, start, tokenizer)
        row.quotations.extend(quoted)
        row.labels.extend(_next_tokens(ids, len(asked), tokenizer, quoted, start))
        row.targets.extend(
            (owner - 1, *target) for target in _targets(question, ids, start, tokenizer)
        )
        row.asked.append((start, asked[:LONGEST]))
    return row


def _next_tokens(
    ids: list[int], asked: int, tokenizer: Tokenizer, quoted: list[_Typed], start: int
) -> list[int]:
    """Labels of one question: its answer, but for what a head writes: coordinates, quotations."""
    opening, closing = tokenizer.special(BOX_START), tokenizer.special(BOX_END)
    labels, inside = [], False
    for index, following in enumerate([*ids[1:], IGNORE]):
        inside = (inside or ids[index] == opening) and ids[index] != closing
        labels.append(IGNORE if index < asked - 1 or inside else following)
    for quotation in quoted:
        if quotation.found is not None:
            place = quotation.token - start
            labels[place : place + len(quotation.found)] = [IGNORE] * len(quotation.found)
    return labels


def _quotation(
    action: Action,
    number: int,
    asked: list[int],
    ids: list[int],
    start: int,
    tokenizer: Tokenizer,
) -> list[_Typed]:
    """The typed text of an answer, if it types something that its notation does not escape."""
    typing = tokenizer.encode(TYPING)
    if not isinstance(action, Type) or len(typing) != 1 or typing[0] not in ids[len(asked) :]:
        return []
    place = ids.index(typing[0], len(asked))
    content = tokenizer.encode(action.text)
    plain = ids[place + 1 : place + 1 + len(content)] == content
    found = find_quotation(content, asked) if plain else None
    text = action.text if plain and all(token < ASCII for token in content) else ""
    return [_Typed(number, start + place, found, text)]


def _asked(rows: Sequence[_Row]) -> dict[str, Any]:
    """The fields of a batch that are about instructions."""
    found = [(index, start, ids) for index, row in enumerate(rows) for start, ids in row.asked]
    shape = len(found), max((len(ids) for *_, ids in found), default=0)
    asked, may = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.bool)
    for n, (*_, ids) in enumerate(found):
        asked[n, : len(ids)] = torch.tensor(ids)
        may[n, : len(ids)] = torch.tensor(quotable(ids))
    return {
        "asked": asked,
        "asked_rows": torch.tensor([row for row, *_ in found], dtype=torch.long),
        "asked_starts": torch.tensor([start for _, start, _ in found], dtype=torch.long),
        "quotable": may,
    }


def _quotations(rows: Sequence[_Row], before: Sequence[int]) -> dict[str, Any]:
    """The fields of a batch that are about quotations; `before`: questions of earlier rows."""
    found = [(index, quotation) for index, row in enumerate(rows) for quotation in row.quotations]
    spans = [q.found or Quotation(-1, 0) for _, q in found]
    fields = {
        "quote_asked": [before[row] + q.question for row, q in found],
        "quote_rows": [row for row, _ in found],
        "quote_tokens": [q.token for _, q in found],
        "quote_starts": [span.first + 1 for span in spans],
        "quote_ends": [span.last for span in spans],
        "quote_cases": [span.case for span in spans],
    }
    tensors = {name: torch.tensor(values, dtype=torch.long) for name, values in fields.items()}
    return {**tensors, "quote_texts": tuple(quotation.text for _, quotation in found)}


def _targets(
    question: Question, ids: list[int], start: int, tokenizer: Tokenizer
) -> list[tuple[int, Point, tuple[Box, ...]]]:
    """(token index, point, what it may hit) of every coordinate; the point lies in the first."""
    opening = tokenizer.special(BOX_START)
    places = [start + index for index, token in enumerate(ids) if token == opening]
    found = zip(places, points(question.action), strict=True)
    known = ((question.box, *question.also), (question.end,))
    return [
        (place, point, tuple(box or _around(point) for box in boxes))
        for (place, point), boxes in zip(found, known, strict=False)
    ]


def _around(point: Point) -> Box:
    """A tiny target for a point whose element is not known."""
    return Box(point.x - 1, point.y - 1, point.x + 1, point.y + 1)


def _aim(
    point: Point, boxes: Sequence[Box], grid: tuple[int, int], side: int
) -> tuple[Tensor, int, tuple[float, float]]:
    """Patch probabilities (1, L), the point's patch, and the point inside it as (x, y) in 0..1.

    The point lies in the first of the boxes; the middles of the others are as good.
    """
    aims = [point, *(box.center for box in boxes[1:])]
    targets = [_mass(aim, box, grid, side) for aim, box in zip(aims, boxes, strict=True)]
    inside = ((point.x % side) / side, (point.y % side) / side)
    return torch.stack(targets).mean(0, keepdim=True), _patch(point, grid, side), inside


def _mass(point: Point, box: Box, grid: tuple[int, int], side: int) -> Tensor:
    """(L,) how the patches of one target share what its point does not get."""
    rows, columns = grid
    x = (torch.arange(columns) + 0.5) * side
    y = (torch.arange(rows) + 0.5) * side
    inside_x = (x >= box.left) & (x < box.right)
    inside_y = (y >= box.top) & (y < box.bottom)
    target = (inside_y[:, None] & inside_x[None, :]).flatten().float()
    patch = _patch(point, grid, side)
    target[patch] = 1.0
    # Half of the mass on the patch of the click point: the centre of a target is the safest place.
    target = 0.5 * target / target.sum()
    target[patch] += 0.5
    return target


def _patch(point: Point, grid: tuple[int, int], side: int) -> int:
    return int(point.y // side) * grid[1] + int(point.x // side)


def glyph_classes(glyphs: Glyphs, grid: tuple[int, int], slots: int, side: int = 14) -> Tensor:
    """(L, slots) classes of the first letters centred in each patch, 0 where there is none.

    All are IGNORE where no letter is known, as of a program that does not tell what it writes.
    """
    rows, columns = grid
    if not glyphs.chars:
        return torch.full((rows * columns, slots), IGNORE)
    classes = torch.zeros(rows * columns, slots, dtype=torch.long)
    used = [0] * (rows * columns)
    for char, (x, y) in zip(glyphs.chars, glyphs.centers.tolist(), strict=True):
        patch = int(y // side) * columns + int(x // side)
        if 0 <= y < rows * side and 0 <= x < columns * side and used[patch] < slots:
            classes[patch, used[patch]] = PRINTABLE.find(char) + 1
            used[patch] += 1
    return classes


def letter_cells(glyphs: Glyphs, grid: tuple[int, int], side: int = 14) -> Tensor:
    """(L, cells) classes of the letters centred in each cell of 2x2 pixels.

    A letter is named in its cell and those above and below, beside which it is BESIDE. Beyond them
    the answer is IGNORE, and beside them where the middle is near the border, as no one can tell
    to a fraction of a pixel where it is; elsewhere it is 0. All are IGNORE where no letter is
    known.
    """
    if not glyphs.chars:
        return torch.full((grid[0] * grid[1], (side // CELL) ** 2), IGNORE)
    height, width = (patches * side // CELL for patches in grid)
    known = [PRINTABLE.find(char) + 1 for char in glyphs.chars]
    classes = torch.tensor(known, dtype=torch.long)
    centers = torch.from_numpy(glyphs.centers) / CELL
    x, y = centers.floor().long().T
    inside_x = centers[:, 0] % 1
    near = (inside_x > 1 - BORDER).long() - (inside_x < BORDER).long()
    cells = torch.zeros(height + 4, width + 2, dtype=torch.long)  # with a margin of 2 and 1
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y, near, classes = x[inside] + 1, y[inside] + 2, near[inside], classes[inside]
    for down in (-1, 0, 1):
        cells[y + down, x - 1] = cells[y + down, x + 1] = BESIDE
    for down in (-1, 0, 1):
        cells[y + down, x + near] = IGNORE
    for down in (-2, 2):
        cells[y + down, x] = IGNORE
    for down in (-1, 0, 1):
        cells[y + down, x] = classes
    tiles = cells[2:-2, 1:-1].unflatten(1, (grid[1], -1)).unflatten(0, (grid[0], -1))
    return tiles.transpose(1, 2).flatten(2).flatten(0, 1)


def _pad(rows: Sequence[_Row], pad: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ids, positions, mask and labels of rows brought to one length."""
    length = max(len(row.ids) for row in rows)

    def padded(values: list[int], fill: int) -> list[int]:
        return values + [fill] * (length - len(values))

    owners = torch.tensor([padded(row.owners, -1) for row in rows])
    same = owners[:, :, None] == owners[:, None, :]
    shared = (owners[:, None, :] == 0) & (owners[:, :, None] >= 0)
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    return (
        torch.tensor([padded(row.ids, pad) for row in rows]),
        torch.tensor([padded(row.positions, 0) for row in rows]),
        ((same | shared) & causal).unsqueeze(1),
        torch.tensor([padded(row.labels, IGNORE) for row in rows]),
    )
