"""How often a model decides as the demonstrator did, in states of pages that it has not seen.

Episodes tell whether a task is solved, decisions why not: each state is asked for itself, whatever
the model would have done before, and a shard has hundreds of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import torch
from rich.table import Table as RichTable

from agent.learning.batch import collate
from agent.learning.losses import Weights, score
from agent.learning.precision import quick_numbers
from agent.learning.samples import Sample, read_shard, task_of
from agent.learning.scores import wilson
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import embedded_tokenizer

PARTS = {
    "text": "text_right",
    "point": "point_right",
    "quote": "quote_right",
    "copy": "copy_right",
    "write": "write_right",
}
"""What a decision consists of: which action it is and what it types, where, what it takes over
from the instruction and from the screen, and what it finds words for itself."""


@dataclass(frozen=True)
class Decisions:
    """Those of one task.

    Attributes:
        task: its name.
        states: how many were asked.
        right: in how many of them everything is right.
        asked: in how many each part of `PARTS` is asked.
        wrong: in how many it is wrong.
    """

    task: str
    states: int
    right: int
    asked: Mapping[str, int]
    wrong: Mapping[str, int]


def evaluate_decisions(
    model: KimiVL,
    shards: Iterable[Path],
    states: int,
    progress: Callable[[], None] = lambda: None,
) -> tuple[Decisions, ...]:
    """Ask the first question of demonstrated states, a page's own task.

    Args:
        model: has the embedded model's heads and vocabulary.
        shards: made by `agent.learning.demonstrate`.
        states: most of a task; which ones is decided by the shards alone.
        progress: called after each task.

    Raises:
        ShardError: a shard that cannot be read.
    """
    tasks: dict[str, list[Path]] = {}
    for shard in sorted(shards):
        tasks.setdefault(task_of(shard), []).append(shard)
    found = []
    for task, paths in sorted(tasks.items()):
        samples = [sample for path in paths for sample in read_shard(path) if sample.questions]
        chosen = Random(task).sample(samples, min(states, len(samples)))
        found.append(_of_task(model, task, chosen))
        progress()
    return tuple(found)


def _of_task(model: KimiVL, task: str, samples: Sequence[Sample]) -> Decisions:
    asked, wrong = Counter[str](), Counter[str]()
    right = 0
    for sample in samples:
        parts = _parts(model, sample)
        asked.update(parts.keys())
        wrong.update(part for part, good in parts.items() if not good)
        right += all(parts.values())
    return Decisions(task, len(samples), right, dict(asked), dict(wrong))


@torch.no_grad()
def _parts(model: KimiVL, sample: Sample) -> dict[str, bool]:
    """Which parts the answer has, and which of them are right to the last letter."""
    batch = collate([replace(sample, questions=sample.questions[:1])], embedded_tokenizer())
    with quick_numbers():
        metrics = score(model, batch, Weights()).metrics
    shares = {part: float(metrics[name]) for part, name in PARTS.items()}
    return {part: share >= 1 for part, share in shares.items() if share == share}  # not NaN


def total(decisions: Sequence[Decisions]) -> Decisions:
    """Of all tasks together; its own task is "all"."""
    asked, wrong = Counter[str](), Counter[str]()
    for one in decisions:
        asked.update(one.asked)
        wrong.update(one.wrong)
    states = sum(one.states for one in decisions)
    right = sum(one.right for one in decisions)
    return Decisions("all", states, right, dict(asked), dict(wrong))


def to_json(decisions: Sequence[Decisions]) -> list[dict[str, Any]]:
    """Everything, in JSON types."""
    return [asdict(one) for one in (*decisions, total(decisions))]


def to_rich(decisions: Sequence[Decisions]) -> RichTable:
    """For the terminal, the worst task first."""
    shown = RichTable(caption="right of asked; brackets: 95 % interval")
    for heading in ("task", "states", "right", *PARTS):
        shown.add_column(heading, justify="left" if heading == "task" else "right")
    ordered = sorted(decisions, key=lambda one: (one.right / one.states, one.task))
    for one in (*ordered, total(decisions)):
        low, high = wilson(one.right, one.states)
        rate = f"{one.right / one.states:.0%} ({low:.0%}–{high:.0%})"
        parts = (_part(one, part) for part in PARTS)
        shown.add_row(one.task, str(one.states), rate, *parts)
    return shown


def _part(one: Decisions, part: str) -> str:
    asked = one.asked.get(part, 0)
    return f"{asked - one.wrong.get(part, 0)}/{asked}" if asked else "–"
