"""Tables: Hugging Face parquet, which loses nothing, and LeRobot v3. Needs the extra `export`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from actions import codec
from actions.space import points
from agent.episodes.errors import EpisodeError
from agent.episodes.format import VERSION, to_json
from agent.episodes.reader import Episode
from agent.exports.samples import Sample, picture, samples

if TYPE_CHECKING:
    from datasets import Dataset

_KINDS = tuple(codec.CLASSES)
_FILE = "chunk-000/file-000.parquet"


class NoTables(EpisodeError):
    """The libraries that write parquet are not installed."""


class UnevenPictures(EpisodeError):
    """A LeRobot data set has pictures of one size; these episodes have several."""


def write_parquet(episodes: Sequence[Episode], out: Path) -> int:
    """`train.parquet`, a row per step, with the whole record and the exact pixels."""
    _table(_rows(episodes), image="image").to_parquet(out / "train.parquet")
    return 0


def write_lerobot(episodes: Sequence[Episode], out: Path) -> int:
    """A LeRobot v3 data set with pictures in its tables and a nominal rate of one step a second.

    Raises:
        UnevenPictures: the screens differ in size.
    """
    _require_one_size(episodes)
    rows: list[dict[str, Any]] = []
    about: list[dict[str, Any]] = []
    tasks = list(dict.fromkeys(episode.head.instruction for episode in episodes))
    for number, episode in enumerate(episodes):
        begin = len(rows)
        task = tasks.index(episode.head.instruction)
        for index, sample in enumerate(samples(episode)):
            place: dict[str, Any] = {
                "frame_index": index,
                "episode_index": number,
                "index": len(rows),
            }
            place |= {"task_index": task, "timestamp": float(index)}
            rows.append(_lerobot_row(sample) | place)
        about.append(_lerobot_episode(number, episode.head.instruction, begin, len(rows)))
    shown = ({k: v for k, v in row.items() if k != "size"} for row in rows)
    table = _table(shown, image="observation.image", floats="action")
    for folder in ("data/chunk-000", "meta/episodes/chunk-000"):
        (out / folder).mkdir(parents=True)
    table.to_parquet(out / "data" / _FILE)
    _table(iter(about)).to_parquet(out / "meta/episodes" / _FILE)
    _write_tasks(tasks, out / "meta/tasks.parquet")
    _write_meta(rows, len(episodes), len(tasks), out / "meta")
    return sum(step.error is not None for episode in episodes for step in episode.steps)


def _require_one_size(episodes: Sequence[Episode]) -> None:
    sizes = sorted({step.frame.size for episode in episodes for step in episode.steps})
    if len(sizes) > 1:
        told = ", ".join(f"{width}x{height}" for width, height in sizes)
        raise UnevenPictures(
            f"a LeRobot data set has pictures of one size, actually: {told}; export the episodes "
            "of each size into a folder of their own"
        )


def _rows(episodes: Sequence[Episode]) -> Iterator[dict[str, Any]]:
    version = ".".join(map(str, VERSION))
    for episode in episodes:
        outcome = None if episode.outcome is None else json.dumps(to_json(episode.outcome))
        head = json.dumps(to_json(episode.head), ensure_ascii=False)
        for step in episode.steps:
            yield {
                "episode_id": episode.head.id,
                "index": step.index,
                "version": version,
                "instruction": episode.head.instruction,
                "image": {"bytes": picture(episode.frame(step)), "path": None},
                "text": step.text,
                "thought": step.thought,
                "actions": json.dumps(step.actions, ensure_ascii=False),
                "screen_actions": json.dumps(step.screen_actions, ensure_ascii=False),
                "feedback": step.feedback,
                "record": json.dumps(to_json(step), ensure_ascii=False),
                "head": head,
                "outcome": outcome,
            }


def _lerobot_row(sample: Sample) -> dict[str, Any]:
    """The first action as numbers: kind, then up to two points 0..1; the rest as JSON."""
    first = sample.actions[0]
    places = [part for point in points(first) for part in point][:4]
    kind = float(_KINDS.index(codec.NAMES[type(first)]))
    return {
        "observation.image": {"bytes": picture(sample.frame), "path": None},
        "action": [kind, *places, *[-1.0] * (4 - len(places))],
        "action_json": json.dumps([codec.to_dict(each) for each in sample.actions]),
        "thought": sample.record.thought,
        "size": (sample.frame.width, sample.frame.height),
    }


def _lerobot_episode(number: int, task: str, begin: int, end: int) -> dict[str, Any]:
    return {
        "episode_index": number,
        "tasks": [task],
        "length": end - begin,
        "data/chunk_index": 0,
        "data/file_index": 0,
        "dataset_from_index": begin,
        "dataset_to_index": end,
        "meta/episodes/chunk_index": 0,
        "meta/episodes/file_index": 0,
    }


def _write_tasks(tasks: list[str], path: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame({"task_index": range(len(tasks))}, index=pd.Index(tasks, name="task"))
    frame.to_parquet(path)


def _write_meta(rows: list[dict[str, Any]], episodes: int, tasks: int, out: Path) -> None:
    """`info.json` and `stats.json`."""
    scalar = {"shape": [1], "names": None}
    size = rows[0]["size"] if rows else (1, 1)
    info = {
        "codebase_version": "v3.0",
        "robot_type": "eyehand",
        "total_episodes": episodes,
        "total_frames": len(rows),
        "total_tasks": tasks,
        "chunks_size": 1000,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": 1,
        "splits": {"train": f"0:{episodes}"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": None,
        "features": {
            "observation.image": {
                "dtype": "image",
                "shape": [size[1], size[0], 3],
                "names": ["height", "width", "channels"],
            },
            "action": {"dtype": "float32", "shape": [5], "names": ["kind", "x", "y", "x2", "y2"]},
            "action_json": {"dtype": "string", **scalar},
            "thought": {"dtype": "string", **scalar},
            "timestamp": {"dtype": "float32", **scalar},
            "frame_index": {"dtype": "int64", **scalar},
            "episode_index": {"dtype": "int64", **scalar},
            "index": {"dtype": "int64", **scalar},
            "task_index": {"dtype": "int64", **scalar},
        },
    }
    numbers = np.array([row["action"] for row in rows] or [[0.0] * 5], np.float32)
    stats = {
        "action": {
            "min": numbers.min(0).tolist(),
            "max": numbers.max(0).tolist(),
            "mean": numbers.mean(0).tolist(),
            "std": numbers.std(0).tolist(),
            "count": [len(rows)],
        }
    }
    (out / "info.json").write_text(json.dumps(info, indent=1))
    (out / "stats.json").write_text(json.dumps(stats, indent=1))


def _table(rows: Iterator[dict[str, Any]], image: str = "", floats: str = "") -> Dataset:
    """The rows as a data set."""
    try:
        from datasets import Dataset, Image, Sequence, Value
    except ImportError as error:
        raise NoTables(
            f"parquet needs the libraries of the extra `export`: pip install 'eyehand[export]' "
            f"({error})"
        ) from error
    table = Dataset.from_list(list(rows))
    if image and len(table):
        table = table.cast_column(image, Image())
    if floats and len(table):
        table = table.cast_column(floats, Sequence(Value("float32"), length=5))
        table = table.cast_column("timestamp", Value("float32"))
    return table
