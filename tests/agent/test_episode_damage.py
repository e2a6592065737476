"""Damage: kills, cuts, changed bytes, full disks, foreign versions and hostile folders."""

from __future__ import annotations

import inspect
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actions.space import Click, Step
from agent.episodes.errors import BrokenEpisode, EpisodeError, NewerEpisode, RecordingFailed
from agent.episodes.format import (
    End,
    Ending,
    Head,
    Json,
    genesis,
    open_line,
    open_manifest,
    seal_line,
    seal_manifest,
)
from agent.episodes.migrations import Migration, migrate
from agent.episodes.reader import Episode
from agent.episodes.verify import verify
from agent.episodes.writer import EpisodeWriter
from agent.policies.base import Decision
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point, Size

MAP = CoordinateMap(Box(0, 0, 24, 16), Size(24, 16))


def a_frame(number: int) -> Frame:
    pixels = np.random.default_rng(0).integers(0, 255, (16, 24, 3), np.uint8)
    pixels[number % 16, :4] = number
    return Frame(pixels, MAP.screen)


def a_decision(number: int) -> Decision:
    return Decision(f"schön {number}", MAP, Step("", (Click(Point(number, 0)),)))


def record(path: Path, count: int, close: bool = True) -> Path:
    writer = EpisodeWriter(path, Head("do it"))
    for number in range(count):
        writer.append(a_frame(number), a_decision(number))
    writer.wait()
    if close:
        writer.close(Ending(End.FINISHED))
    return path


def rewrite(path: Path, change: dict[str, object], step_change: dict[str, object]) -> None:
    """Seal an episode anew after a change of its manifest and steps, as another writer would."""
    manifest = open_manifest((path / "manifest.json").read_bytes()) | change | {"outcome": None}
    old = genesis(manifest["head"])
    manifest["head"] |= {"mood": "new"}
    new, lines = genesis(manifest["head"]), b""
    for line in (path / "steps.jsonl").read_bytes().splitlines():
        step, old = open_line(line, old)
        sealed, new = seal_line(step | step_change, new)
        lines += sealed
    (path / "manifest.json").write_bytes(seal_manifest(manifest))
    (path / "steps.jsonl").write_bytes(lines)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("closed") / "e", 4)


@given(data=st.data())
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_changed_byte_anywhere_is_found(closed: Path, data: st.DataObject) -> None:
    files = sorted(file for file in closed.rglob("*") if file.is_file())
    assert len(files) == 6  # the manifest, the steps, a key picture and three differences
    file = data.draw(st.sampled_from(files))
    before = file.read_bytes()
    place = data.draw(st.integers(0, len(before) - 1))
    changed = bytearray(before)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        file.write_bytes(changed)
        report = verify(closed)
        assert not report.ok
        assert report.problems[0].file == file.relative_to(closed).as_posix()
        if file.name == "steps.jsonl":
            assert report.end <= place
            assert report.steps == before[:place].count(b"\n")
    finally:
        file.write_bytes(before)
    assert verify(closed).ok


def test_a_cut_at_every_byte_keeps_all_earlier_steps(tmp_path: Path) -> None:
    path = record(tmp_path / "e", 4)
    shutil.copytree(path, tmp_path / "open")
    manifest = open_manifest((path / "manifest.json").read_bytes()) | {"outcome": None}
    (tmp_path / "open/manifest.json").write_bytes(seal_manifest(manifest))
    whole = (path / "steps.jsonl").read_bytes()
    last = whole.rindex(b"\n", 0, -1)
    for cut in range(len(whole) - 1, last - 1, -1):
        os.truncate(tmp_path / "open/steps.jsonl", cut)
        episode = Episode.open(tmp_path / "open")
        acknowledged = whole[:cut].count(b"\n")
        end = whole[:cut].rfind(b"\n") + 1
        assert [step.index for step in episode.steps] == list(range(acknowledged))
        assert episode.torn_bytes == cut - end
        report = verify(tmp_path / "open")
        assert (report.ok, report.steps, report.end) == (True, acknowledged, end), str(report)
    for index, step in enumerate(episode.steps):
        assert np.array_equal(episode.frame(step).pixels, a_frame(index).pixels)


