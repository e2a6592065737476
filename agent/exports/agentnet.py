"""OpenCUA's AgentNet: one line per episode, code with coordinates 0..1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.episodes.format import End
from agent.episodes.reader import Episode
from agent.exports.samples import samples, save_picture, write_lines
from vision.geometry import UNIT

_SOLVED = (End.FINISHED, End.DONE)


def write(episodes: Sequence[Episode], out: Path) -> int:
    """`agentnet.jsonl` and its pictures."""
    left_out = 0
    rows = []
    for episode in episodes:
        row, missing = _row(episode, out)
        rows.append(row)
        left_out += missing
    write_lines(out / "agentnet.jsonl", iter(rows))
    return left_out


def _row(episode: Episode, out: Path) -> tuple[dict[str, Any], int]:
    """An episode, and how many of its steps have no code."""
    turns = []
    left_out = 0
    for sample in samples(episode):
        text = sample.written("opencua", UNIT)
        if text is None:
            left_out += 1
            continue
        code = text.partition("```python\n")[2].partition("\n```")[0]
        value = {"code": code, "thought": sample.record.thought, "action": "", "observation": ""}
        image = save_picture(sample.frame, out / "images")
        turns.append({"index": sample.record.index, "image": image, "value": value})
    outcome = episode.outcome
    solved = outcome is not None and outcome.end in _SOLVED
    return {
        "task_id": episode.head.id,
        "instruction": episode.head.instruction,
        "task_completed": solved,
        "reward": outcome.reward if outcome is not None else None,
        "traj": turns,
    }, left_out
