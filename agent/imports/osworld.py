"""OSWorld's result folders: `traj.jsonl`, a picture per step, `result.txt`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actions.dialects import DIALECTS
from actions.receipt import Outcome
from agent.episodes.format import End, Ending
from agent.imports.trajectory import Foreign, Taken, Trajectory, inside, member, rows

_CODE = "opencua-absolute"


def read(source: Path) -> Iterator[Trajectory]:
    """Every folder below `source` that holds a `traj.jsonl`, by name.

    Our own exports say in `info` what was asked and in which dialect `response` is; others have the
    code that was run, and their `response` becomes the thought.

    Raises:
        Foreign: there is none, or one cannot be understood.
        OSError: a file cannot be read.
    """
    files = sorted(source.rglob("traj.jsonl"))
    if not files:
        raise Foreign(
            f"expected a folder with traj.jsonl in it, actually there is none in {source}"
        )
    for file in files:
        yield _trajectory(file)


def _trajectory(file: Path) -> Trajectory:
    found = list(rows(file))
    about = [_info(row) for _, row in found]
    dialects = {info.get("dialect") for info in about}
    ours = len(dialects) == 1 and dialects <= DIALECTS.keys()
    dialect = str(dialects.pop()) if ours else _CODE
    steps = tuple(_step(file.parent, row, where, ours) for where, row in found)
    instruction = str(about[0].get("instruction", "")) if about else ""
    return Trajectory(
        "osworld", file.parent.name, instruction, dialect, steps, _ending(file.parent, found)
    )


def _step(folder: Path, row: dict[str, Any], where: str, ours: bool) -> Taken:
    picture = inside(folder, member(row, "screenshot_file", str, where), where)
    response, code, info = str(row.get("response", "")), row.get("action"), _info(row)
    error = info.get("error")
    if ours:
        text = response
    else:
        text = f"## Thought:\n{response}\n\n## Code:\n```python\n{code or ''}\n```"
        error = error or (None if code else "the source has no action for this step")
    known = {outcome.value for outcome in Outcome}
    told = tuple(Outcome(o) for o in info.get("receipts", ()) if o in known)
    feedback = str(info.get("feedback", ""))
    return Taken(picture, text, _time(row), None if error is None else str(error), feedback, told)


def _info(row: dict[str, Any]) -> dict[str, Any]:
    info = row.get("info")
    return info if isinstance(info, dict) else {}


def _time(row: dict[str, Any]) -> float:
    """Seconds since the epoch of "20261127@203015123456"; 0 when it is written in another way."""
    with suppress(ValueError):
        when = str(row.get("action_timestamp", ""))
        return datetime.strptime(when, "%Y%m%d@%H%M%S%f").replace(tzinfo=UTC).timestamp()
    return 0.0


def _ending(folder: Path, found: list[tuple[str, dict[str, Any]]]) -> Ending | None:
    """Over when its last step says so; the reward is what the scorer wrote."""
    if not found or not found[-1][1].get("done"):
        return None
    reward = None
    with suppress(OSError, ValueError):
        reward = float((folder / "result.txt").read_text("utf-8"))
    return Ending(str(_info(found[-1][1]).get("end", End.DONE)), reward=reward)
