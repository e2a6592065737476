"""Icon sets: fetched, named, and shown on screens of one split only."""

from __future__ import annotations

import json
import random
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.space import CallUser
from agent.learning.npm import NpmError, _unpack, package
from agent.learning.screens import ScreenGenerator
from agent.learning.screens.generator import SPLITS
from agent.learning.screens.iconpackages import Source, fetch, names_of, spoken
from agent.learning.screens.icons import ICONS
from agent.learning.screens.iconsets import DRAWN, IconSet, IconSetError, icons_of
from agent.learning.stream import Stream, data_hash

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">{}</svg>'
BELL = SVG.format('<path d="M6 4h12v14H6z" fill="currentColor"/>')
NAMES = ("bell", "anchor", "lemon", "tractor", "violin", "wallet", "yacht", "zebra-2", "trash")


def tags(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads((folder / "tags.json").read_text())
    return found


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One set for each split, of the same icons."""
    root = tmp_path_factory.mktemp("sets")
    files = root / "source/icons"
    files.mkdir(parents=True)
    for name in NAMES:
        (files / f"{name}.svg").write_text(BELL)
    (files / "broken.svg").write_text("<svg")
    (root / "source/package.json").write_text('{"license": "MIT"}')
    (root / "source/tags.json").write_text('{"bell": ["alarm", "*new*"], "trash": ["remove"]}')
    splits = ("train", "validation", "test")
    sources = [
        Source(f"set-{split}", str(root / "source"), split, "icons", tags) for split in splits
    ]
    fetch(sources, root / "sets")
    return root / "sets"


def test_a_set_knows_its_icons_their_names_and_its_licence(sets: Path) -> None:
    one = IconSet(sets / "set-test.zip")
    assert one.split == "test"
    assert set(one.names("bell")) == {"bell", "alarm"}
    assert set(one.names("zebra-2")) == {"zebra"}
    mask = np.asarray(one.mask("bell", 24, 24))
    assert mask[10, 12] == 255
    assert mask[1, 1] == 0
    with zipfile.ZipFile(sets / "set-test.zip") as archive:
        about = json.loads(archive.read("icons.json"))
    assert (about["licence"], about["split"]) == ("MIT", "test")
    assert "broken" not in about["names"]


def test_drawn_icons_are_found_in_a_set_or_drawn(sets: Path) -> None:
    one = IconSet(sets / "set-test.zip")
    assert one.mask("trash", 16, 16).tobytes() != DRAWN.mask("trash", 16, 16).tobytes()
    assert one.mask("clock", 16, 16).tobytes() == DRAWN.mask("clock", 16, 16).tobytes()


def test_a_split_sees_its_own_sets_only(sets: Path) -> None:
    titles = {
        split: [icons.title for icons in icons_of(sets, split) if isinstance(icons, IconSet)]
        for split in SPLITS
    }
    assert titles == {split: [f"set-{split}"] for split in titles}
    assert DRAWN in icons_of(sets, "train")
    assert DRAWN not in icons_of(sets, "test")
    assert icons_of(None, "test") == (DRAWN,)


def test_screens_ask_for_icons_of_the_set(sets: Path) -> None:
    generator, asked = ScreenGenerator(1, split="test", icons=sets), []
    for index in range(120):
        sample, takes = generator.tagged(index)
        icons = zip(sample.questions, takes, strict=True)
        asked += [question.instruction for question, kind in icons if kind == "icon"]
    called = {name for name in NAMES if any(name in instruction for instruction in asked)}
    assert len(called) >= 4
    again = ScreenGenerator(1, split="test", icons=sets).sample(7)
    assert again.questions == generator.sample(7).questions


def test_a_name_fits_one_icon_of_the_screen_only(sets: Path) -> None:
    one = IconSet(sets / "set-test.zip")
    assert one.tell_apart("bell", ["anchor"]) == list(one.names("bell"))
    assert one.tell_apart("user", ["user plus"]) == ["person", "profile"]
    assert one.resembles("bell", ["alarm"])
    assert not one.resembles("bell", ["anchor", "lemon"])


def test_drawn_icons_tell_each_other_apart() -> None:
    for icon in ICONS:
        assert DRAWN.tell_apart(icon, set(ICONS) - {icon}) == list(DRAWN.names(icon))


def test_a_set_gives_as_many_different_icons_as_it_has(sets: Path) -> None:
    chosen = IconSet(sets / "set-test.zip").choose(random.Random(1), 99)
    assert sorted(chosen) == sorted(NAMES)


def test_damage_and_absence_are_told(sets: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.zip"
    cut.write_bytes((sets / "set-test.zip").read_bytes()[:-40])
    with pytest.raises(IconSetError, match="delete it and fetch it again"):
        IconSet(cut)
    (tmp_path / "none").mkdir()
    with pytest.raises(IconSetError, match="expected icon sets, actually none"):
        ScreenGenerator(0, icons=tmp_path / "none")
    with pytest.raises(IconSetError, match="expected SVG files"):
        fetch([Source("nothing", str(tmp_path / "none"), "test", ".")], tmp_path)


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_npm_gives_the_files_of_a_package(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/package.json").write_text('{"name": "own", "version": "1.0.0"}')
    (tmp_path / "own/bell.svg").write_text(BELL)
    with package(f"file:{tmp_path / 'own'}") as folder:
        assert (folder / "bell.svg").read_text() == BELL
    with pytest.raises(NpmError, match="npm has no file:"), package(f"file:{tmp_path / 'no'}"):
        pass


def test_a_package_that_would_write_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with tarfile.open(tmp_path / "bad.tgz", "w:gz") as made:
        made.add(tmp_path / "file", "package/../../elsewhere")
    (tmp_path / "in").mkdir()
    with (
        tarfile.open(tmp_path / "bad.tgz") as archive,
        pytest.raises(tarfile.TarError, match="outside of the package"),
    ):
        _unpack(archive, tmp_path / "in")
    assert not (tmp_path / "elsewhere").exists()


@given(st.text(max_size=20))
def test_names_are_lower_case_words(name: str) -> None:
    words = spoken(name)
    assert words == "" or all(word.isascii() and word.islower() for word in words.split())


def test_tags_that_many_icons_share_are_no_names() -> None:
    many = {f"a{chr(97 + k)}": ["thing"] for k in range(20)} | {"bell": ["alarm", "bell", "ab"]}
    assert names_of(many, many)["bell"] == ("bell", "alarm")
    assert all(len(names) == 1 for icon, names in names_of(many, many).items() if icon != "bell")
    assert "brand-x" not in names_of(["brand-x"], {})


def test_some_questions_name_icons_that_are_not_there(sets: Path) -> None:
    generator = ScreenGenerator(4, split="test", icons=sets)
    absent = [
        question.instruction
        for index in range(150)
        for question in generator.sample(index).questions
        if question.action == CallUser() and "icon" in question.instruction
    ]
    assert absent


def test_training_shows_the_sets_that_it_is_given(sets: Path) -> None:
    drawn, given = (Stream(3, questions=2, finished=0, icons=icons) for icons in (None, sets))
    generator = ScreenGenerator(3, questions=2, icons=sets)
    for index in range(5):
        assert np.array_equal(given.sample(index).pixels, generator.sample(index).pixels)
    assert not np.array_equal(given.sample(0).pixels, drawn.sample(0).pixels)


def test_training_without_the_sets_that_it_was_promised_does_not_begin(tmp_path: Path) -> None:
    with pytest.raises(IconSetError, match=str(tmp_path)):
        Stream(3, icons=tmp_path)


def test_a_checkpoint_s_data_hash_knows_the_icons(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    file = tmp_path / "set" / "a.svg"
    hashes = [data_hash(()), data_hash((), tmp_path)]
    for text in ("one", "other"):
        file.write_text(text)
        hashes.append(data_hash((), tmp_path))
    file.rename(tmp_path / "set" / "b.svg")
    hashes.append(data_hash((), tmp_path))
    assert hashes[0] == hashes[1] and len(set(hashes)) == 4
