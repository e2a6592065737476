"""Writing, reading and verifying episodes on a real disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from actions.receipt import Outcome, Receipt
from actions.space import Click, Hotkey, Step, Type, on_points
from agent.episodes.errors import EpisodeInUse, NotAnEpisode, RecordingFailed
from agent.episodes.format import End, Ending, Head
from agent.episodes.reader import Episode
from agent.episodes.verify import verify
from agent.episodes.withhold import Secrets
from agent.episodes.writer import EpisodeWriter
from agent.policies.base import Decision, Timing, Usage
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point, Size

BOX = Box(-40, 0, 0, 30)
MAP = CoordinateMap(BOX, Size(40, 30))


def a_frame(seed: int) -> Frame:
    pixels = np.random.default_rng(seed).integers(0, 255, (30, 40, 3), np.uint8)
    return Frame(pixels, BOX, 1.5, Point(-3, 0))


def a_decision(text: str = "Thought: go\nAction: click(...)") -> Decision:
    step = Step(
        "go", (Click(Point(0, 500)), Type("grüße\n世界 ⌘", submit=True), Hotkey(("ctrl", "c")))
    )
    return Decision(text, MAP, step, None, 0.75, Usage(10, 4, 3), Timing(1.5, 2, 3, 6.5))


def record(path: Path, count: int = 3, **options: object) -> None:
    with EpisodeWriter(path, Head("do it", policy={"policy": "scripted"})) as writer:
        for i in range(count):
            decision = a_decision(f"text {i}")
            assert decision.step is not None
            actions = [on_points(action, MAP.to_screen) for action in decision.step.actions]
            receipts = [Receipt(action, Outcome.CONFIRMED, "ok", 1, 2, "ab") for action in actions]
            writer.append(a_frame(i // 2), decision, actions, receipts)
        writer.close(Ending(End.FINISHED, "42", 1.0))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    record(tmp_path / "e", 4)
    episode = Episode.open(tmp_path / "e")
    assert episode.head.instruction == "do it"
    assert episode.outcome == Ending("finished", "42", 1.0)
    assert [step.text for step in episode.steps] == [f"text {i}" for i in range(4)]
    step = episode.steps[1]
    assert step.map.restore() == MAP
    assert step.actions[1]["text"] == "grüße\n世界 ⌘"
    assert step.screen_actions[0]["point"] == [-40, 15]
    assert step.receipts[0].outcome == "confirmed"
    assert (step.usage, step.timing) == (Usage(10, 4, 3), Timing(1.5, 2, 3, 6.5))
    frame = episode.frame(step)
    assert np.array_equal(frame.pixels, a_frame(0).pixels)
    assert (frame.box, frame.cursor, frame.time) == (BOX, Point(-3, 0), 1.5)
    assert len(list((tmp_path / "e/images").iterdir())) == 2
    report = verify(tmp_path / "e")
    assert report.ok and report.closed and report.steps == 4 and not report.strays, str(report)


def test_secrets_are_taken_out_of_every_text(tmp_path: Path) -> None:
    secret = 'it\'s "my" pass\\word'  # noqa: S105  # it is not one
    quoted = secret.replace("\\", "\\\\").replace("'", "\\'")
    decision = Decision(f"type(content='{quoted}')", MAP, Step(f"I type {secret}", (Type(secret),)))
    receipt = Receipt(Type(secret), Outcome.FAILED, f"could not type {secret}")
    with EpisodeWriter(
        tmp_path, Head(f"log in with {secret}"), withhold=Secrets([secret])
    ) as writer:
        writer.append(a_frame(1), decision, [Type(secret)], [receipt])
        writer.close(Ending(End.FAILED, secret))
    written = b"".join(file.read_bytes() for file in tmp_path.glob("*.json*"))
    assert b"pass" not in written and b"my" not in written
    [step] = Episode.open(tmp_path).steps
    assert step.text == "type(content='[withheld]')"
    assert step.withheld == 6
    with pytest.raises(ValueError, match="at least 3"):
        Secrets(["ab"])


def test_a_lone_surrogate_is_recorded_as_a_replacement(tmp_path: Path) -> None:
    with EpisodeWriter(tmp_path / "e", Head("x")) as writer:
        writer.append(a_frame(1), Decision("a\ud800b 😀", MAP, error="no"))
    assert Episode.open(tmp_path / "e").steps[0].text == "a\ufffdb 😀"


def test_two_writers_on_one_folder_are_refused(tmp_path: Path) -> None:
    with EpisodeWriter(tmp_path, Head("x")), pytest.raises(EpisodeInUse, match="another writer"):
        EpisodeWriter(tmp_path, Head("y"))
    with pytest.raises(EpisodeInUse, match="already holds"):
        EpisodeWriter(tmp_path, Head("y"))
    assert Episode.open(tmp_path).head.instruction == "x"
    assert not (tmp_path / ".lock").exists()


def test_an_error_on_the_way_becomes_the_ending(tmp_path: Path) -> None:
    with pytest.raises(KeyError), EpisodeWriter(tmp_path, Head("x")) as writer:
        writer.append(a_frame(1), a_decision())
        raise KeyError("gone")
    episode = Episode.open(tmp_path)
    assert episode.outcome == Ending("failed", "KeyError: 'gone'")
    assert len(episode.steps) == 1
    with pytest.raises(RecordingFailed, match="closed"):
        writer.append(a_frame(1), a_decision())


def test_a_folder_without_a_manifest_is_no_episode(tmp_path: Path) -> None:
    for call in (Episode.open, verify):
        with pytest.raises(NotAnEpisode, match="manifest"):
            call(tmp_path)
