"""OSWorld's result folders: `traj.jsonl`, a picture per step, `result.txt`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.episodes.format import StepRecord
from agent.episodes.reader import Episode
from agent.exports.samples import Sample, samples, save_picture, write_lines
from vision.geometry import Size


def write(episodes: Sequence[Episode], out: Path) -> int:
    """A folder per episode, named by its id; steps that have no code are counted."""
    left_out = 0
    for episode in episodes:
        folder = out / episode.head.id
        folder.mkdir()
        told = list(_rows(episode, folder))
        left_out += sum(row["action"] is None for row in told)
        write_lines(folder / "traj.jsonl", iter(told))
        reward = episode.outcome.reward if episode.outcome is not None else None
        (folder / "result.txt").write_text(f"{reward if reward is not None else 0.0}\n")
    return left_out


def _rows(episode: Episode, folder: Path) -> Iterator[dict[str, Any]]:
    parsed = {sample.record.index: sample for sample in samples(episode)}
    last = len(episode.steps) - 1
    for step in episode.steps:
        when = datetime.fromtimestamp(step.time, UTC).strftime("%Y%m%d@%H%M%S%f")
        name = f"step_{step.index + 1}_{when}.png"
        save_picture(episode.frame(step), folder, name)
        reward = episode.outcome.reward if episode.outcome and step.index == last else None
        yield {
            "step_num": step.index + 1,
            "action_timestamp": when,
            "action": _code(parsed.get(step.index)),
            "response": step.text,
            "reward": reward or 0,
            "done": step.index == last and episode.outcome is not None,
            "info": _info(episode, step),
            "screenshot_file": name,
        }


def _code(sample: Sample | None) -> str | None:
    """Pyautogui in pixels of the picture; None when there is no code for the step."""
    if sample is None:
        return None
    text = sample.written("opencua-absolute", Size(sample.frame.width, sample.frame.height))
    return None if text is None else text.partition("```python\n")[2].partition("\n```")[0]


def _info(episode: Episode, step: StepRecord) -> dict[str, Any]:
    """What the format has no member for; `agent.imports` reads it back."""
    return {
        "instruction": episode.head.instruction,
        "dialect": episode.head.dialect,
        "error": step.error,
        "receipts": [receipt.outcome for receipt in step.receipts],
        "feedback": step.feedback,
        "end": None if episode.outcome is None else episode.outcome.end,
    }
