"""There and back through parquet, LeRobot and LLaMA-Factory, and any episode through every form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, disable_progress_bars
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actions import codec
from actions.dialects import render
from actions.receipt import Outcome, Receipt
from actions.space import (
    Action,
    Click,
    Direction,
    Drag,
    Hotkey,
    LongPress,
    Scroll,
    Step,
    Type,
    on_points,
    points,
)  # fmt: skip
from agent.episodes.errors import BrokenEpisode, EpisodeError, NewerEpisode
from agent.episodes.format import End, Ending, Head, StepRecord, to_json
from agent.episodes.reader import Episode
from agent.episodes.replay import replay
from agent.episodes.verify import verify
from agent.episodes.writer import EpisodeWriter
from agent.exports import export
from agent.imports import IMPORTS, import_episodes
from agent.imports.trajectory import Foreign
from agent.policies.base import Decision
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point, Size

LOGIN = Path(__file__).parents[1] / "data/episodes/login"
MAP = CoordinateMap(Box(-40, 10, 60, 90), Size(100, 80), Size(1000, 1000))
disable_progress_bars()


def frame(number: int) -> Frame:
    pixels = np.random.default_rng(number // 3).integers(0, 255, (80, 100, 3), np.uint8)
    pixels[0, 0] = number
    return Frame(pixels, MAP.screen, time=float(number), cursor=Point(3, 4))


def record(path: Path, steps: Sequence[tuple[str, Action]], feedback: str = "") -> Path:
    with EpisodeWriter(path, Head("do it\nnow", display={"size": [100, 80]})) as writer:
        for number, (thought, action) in enumerate(steps):
            step = Step(thought, (action,))
            said = Decision(render(step, "uitars"), MAP, step, confidence=0.5)
            done = on_points(action, MAP.to_screen)
            receipt = Receipt(done, Outcome.CONFIRMED, settle_ms=3.0)
            writer.append(frame(number), said, (done,), (receipt,), feedback)
        writer.close(Ending(End.FINISHED, "there you are", 0.5))
    return path


def back(form: str, there: Path, tmp_path: Path) -> list[Episode]:
    export([there], form, tmp_path / "there")
    paths = import_episodes(tmp_path / "there", form, tmp_path / "back")
    for path in paths:
        assert verify(path).ok and replay(path).ok, str(replay(path))
    return [Episode.open(path) for path in paths]


def kept(step: StepRecord) -> dict[str, Any]:
    """A step but for which of its pictures are stored as differences."""
    shown = replace(step.frame, file="", base=None)
    return to_json(replace(step, frame=shown))


def places(step: StepRecord) -> list[Point]:
    """Where its actions point, as parts of the picture."""
    extent = step.map.extent
    found = [point for each in step.actions for point in points(codec.from_dict(each))]
    return [Point(x / extent.width, y / extent.height) for x, y in found]


def bare(step: StepRecord) -> list[Action]:
    """Its actions without their places."""
    return [on_points(codec.from_dict(each), lambda _: Point(0, 0)) for each in step.actions]


def test_parquet_brings_every_member_back(tmp_path: Path) -> None:
    path = record(tmp_path / "e", [("look", Click(Point(7, 9)))] * 8, "no visible effect")
    (told,) = back("parquet", path, tmp_path)
    whole = Episode.open(path)
    assert told.head == whole.head and told.outcome == whole.outcome
    assert [kept(step) for step in told.steps] == [kept(step) for step in whole.steps]
    for one, other in zip(whole.steps, told.steps, strict=True):
        assert np.array_equal(whole.frame(one).pixels, told.frame(other).pixels)


def test_parquet_of_several_episodes_holds_them_apart(tmp_path: Path) -> None:
    open_one = tmp_path / "open"
    writer = EpisodeWriter(open_one, Head("never closed"))
    writer.append(frame(0), Decision("?", MAP, error="no step"))
    writer.wait()
    export([LOGIN, open_one, LOGIN], "parquet", tmp_path / "there")
    writer.close(Ending(End.STOPPED))
    paths = import_episodes(tmp_path / "there/train.parquet", "parquet", tmp_path / "back")
    told = [Episode.open(path) for path in paths]
    assert [len(episode.steps) for episode in told] == [6, 1, 6]
    assert told[1].outcome is None and told[1].steps[0].error == "no step"
    assert told[0].head == Episode.open(LOGIN).head
    assert all(verify(path).ok for path in paths)


def test_lerobot_brings_back_task_thoughts_deeds_and_pictures(tmp_path: Path) -> None:
    whole = Episode.open(LOGIN)
    (told,) = back("lerobot", LOGIN, tmp_path)
    assert told.head.instruction == whole.head.instruction
    assert told.head.policy == {"policy": "imported", "from": "lerobot"}
    assert told.outcome is not None and told.outcome.end == End.STOPPED
    parsed = [step for step in whole.steps if step.error is None]
    for one, other in zip(parsed, told.steps, strict=True):
        assert (one.frame.digest, one.thought) == (other.frame.digest, other.thought)
        assert bare(one) == bare(other)
        np.testing.assert_allclose(places(other), places(one), rtol=0, atol=1e-12)


def test_lerobot_keeps_a_deed_without_words_as_a_step_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "e"
    with EpisodeWriter(path, Head("hold it")) as writer:
        writer.append(frame(0), Decision("", MAP, Step("", (LongPress(Point(5, 5)),))))
    (told,) = back("lerobot", path, tmp_path)
    (step,) = told.steps
    assert step.error is not None and "LongPress" in step.error and "long_press" in step.text


@pytest.mark.parametrize("feedback", ["", "Click: no visible effect."])
def test_llamafactory_brings_back_more_steps_than_a_prompt_has_pictures(
    feedback: str, tmp_path: Path
) -> None:
    steps = [(f"step {n}", Click(Point(100 * n, n))) for n in range(9)]
    path = record(tmp_path / "e", steps, feedback)
    export([path, LOGIN], "llamafactory", tmp_path / "there")
    paths = import_episodes(tmp_path / "there", "llamafactory", tmp_path / "back")
    whole = [Episode.open(path), Episode.open(LOGIN)]
    for there, here in zip(whole, map(Episode.open, paths), strict=True):
        assert here.head.instruction == there.head.instruction
        parsed = [step for step in there.steps if step.error is None]
        for one, other in zip(parsed, here.steps, strict=True):
            assert (one.frame.digest, one.thought) == (other.frame.digest, other.thought)
            assert bare(one) == bare(other)
            np.testing.assert_allclose(places(other), places(one), rtol=0, atol=1e-3)
        assert [step.feedback for step in here.steps[:-1]] == [s.feedback for s in parsed[:-1]]


THOUGHTS = st.text("abc äß世.,-", max_size=20).map(str.strip)
POINTS = st.builds(Point, st.integers(0, 1000), st.integers(0, 1000))
DEEDS: st.SearchStrategy[Action] = st.one_of(
    st.builds(Click, POINTS, count=st.sampled_from((1, 2))),
    st.builds(Drag, POINTS, POINTS).filter(lambda drag: drag.start != drag.end),
    st.builds(Scroll, st.sampled_from(Direction), POINTS),
    st.builds(Type, st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)),
    st.just(Hotkey(("ctrl", "s"))),
)
ROUNDED = {
    "uitars": 1e-3, "llamafactory": 1e-3, "agentnet": 1e-4, "lerobot": 1e-12,
    "osworld": 0.0, "parquet": 0.0,
}  # fmt: skip


@pytest.mark.parametrize("form", IMPORTS)
@given(steps=st.lists(st.tuples(THOUGHTS, DEEDS), min_size=1, max_size=7))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_episode_comes_back_as_its_table_says(
    tmp_path_factory: pytest.TempPathFactory, form: str, steps: list[tuple[str, Action]]
) -> None:
    tmp_path = tmp_path_factory.mktemp("form")
    path = record(tmp_path / "e", steps)
    (told,) = back(form, path, tmp_path)
    assert told.head.instruction.split() == ["do", "it", "now"]
    for one, other in zip(Episode.open(path).steps, told.steps, strict=True):
        assert other.error is None and one.frame.digest == other.frame.digest
        assert one.thought == other.thought and bare(one) == bare(other)
        for p, q in zip(places(one), places(other), strict=True):
            assert max(abs(p.x - q.x), abs(p.y - q.y)) <= ROUNDED[form]


def test_a_table_of_others_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "train.parquet"
    file.write_bytes(b"PAR1 no parquet")
    with pytest.raises(Foreign, match=r"train\.parquet is no parquet file"):
        import_episodes(tmp_path, "parquet", tmp_path / "out")
    pq.write_table(pa.table({"image": [b"x"], "caption": ["a cat"]}), file)
    with pytest.raises(Foreign, match="there is no column episode_id, head, index"):
        import_episodes(tmp_path, "parquet", tmp_path / "out")
    export([LOGIN], "lerobot", tmp_path / "robot")
    data = tmp_path / "robot/data/chunk-000/file-000.parquet"
    pq.write_table(pq.read_table(data).drop_columns(["action_json"]), data)
    with pytest.raises(Foreign, match="there is no column action_json"):
        import_episodes(tmp_path / "robot", "lerobot", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("column", "value", "error", "why"),
    [
        ("version", "9.0", NewerEpisode, "row 2 has format 9.0"),
        ("version", "new", Foreign, "row 2: `version` is none"),
        ("record", "[1]", Foreign, "row 2: expected an object in `record`"),
        ("record", "{}", BrokenEpisode, "row 2 does not fit the format"),
        ("image", {"bytes": None, "path": "x.png"}, Foreign, "row 2: there is no picture"),
        ("image", {"bytes": b"x", "path": None}, BrokenEpisode, "row 2: the image cannot be"),
    ],
)
def test_a_row_that_was_changed_is_named(
    column: str, value: object, error: type[EpisodeError], why: str, tmp_path: Path
) -> None:
    export([LOGIN], "parquet", tmp_path / "there")
    file = tmp_path / "there/train.parquet"
    rows = pq.read_table(file).to_pylist()
    rows[2][column] = value
    pq.write_table(pa.Table.from_pylist(rows), file)
    with pytest.raises(error, match=why):
        import_episodes(file, "parquet", tmp_path / "out")


def test_a_picture_that_is_not_the_recorded_one_is_named(tmp_path: Path) -> None:
    export([LOGIN], "parquet", tmp_path / "there")
    file = tmp_path / "there/train.parquet"
    rows = pq.read_table(file).to_pylist()
    rows[1]["image"] = rows[0]["image"]
    pq.write_table(pa.Table.from_pylist(rows), file)
    with pytest.raises(BrokenEpisode, match="row 1: it does not show the recorded pixels"):
        import_episodes(file, "parquet", tmp_path / "out")
    assert not (tmp_path / "out/000").exists()


def test_users_push_and_pull_the_table_with_datasets(tmp_path: Path) -> None:
    """What `datasets` read and wrote again is still an episode."""
    export([LOGIN], "parquet", tmp_path / "there")
    cache = str(tmp_path / "cache")
    table = Dataset.from_parquet(str(tmp_path / "there/train.parquet"), cache_dir=cache)
    assert json.loads(table[0]["record"])["index"] == 0
    table.to_parquet(tmp_path / "again.parquet")
    (path,) = import_episodes(tmp_path / "again.parquet", "parquet", tmp_path / "back")
    assert Episode.open(path).head == Episode.open(LOGIN).head
