"""OpenCUA's AgentNet: one line per episode, code with coordinates 0..1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.episodes.format import End, Ending
from agent.imports.trajectory import Taken, Trajectory, inside, member, rows


def read(source: Path) -> Iterator[Trajectory]:
    """Every line of a file, or of the `agentnet.jsonl` of a folder, whose pictures lie in `images`.

    Raises:
        Foreign: a line cannot be understood.
        OSError: the file cannot be read.
    """
    file = source / "agentnet.jsonl" if source.is_dir() else source
    for where, row in rows(file):
        turns = member(row, "traj", list, where)
        steps = tuple(_step(file.parent / "images", turn, where) for turn in turns)
        instruction = member(row, "instruction", str, where)
        name = str(row.get("task_id", ""))
        yield Trajectory("agentnet", name, instruction, "opencua", steps, _ending(row))


def _step(folder: Path, turn: Any, where: str) -> Taken:
    turn = turn if isinstance(turn, dict) else {}
    value = member(turn, "value", dict, where)
    thought, code = str(value.get("thought") or ""), member(value, "code", str, where)
    head = f"## Thought:\n{thought}\n\n" if thought else ""
    picture = inside(folder, member(turn, "image", str, where), where)
    return Taken(picture, f"{head}## Code:\n```python\n{code}\n```")


def _ending(row: dict[str, Any]) -> Ending | None:
    """Finished when it says so; what else may have ended it, it does not tell."""
    if not row.get("task_completed"):
        return None
    reward = row.get("reward")
    return Ending(End.FINISHED, reward=float(reward) if isinstance(reward, int | float) else None)
