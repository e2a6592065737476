"""Exports, each opened by the library that its users would open it with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, disable_progress_bars, load_dataset
from PIL import Image

from actions.dialects import parse
from actions.space import Click, Direction, Scroll, Step
from agent.episodes.errors import EpisodeInUse, NotAnEpisode
from agent.episodes.format import Head, to_json
from agent.episodes.reader import Episode
from agent.episodes.writer import EpisodeWriter
from agent.exports import EXPORTS, export
from agent.exports.tables import UnevenPictures
from agent.policies.base import Decision
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point, Size

LOGIN = Path(__file__).parents[1] / "data/episodes/login"
disable_progress_bars()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def whole() -> Episode:
    return Episode.open(LOGIN)


def test_uitars_messages_train_on_what_the_policy_will_see(whole: Episode, tmp_path: Path) -> None:
    assert export([LOGIN], "uitars", tmp_path / "out") == 0
    rows = lines(tmp_path / "out/train.jsonl")
    parsed = [step for step in whole.steps if step.error is None]
    assert len(rows) == len(parsed) == 5
    for row, step in zip(rows, parsed, strict=True):
        masks = [turn["loss_mask"] for turn in row["messages"]]
        assert masks == [0] * (len(masks) - 1) + [1]
        told = row["messages"][-1]
        assert told["role"] == "assistant"
        assert [each.__class__ for each in parse(told["content"]).actions] == [
            each.__class__ for each in parse(step.text).actions
        ]
        pads = sum(turn["content"].count("<|image_pad|>") for turn in row["messages"])
        assert pads == len(row["images"]) <= 5
        assert whole.head.instruction in row["messages"][0]["content"]
        shown = np.asarray(Image.open(tmp_path / "out" / row["images"][-1]))
        assert np.array_equal(shown, whole.frame(step).pixels)


def test_llamafactory_finds_its_columns_and_as_many_pictures(tmp_path: Path) -> None:
    export([LOGIN], "llamafactory", tmp_path / "out")
    info = json.loads((tmp_path / "out/dataset_info.json").read_text())["eyehand"]
    file = str(tmp_path / "out" / info["file_name"])
    table = load_dataset("json", data_files=file, split="train", cache_dir=str(tmp_path / "cache"))
    assert len(table) == 5
    tags = info["tags"]
    for row in table:
        turns = row[info["columns"]["messages"]]
        roles = [turn[tags["role_tag"]] for turn in turns]
        talk = [role for role in roles if role != tags["system_tag"]]
        expected = [tags["user_tag"], tags["assistant_tag"]] * (len(talk) // 2)
        assert talk == expected and talk
        pads = sum(turn[tags["content_tag"]].count("<image>") for turn in turns)
        assert pads == len(row[info["columns"]["images"]])


def test_agentnet_has_code_with_coordinates_0_to_1(whole: Episode, tmp_path: Path) -> None:
    export([LOGIN], "agentnet", tmp_path / "out")
    [row] = lines(tmp_path / "out/agentnet.jsonl")
    assert (row["task_id"], row["instruction"]) == (whole.head.id, whole.head.instruction)
    assert row["task_completed"] and row["reward"] == 1.0
    assert [turn["index"] for turn in row["traj"]] == [0, 1, 2, 4, 5]
    for turn in row["traj"]:
        assert (tmp_path / "out/images" / turn["image"]).exists()
        step = parse(f"## Code:\n```python\n{turn['value']['code']}\n```", "opencua")
        recorded = parse(whole.steps[turn["index"]].text).actions
        assert [type(each) for each in step.actions] == [type(each) for each in recorded]


def test_osworld_has_a_line_and_a_picture_per_step(whole: Episode, tmp_path: Path) -> None:
    assert export([LOGIN], "osworld", tmp_path / "out") == 1  # the step that did not parse
    folder = tmp_path / "out" / whole.head.id
    rows = lines(folder / "traj.jsonl")
    assert [row["step_num"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["done"] for row in rows] == [False] * 5 + [True]
    assert all((folder / row["screenshot_file"]).exists() for row in rows)
    assert "pyautogui." in rows[0]["action"] and rows[3]["action"] is None
    assert float((folder / "result.txt").read_text()) == 1.0


def test_parquet_loses_nothing(whole: Episode, tmp_path: Path) -> None:
    export([LOGIN], "parquet", tmp_path / "out")
    table = Dataset.from_parquet(
        str(tmp_path / "out/train.parquet"), cache_dir=str(tmp_path / "cache")
    )
    assert len(table) == pq.read_metadata(tmp_path / "out/train.parquet").num_rows == 6
    for row, step in zip(table, whole.steps, strict=True):
        assert np.array_equal(np.asarray(row["image"]), whole.frame(step).pixels)
        assert json.loads(row["record"]) == json.loads(json.dumps(to_json(step)))
        assert json.loads(row["head"]) == json.loads(json.dumps(to_json(whole.head)))


def test_lerobot_has_the_tables_of_its_third_version(tmp_path: Path) -> None:
    """As its reader opens them: by the paths, features and columns that version 0.4 asks for."""
    export([LOGIN, LOGIN], "lerobot", tmp_path / "out")
    out = tmp_path / "out"
    info = json.loads((out / "meta/info.json").read_text())
    assert (info["codebase_version"], info["total_episodes"], info["total_frames"]) == (
        "v3.0",
        2,
        10,
    )
    data = out / info["data_path"].format(chunk_index=0, file_index=0)
    table = Dataset.from_parquet(str(data), cache_dir=str(tmp_path / "cache"))
    assert set(table.features) == set(info["features"])
    assert table["index"][:] == list(range(10))
    assert table[0]["observation.image"].size == (160, 210)
    assert len(table[0]["action"]) == 5
    about = pq.read_table(out / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [(row["dataset_from_index"], row["dataset_to_index"]) for row in about] == [
        (0, 5),
        (5, 10),
    ]
    tasks = pq.read_table(out / "meta/tasks.parquet").to_pylist()
    assert [row["task_index"] for row in tasks] == [0]
    assert json.loads((out / "meta/stats.json").read_text())["action"]["count"] == [10]


def test_lerobot_has_pictures_of_one_size(tmp_path: Path) -> None:
    for width in (20, 30):
        size = Size(width, 20)
        space = CoordinateMap(Box(0, 0, width, 20), size, size)
        with EpisodeWriter(tmp_path / f"{width}", Head("x")) as writer:
            frame = Frame(np.zeros((20, width, 3), np.uint8), space.screen)
            writer.append(frame, Decision("", space, Step("", (Click(Point(1, 1)),))))
    with pytest.raises(UnevenPictures, match="20x20, 30x20"):
        export([tmp_path / "20", tmp_path / "30"], "lerobot", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_a_format_has_no_words_for_is_counted(tmp_path: Path) -> None:
    size = Size(100, 100)
    space = CoordinateMap(Box(0, 0, 100, 100), size, size)
    with EpisodeWriter(tmp_path / "e", Head("x", dialect="opencua-absolute")) as writer:
        for action in (Click(Point(5, 5), count=3), Scroll(Direction.DOWN, Point(5, 5), 3)):
            frame = Frame(np.zeros((100, 100, 3), np.uint8), space.screen)
            writer.append(frame, Decision("", space, Step("", (action,))))
    assert export([tmp_path / "e"], "uitars", tmp_path / "uitars") == 1
    [row] = lines(tmp_path / "uitars/train.jsonl")
    assert "scroll" in row["messages"][-1]["content"]
    assert export([tmp_path / "e"], "agentnet", tmp_path / "agentnet") == 0


@pytest.mark.parametrize("form", EXPORTS)
def test_nothing_is_overwritten_and_no_episode_is_no_export(form: str, tmp_path: Path) -> None:
    with pytest.raises(EpisodeInUse, match="exists"):
        export([LOGIN], form, tmp_path)
    with pytest.raises(NotAnEpisode):
        export([tmp_path], form, tmp_path / "out")
    assert not list(tmp_path.iterdir())
