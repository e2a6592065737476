"""There and back: exported episodes, imported again, field by field as docs/exports.md says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from datasets import disable_progress_bars, load_dataset
from typer.testing import CliRunner

from actions import codec
from actions.space import Action, on_points, points
from agent.cli import app
from agent.episodes.errors import BrokenEpisode, EpisodeInUse
from agent.episodes.format import StepRecord
from agent.episodes.reader import Episode
from agent.episodes.replay import replay
from agent.episodes.verify import verify
from agent.exports import export
from agent.imports import IMPORTS, import_episodes
from agent.imports.trajectory import Foreign
from vision.geometry import Point

LOGIN = Path(__file__).parents[1] / "data/episodes/login"
UNREAD = 3
"""The step of the recording that did not parse."""
disable_progress_bars()


def back(form: str, tmp_path: Path) -> Episode:
    """The recorded episode, exported and imported again; the result is a sound episode."""
    export([LOGIN, LOGIN], form, tmp_path / "there")
    paths = import_episodes(tmp_path / "there", form, tmp_path / "back")
    assert all(verify(path).ok and replay(path).ok for path in paths)
    return Episode.open(paths[0])


def on_screen(step: StepRecord) -> list[Action]:
    space = step.map.restore()
    return [on_points(codec.from_dict(each), space.to_screen) for each in step.actions]


def same_deeds(one: StepRecord, other: StepRecord, pixels: float) -> None:
    """Equal but for so much rounding."""
    there, here = on_screen(one), on_screen(other)
    nowhere = Point(0, 0)
    assert [on_points(a, lambda _: nowhere) for a in there] == [
        on_points(a, lambda _: nowhere) for a in here
    ]
    for a, b in zip(there, here, strict=True):
        for p, q in zip(points(a), points(b), strict=True):
            assert abs(p.x - q.x) <= pixels and abs(p.y - q.y) <= pixels


@pytest.fixture(scope="module")
def whole() -> Episode:
    return Episode.open(LOGIN)


def test_osworld_brings_back_words_deeds_outcomes_and_the_ending(
    whole: Episode, tmp_path: Path
) -> None:
    export([LOGIN], "osworld", tmp_path / "there")
    (path,) = import_episodes(tmp_path / "there", "osworld", tmp_path / "back")
    assert verify(path).ok and replay(path).ok
    told = Episode.open(path)
    for name in ("id", "instruction", "dialect"):
        assert getattr(told.head, name) == getattr(whole.head, name), name
    assert whole.outcome is not None and told.outcome is not None
    assert (told.outcome.end, told.outcome.reward) == (whole.outcome.end, whole.outcome.reward)
    assert len(told.steps) == len(whole.steps)
    for one, other in zip(whole.steps, told.steps, strict=True):
        assert one.frame.digest == other.frame.digest
        for name in ("text", "thought", "actions", "error", "feedback"):
            assert getattr(one, name) == getattr(other, name), name
        assert [r.outcome for r in one.receipts] == [r.outcome for r in other.receipts]
        assert other.frame.time == pytest.approx(one.time, abs=1e-3)


def test_osworld_of_others_has_code_and_a_response_that_is_a_thought(
    whole: Episode, tmp_path: Path
) -> None:
    export([LOGIN], "osworld", tmp_path / "there")
    file = tmp_path / "there" / whole.head.id / "traj.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps(line | {"info": {}}) + "\n" for line in lines))
    (path,) = import_episodes(tmp_path / "there", "osworld", tmp_path / "back")
    told = Episode.open(path)
    assert replay(path).ok and told.head.instruction == ""
    assert told.steps[UNREAD].error == "the source has no action for this step"
    for one, other in zip(whole.steps, told.steps, strict=True):
        if one.error is None:
            same_deeds(one, other, pixels=1)
            assert one.thought in other.thought


def test_agentnet_brings_back_task_deeds_and_thoughts(whole: Episode, tmp_path: Path) -> None:
    told = back("agentnet", tmp_path)
    assert (told.head.id, told.head.instruction) == (whole.head.id, whole.head.instruction)
    assert told.outcome is not None and (told.outcome.end, told.outcome.reward) == ("finished", 1.0)
    parsed = [step for step in whole.steps if step.error is None]
    for one, other in zip(parsed, told.steps, strict=True):
        assert (one.frame.digest, one.thought) == (other.frame.digest, other.thought)
        same_deeds(one, other, pixels=1)
        assert not other.receipts and not other.screen_actions


def test_uitars_messages_bring_back_task_deeds_thoughts_and_what_was_told(
    whole: Episode, tmp_path: Path
) -> None:
    told = back("uitars", tmp_path)
    assert told.head.instruction == whole.head.instruction
    assert told.outcome is not None and told.outcome.end == "stopped"
    parsed = [step for step in whole.steps if step.error is None]
    for one, other in zip(parsed, told.steps, strict=True):
        assert (one.frame.digest, one.thought) == (other.frame.digest, other.thought)
        same_deeds(one, other, pixels=1)
    for one, other in zip(parsed[:-1], told.steps[:-1], strict=True):
        assert one.feedback == other.feedback


@pytest.mark.parametrize(
    ("form", "file"), [("uitars", "train.jsonl"), ("agentnet", "agentnet.jsonl")]
)
def test_users_open_them_with_datasets(form: str, file: str, tmp_path: Path) -> None:
    export([LOGIN], form, tmp_path / "out")
    table = load_dataset(
        "json",
        data_files=str(tmp_path / "out" / file),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    assert len(table) == (5 if form == "uitars" else 1)


@pytest.mark.parametrize("form", sorted(IMPORTS.keys() - {"parquet", "lerobot"}))
def test_what_is_not_of_the_format_is_refused_by_name(form: str, tmp_path: Path) -> None:
    with pytest.raises(Foreign, match=str(tmp_path)):
        import_episodes(tmp_path, form, tmp_path / "out")
    name, place = {
        "uitars": ("train.jsonl", ", line 1"),
        "agentnet": ("agentnet.jsonl", ", line 1"),
        "osworld": ("traj.jsonl", ", line 1"),
        "llamafactory": ("train.json", ""),
    }[form]
    for wrong in ("{", "3", '[{"messages": 3}]', '{"traj": [3], "instruction": "x"}'):
        (tmp_path / name).write_text(wrong)
        with pytest.raises(Foreign, match=f"{name}{place}"):
            import_episodes(tmp_path, form, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(EpisodeInUse, match="exists"):
        import_episodes(tmp_path, form, tmp_path)


def test_no_picture_from_outside_and_none_that_is_broken(whole: Episode, tmp_path: Path) -> None:
    export([LOGIN], "agentnet", tmp_path / "there")
    file = tmp_path / "there/agentnet.jsonl"
    row = json.loads(file.read_text())
    inside = row["traj"][0]["image"]
    shutil.copy(tmp_path / "there/images" / inside, tmp_path / "secret.png")
    row["traj"][0]["image"] = "../../secret.png"
    file.write_text(json.dumps(row))
    with pytest.raises(Foreign, match="outside"):
        import_episodes(tmp_path / "there", "agentnet", tmp_path / "back")
    row["traj"][0]["image"] = inside
    file.write_text(json.dumps(row))
    (tmp_path / "there/images" / inside).write_bytes(b"no picture")
    with pytest.raises(BrokenEpisode, match=inside):
        import_episodes(tmp_path / "there", "agentnet", tmp_path / "back2")


def test_the_command_names_the_new_episodes(whole: Episode, tmp_path: Path) -> None:
    export([LOGIN], "uitars", tmp_path / "there")
    arguments = ["episode", "import", "uitars", str(tmp_path / "there"), str(tmp_path / "back")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0 and str(tmp_path / "back/000") in done.stdout
    assert len(Episode.open(tmp_path / "back/000").steps) == 5
