"""Packing, unpacking, forking and comparing; what hostile archives are answered with."""

from __future__ import annotations

import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actions.guard import DEFAULT_RULES, Permission, Rule
from agent.episodes.diff import diff
from agent.episodes.errors import BrokenEpisode, EpisodeInUse, NotAnEpisode
from agent.episodes.format import Head
from agent.episodes.pack import fork, pack, unpack
from agent.episodes.reader import Episode
from agent.episodes.replay import replay
from agent.episodes.rules import guard_of, rules_json
from agent.episodes.verify import verify
from agent.episodes.writer import EpisodeWriter
from vision.geometry import Box

LOGIN = Path(__file__).parents[1] / "data/episodes/login"


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(LOGIN, tmp_path_factory.mktemp("pack") / "login.eyehand")


def test_a_packed_episode_is_read_verified_and_replayed_as_it_is(packed: Path) -> None:
    folder, file = Episode.open(LOGIN), Episode.open(packed)
    assert file.steps == folder.steps and file.head == folder.head
    for one, other in zip(folder.steps, file.steps, strict=True):
        assert np.array_equal(folder.frame(one).pixels, file.frame(other).pixels)
    assert verify(packed).ok and replay(packed).ok
    assert diff(LOGIN, packed) == ()


def test_packing_is_deterministic_and_unpacking_gives_the_same_files(
    packed: Path, tmp_path: Path
) -> None:
    folder = unpack(packed, tmp_path / "login")
    assert {f.name: f.read_bytes() for f in folder.rglob("*") if f.is_file()} == {
        f.name: f.read_bytes() for f in LOGIN.rglob("*") if f.is_file()
    }
    assert pack(folder, tmp_path / "again").read_bytes() == packed.read_bytes()


def test_nothing_that_exists_is_overwritten(packed: Path, tmp_path: Path) -> None:
    before = packed.read_bytes()
    for call in (lambda: pack(LOGIN, packed), lambda: unpack(packed, tmp_path)):
        with pytest.raises(EpisodeInUse, match="exists"):
            call()
    assert packed.read_bytes() == before and not list(tmp_path.iterdir())


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_a_changed_byte_anywhere_in_a_packed_episode_is_found(
    packed: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(packed.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    changed = tmp_path_factory.getbasetemp() / "changed.eyehand"
    changed.write_bytes(content)
    try:
        assert not verify(changed).ok
    except NotAnEpisode:
        return  # no longer an archive at all


@pytest.mark.parametrize("cut", [1, 30, 1000])
def test_a_cut_packed_episode_is_no_episode(packed: Path, tmp_path: Path, cut: int) -> None:
    (tmp_path / "cut").write_bytes(packed.read_bytes()[:-cut])
    with pytest.raises(NotAnEpisode, match="cut is no episode"):
        Episode.open(tmp_path / "cut")


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/etc/evil", "images/../../evil.png", "images\\evil.png", "run.sh"]
)
def test_a_member_that_leads_elsewhere_is_refused(packed: Path, tmp_path: Path, name: str) -> None:
    evil = tmp_path / "evil.eyehand"
    shutil.copy(packed, evil)
    with zipfile.ZipFile(evil, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), "x")
    for call in (Episode.open, lambda path: unpack(path, tmp_path / "out")):
        with pytest.raises(BrokenEpisode, match=r"evil\.eyehand.*no file of an episode"):
            call(evil)
    assert [file.name for file in tmp_path.iterdir()] == ["evil.eyehand"]


def test_a_bomb_and_a_double_member_are_refused(packed: Path, tmp_path: Path) -> None:
    picture = f"images/{'0' * 64}.png"
    bomb, twice = tmp_path / "bomb", tmp_path / "twice"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(picture, bytes(50_000_000))
    with pytest.raises(BrokenEpisode, match="compressed"):
        Episode.open(bomb)
    shutil.copy(packed, twice)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(twice, "a") as archive:
        archive.writestr("manifest.json", "{}")
    with pytest.raises(BrokenEpisode, match="twice"):
        Episode.open(twice)


def test_a_member_that_claims_ten_gigabytes_is_not_read(packed: Path, tmp_path: Path) -> None:
    content = bytearray(packed.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 20 : entry + 28] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)
    (tmp_path / "huge").write_bytes(content)
    with pytest.raises((BrokenEpisode, NotAnEpisode), match="huge"):
        episode = Episode.open(tmp_path / "huge")
        for step in episode.steps:
            episode.frame(step)


def test_a_damaged_episode_is_not_packed(tmp_path: Path) -> None:
    shutil.copytree(LOGIN, tmp_path / "login")
    next((tmp_path / "login/images").iterdir()).unlink()
    with pytest.raises(BrokenEpisode, match="is damaged: images/"):
        pack(tmp_path / "login", tmp_path / "out")
    with pytest.raises(NotAnEpisode):
        pack(tmp_path, tmp_path / "out")


@pytest.mark.parametrize("at", [0, 3, 6])
def test_a_fork_is_the_beginning_and_knows_its_parent(tmp_path: Path, at: int) -> None:
    path, whole = fork(LOGIN, at, tmp_path / "fork"), Episode.open(LOGIN)
    forked = Episode.open(path)
    assert verify(path).ok and not verify(path).strays and replay(path).ok
    assert forked.steps == whole.steps[:at]
    assert forked.head.parent == {"id": whole.head.id, "step": at}
    assert forked.head.id != whole.head.id
    assert forked.outcome is not None and forked.outcome.end == "forked"


def test_a_fork_behind_the_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenEpisode, match="has 6 steps; it cannot be forked at 7"):
        fork(LOGIN, 7, tmp_path / "fork")


def test_a_difference_of_episodes_is_told_step_by_step(tmp_path: Path) -> None:
    path = fork(LOGIN, 5, tmp_path / "fork")
    told = [(found.step, found.stage) for found in diff(LOGIN, path)]
    assert told == [(5, "length"), (-1, "outcome")]


def test_the_rules_of_the_guard_are_kept_and_replayed(tmp_path: Path) -> None:
    rules = (
        Rule(Permission.DENY, "no", frozenset({"click", "drag"}), Box(0, 0, 5, 5.5), (), r"a\d"),
        *DEFAULT_RULES,
    )
    with EpisodeWriter(tmp_path / "e", Head("x", rules=rules_json(rules))):
        pass
    assert guard_of(Episode.open(tmp_path / "e")).rules == rules
    with EpisodeWriter(tmp_path / "bad", Head("x", rules=({"permission": "maybe"},))):
        pass
    with pytest.raises(BrokenEpisode, match=r"manifest\.json, head\.rules"):
        replay(tmp_path / "bad")
