"""Pages under CSS kits: what the labels say is what the pixels show."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from actions.space import CallUser
from agent.learning.npm import NpmError
from agent.learning.pages.__main__ import photograph
from agent.learning.pages.skins import Skin, fetch
from agent.learning.pages.studio import Look, Studio
from agent.learning.samples import Sample, read_shard
from vision.geometry import Box, Point, Size

SIZE = Size(480, 320)
PLAIN = Skin("plain", "plain@1", "plain.css", "train", {"button": "btn"}, {"data-theme": "dark"})
CSS = """
body { background: #123; color: #eee }
.btn { background: #c33; color: white; padding: 6px 14px; border: 0 }
"""
OWN = """<style>button { display: none }</style>
<button>Save file</button> <button aria-label="trash"><i style="padding:9px"></i></button>
<label for="who">Name</label> <input id="who"> <p>It says little.</p>"""


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Look:
    skins = tmp_path_factory.mktemp("skins")
    (skins / "plain.css").write_text(CSS)
    return Look("train", SIZE, skins, questions=8)


@pytest.fixture(scope="module")
def studio(look: Look) -> Iterator[Studio]:
    with Studio(look) as open_studio:
        yield open_studio


@pytest.fixture(scope="module")
def samples(studio: Studio) -> list[Sample]:
    return [studio.sample(PLAIN, seed) for seed in range(4)]


def test_boxes_lie_on_the_screen_and_hold_the_click(samples: list[Sample]) -> None:
    for sample in samples:
        assert sample.pixels.shape == (320, 480, 3)
        assert len(sample.questions) == 8
        for question in sample.questions:
            if question.box is None:
                assert question.action == CallUser()
                continue
            assert question.box.contains(question.action.point)  # type: ignore[union-attr]
            assert 0 <= question.box.left < question.box.right <= 480
            assert 0 <= question.box.top < question.box.bottom <= 320
            assert question.takes


def test_every_letter_is_ink(samples: list[Sample]) -> None:
    letters = bare = 0
    for sample in samples:
        for x, y in sample.glyphs.centers:
            assert Box(0, 0, 480, 320).contains(Point(x, y))
            around = sample.pixels[
                max(0, int(y) - 9) : int(y) + 10, max(0, int(x) - 5) : int(x) + 6
            ]
            bare += np.ptp(around.astype(int), axis=(0, 1)).max() < 30
            letters += 1
    assert letters > 100
    assert bare < letters / 50  # a disabled button's text is faint


def test_a_sample_is_repeatable_and_each_seed_is_another(studio: Studio) -> None:
    one, again, other = (studio.sample(PLAIN, seed) for seed in (3, 3, 4))
    assert (one.pixels == again.pixels).all()
    assert one.questions == again.questions
    assert (one.pixels != other.pixels).any()


def test_a_page_of_ones_own_is_dressed_and_asked_about(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "own.html").write_text(OWN)
    found = [studio.sample(PLAIN, seed, (tmp_path / "own.html").as_uri()) for seed in range(4)]
    asked = {question.instruction: question for sample in found for question in sample.questions}
    assert any("Save file" in instruction for instruction in asked)
    assert any("trash" in q.instruction for q in asked.values() if q.takes == "icon")
    assert any("Name" in instruction for instruction in asked)
    # Its own style, which hid the buttons, is gone; the kit's background is there.
    assert tuple(found[0].pixels[-1, 0]) == (0x11, 0x22, 0x33)


def test_shards_are_written_once(look: Look, tmp_path: Path) -> None:
    (path,) = photograph(look, [PLAIN], range(2), tmp_path)
    written = path.stat().st_mtime_ns
    assert path.name == "page.plain-000000000-2.npz"
    assert [*photograph(look, [PLAIN], range(2), tmp_path)] == [path]
    assert path.stat().st_mtime_ns == written
    samples = read_shard(path)
    assert len(samples) == 2
    assert all(question.takes for sample in samples for question in sample.questions)


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_a_kit_without_its_stylesheet_is_told(tmp_path: Path) -> None:
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit/package.json").write_text('{"name": "kit", "version": "1.0.0"}')
    missing = Skin("kit", f"file:{tmp_path / 'kit'}", "kit.css", "train")
    with pytest.raises(NpmError, match=r"expected kit\.css, actually missing"):
        fetch([missing], tmp_path / "skins")
