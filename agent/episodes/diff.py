"""What two episodes differ in: the task, and step by step what was seen, said, done and answered.

Identities and clocks (ids, times, milliseconds) always differ and are not compared.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path

import numpy as np

from agent.episodes.format import Ending, StepRecord
from agent.episodes.reader import Episode
from agent.episodes.replay import Difference, lines_of

_HEAD = ("instruction", "dialect", "display", "policy", "source", "rules")


def diff(one: Path | str, other: Path | str) -> tuple[Difference, ...]:
    """Every difference in order; step -1 stands for what belongs to no step.

    Raises:
        EpisodeError: one of them cannot be read.
    """
    first, second = Episode.open(one), Episode.open(other)
    found = [
        _compare(-1, name, str(getattr(first.head, name)), str(getattr(second.head, name)))
        for name in _HEAD
    ]
    for index, (a, b) in enumerate(zip_longest(first.steps, second.steps)):
        if a is None or b is None:
            found.append(_compare(index, "length", *(_there(step) for step in (a, b))))
            break
        found += _steps(first, second, a, b)
    found.append(_compare(-1, "outcome", _ending(first.outcome), _ending(second.outcome)))
    return tuple(difference for difference in found if difference is not None)


def _steps(
    first: Episode, second: Episode, a: StepRecord, b: StepRecord
) -> list[Difference | None]:
    """What one step differs in."""
    pair = (a, b)
    done = [tuple(f"{r.outcome} {r.message}".strip() for r in step.receipts) for step in pair]
    return [
        _picture(first, second, a, b),
        _compare(a.index, "thought", a.thought, b.thought),
        _compare(a.index, "actions", *(_said(step) for step in pair)),
        _compare(a.index, "screen actions", *(lines_of(step.screen_actions) for step in pair)),
        _compare(a.index, "receipts", *done),
    ]


def _picture(first: Episode, second: Episode, a: StepRecord, b: StepRecord) -> Difference | None:
    """How much of the picture is another one."""
    if a.frame.digest == b.frame.digest:
        return None
    seen, now = first.frame(a).pixels, second.frame(b).pixels
    if seen.shape != now.shape:
        sizes = (f"{width} x {height}" for width, height in (a.frame.size, b.frame.size))
        return _compare(a.index, "picture", *sizes)
    share = float(np.any(seen != now, axis=2).mean())
    return Difference(a.index, "picture", (), (f"{share:.2%} of the pixels",))


def _compare(
    step: int, stage: str, expected: str | tuple[str, ...], actual: str | tuple[str, ...]
) -> Difference | None:
    if expected == actual:
        return None
    a, b = ((words,) if isinstance(words, str) else words for words in (expected, actual))
    return Difference(step, stage, a, b)


def _said(step: StepRecord) -> tuple[str, ...]:
    """The actions, or the words that did not amount to any."""
    return lines_of(step.actions) if step.error is None else (f"not a step: {step.text}",)


def _there(step: StepRecord | None) -> str:
    return "no such step" if step is None else "there is one more"


def _ending(outcome: Ending | None) -> str:
    """The ending without its clock."""
    return "not closed" if outcome is None else str(asdict(outcome))
