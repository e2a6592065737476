"""UI-TARS's SFT messages: one conversation per step, the last answer being the step's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.imports.trajectory import Foreign, Taken, Trajectory, inside, member, rows
from agent.policies.profiles import profile_named

_DIALECT = "uitars"
_PICTURE = "<|vision_start|>"
_PROFILE = "uitars-1.0"


def read(source: Path) -> Iterator[Trajectory]:
    """Every episode of a file, or of the `train.jsonl` of a folder.

    A conversation with one answer begins an episode; each later one has an answer more.

    Raises:
        Foreign: a line cannot be understood, or is no continuation of the one before.
        OSError: the file cannot be read.
    """
    file = source / "train.jsonl" if source.is_dir() else source
    instruction, steps = "", list[Taken]()
    for where, row in rows(file):
        turns = member(row, "messages", list, where)
        answers = [turn for turn in turns if _of(turn, "assistant")]
        if len(answers) == 1 and steps:
            yield _trajectory(instruction, steps)
            steps = []
        if len(answers) != len(steps) + 1:
            raise Foreign(f"{where}: expected answer {len(steps) + 1}, actually: {len(answers)}")
        instruction = _instruction(turns)
        if steps:
            steps[-1] = _told(steps[-1], turns)
        steps.append(_step(file.parent, row, answers[-1], where))
    if steps:
        yield _trajectory(instruction, steps)


def _trajectory(instruction: str, steps: list[Taken]) -> Trajectory:
    return Trajectory("uitars", "", instruction, _DIALECT, tuple(steps))


def _of(turn: Any, role: str) -> bool:
    return isinstance(turn, dict) and turn.get("role") == role


def _step(folder: Path, row: dict[str, Any], answer: dict[str, Any], where: str) -> Taken:
    images = member(row, "images", list, where)
    if not images:
        raise Foreign(f"{where}: there is no picture")
    text = member(answer, "content", str, where)
    return Taken(inside(folder, str(images[-1]), where), text)


def _told(step: Taken, turns: list[Any]) -> Taken:
    """The step before with what stands before the last picture: what was told about it."""
    last = next((t["content"] for t in reversed(turns) if _of(t, "user")), "")
    feedback = str(last).partition(_PICTURE)[0].strip()
    return Taken(step.picture, step.text, feedback=feedback)


def _instruction(turns: list[Any]) -> str:
    """The task out of the prompt that the profile sends; else the whole first words of the user."""
    first = str(next((turn.get("content", "") for turn in turns if _of(turn, "user")), ""))
    for message in profile_named(_PROFILE).opening:
        before, marker, after = message.text.partition("{instruction}")
        if marker and first.startswith(before) and first.endswith(after):
            return first[len(before) : len(first) - len(after)]
    return first.partition(_PICTURE)[0].strip()