def test_a_cut_of_a_closed_episode_is_a_problem(tmp_path: Path) -> None:
    path = record(tmp_path / "e", 4)
    whole = (path / "steps.jsonl").read_bytes()
    for cut in (len(whole) - 1, whole.rindex(b"\n", 0, -1) + 1, 0):
        (path / "steps.jsonl").write_bytes(whole[:cut])
        report = verify(path)
        assert not report.ok
        assert "the ending tells of 4 steps" in str(report)
    (path / "steps.jsonl").write_bytes(whole + b"{")
    assert not verify(path).ok


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import numpy as np
from actions.space import Click, Step
from agent.episodes.format import Head
from agent.episodes.writer import EpisodeWriter
from agent.policies.base import Decision
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point, Size

MAP = CoordinateMap(Box(0, 0, 24, 16), Size(24, 16))
HELPERS
def write_forever(path, told):
    writer = EpisodeWriter(path, Head("until killed"))
    for number in range(100_000):
        os.write(told, b".")
        writer.append(a_frame(number), a_decision(number))
        writer.wait()

moments = random.Random(7)
for number in range(15):
    heard, told = os.pipe()
    child = os.fork()  # before this process has any thread
    if child == 0:
        write_forever(Path(sys.argv[1]) / str(number), told)
    os.close(told)
    begun = os.read(heard, 1)
    time.sleep(moments.uniform(0, 0.15))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(heard, "rb") as rest:
        print(len(rest.read()), flush=True)  # each dot but the first came after a wait
"""


def test_a_killed_writer_leaves_everything_acknowledged(tmp_path: Path) -> None:
    script = KILLED.replace("HELPERS", inspect.getsource(a_frame) + inspect.getsource(a_decision))
    command = [sys.executable, "-c", script, tmp_path]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert len(told) == 15
    for number, acknowledged in enumerate(map(int, told)):
        path = tmp_path / str(number)
        report = verify(path)
        assert report.ok and not report.closed, str(report)
        assert acknowledged <= report.steps <= acknowledged + 1
        assert len(report.strays) <= 1
        episode = Episode.open(path)
        for step in episode.steps:
            assert np.array_equal(episode.frame(step).pixels, a_frame(step.index).pixels)
        # The dead writer's lock is gone with it.
        with pytest.raises(EpisodeError, match="already holds an episode"):
            EpisodeWriter(path, Head("again"))


def test_a_full_disk_is_a_clear_error_and_loses_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
        with pytest.raises(RecordingFailed) as told, EpisodeWriter(tmp_path, Head("x")) as writer:
            for number in range(100):
                writer.append(a_frame(number), a_decision(number))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    report = verify(tmp_path)
    assert report.ok and not report.torn_bytes and 5 < report.steps < 100, str(report)
    assert f"step {report.steps} could not be written to {tmp_path}" in str(told.value)
    assert f"the {report.steps} steps before it are complete" in str(told.value)
    assert len(Episode.open(tmp_path).steps) == report.steps


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingFailed, match="cannot record into"):
        EpisodeWriter(tmp_path / "file" / "e", Head("x"))


def test_a_newer_minor_version_is_read(tmp_path: Path) -> None:
    path = record(tmp_path / "e", 2)
    rewrite(path, {"version": "1.99", "more": 1}, {"smell": ["of", {"roses": 1}]})
    assert verify(path).ok
    assert [step.text for step in Episode.open(path).steps] == ["schön 0", "schön 1"]


def test_a_newer_major_version_is_refused(tmp_path: Path) -> None:
    path = record(tmp_path / "e", 2)
    rewrite(path, {"version": "2.0"}, {})
    for call in (Episode.open, verify):
        with pytest.raises(NewerEpisode, match=r"manifest\.json has format 2\.0.*update eyehand"):
            call(path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": "0.9"}, "no version 0.9"),
        ({"version": "one"}, "not as it was written"),
        ({"head": [1]}, "needs an object `head`"),
        ({"outcome": 7}, "or null as `outcome`"),
        ({"outcome": {}}, "does not fit the format: end: Field required"),
    ],
)
def test_a_sealed_but_senseless_manifest_is_a_clear_error(
    tmp_path: Path, change: Json, told: str
) -> None:
    path = record(tmp_path / "e", 0)
    manifest = open_manifest((path / "manifest.json").read_bytes()) | change
    (path / "manifest.json").write_bytes(seal_manifest(manifest))
    with pytest.raises(BrokenEpisode, match=told):
        Episode.open(path)
    assert not verify(path).ok


def test_migrations_run_one_after_the_other() -> None:
    def add(version: tuple[int, int], name: str) -> Migration:
        return Migration(version, lambda head: head | {name: 1}, lambda step: {name: 2, **step})

    table = (add((1, 1), "a"), add((1, 2), "b"), add((2, 0), "c"))
    assert migrate("head", {}, (1, 0), table) == {"a": 1, "b": 1, "c": 1}
    assert migrate("step", {"x": 0}, (1, 1), table) == {"c": 2, "b": 2, "x": 0}
    assert migrate("step", {"x": 0}, (2, 0), table) == {"x": 0}


def test_an_episode_of_version_1_0_gains_what_the_model_was_told(tmp_path: Path) -> None:
    """The example was recorded by the first version, which did not keep it."""
    old = Episode.open(Path(__file__).parents[1] / "data/episodes/login")
    assert b'"version": "1.0"' in (old.path / "manifest.json").read_bytes()
    assert b"feedback" not in (old.path / "steps.jsonl").read_bytes()
    assert (old.head.source, old.head.rules) == ("agent", None)
    told = [step.feedback for step in old.steps]
    assert told[3].startswith("Your answer could not be read: "), told
    path = record(tmp_path / "e", 1)
    receipt = {"action": {"type": "mouse_down"}, "outcome": "no_visible_effect", "message": "dull"}
    rewrite(path, {"version": "1.0"}, {"receipts": [receipt]})
    assert Episode.open(path).steps[0].feedback == "MouseDown: no visible effect. dull"
    rewrite(path, {}, {"receipts": [{}]})
    with pytest.raises(BrokenEpisode, match="step 0 does not fit format"):
        Episode.open(path)


def test_every_fault_of_a_step_is_told_with_its_place(tmp_path: Path) -> None:
    path = record(tmp_path / "e", 1)
    rewrite(path, {}, {"text": 5, "receipts": {}})
    with pytest.raises(BrokenEpisode, match=r"steps\.jsonl, step 0 .*text: .*; receipts: "):
        Episode.open(path)
    assert "text: Input should be a valid string" in str(verify(path))


@pytest.mark.parametrize("digest", ["../../../etc/passwd", "A" * 64, ""])
def test_an_image_name_cannot_lead_out_of_the_folder(tmp_path: Path, digest: str) -> None:
    path = record(tmp_path / "e", 1)
    frame = {"digest": digest, "file": "0" * 64, "size": [1, 1], "box": [0, 0, 1, 1]}
    rewrite(path, {}, {"frame": frame})
    with pytest.raises(BrokenEpisode, match="64 hex digits"):
        Episode.open(path)


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    path = record(tmp_path / "e", 2)
    episode = Episode.open(path)
    [key] = [file for file in (path / "images").iterdir() if "delta" not in file.name]
    key.unlink()
    with pytest.raises(BrokenEpisode, match=rf"{key.name}, step 1: .* cannot be read"):
        episode.frame(episode.steps[1])
    assert f"images/{key.name}, step 0" in str(verify(path))


def test_a_huge_image_header_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = record(tmp_path / "e", 1)
    [file] = (path / "images").iterdir()
    data = bytearray(file.read_bytes())
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    head = {"digest": file.stem, "file": sha256(data).hexdigest()}
    file.write_bytes(data)
    rewrite(path, {}, {"frame": head | {"size": [60_000, 60_000], "box": [0, 0, 1, 1]}})
    episode = Episode.open(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BrokenEpisode, match=r"step 0: .*(too many|cannot be decoded)"):
        episode.frame(episode.steps[0])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_as_an_episode_give_a_clear_error(tmp_path_factory: object, junk: bytes) -> None:
    assert isinstance(tmp_path_factory, pytest.TempPathFactory)
    path = tmp_path_factory.getbasetemp() / "junk"
    path.mkdir(exist_ok=True)
    (path / "manifest.json").write_bytes(junk)
    with pytest.raises(BrokenEpisode, match=r"manifest\.json"):
        Episode.open(path)
    assert not verify(path).ok


def test_deeply_nested_json_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"a":' * 100_000)
    with pytest.raises(BrokenEpisode):
        Episode.open(tmp_path)
    manifest = json.dumps({"format": "eyehand-episode", "version": "1.0", "head": 3})
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(BrokenEpisode):
        Episode.open(tmp_path)
