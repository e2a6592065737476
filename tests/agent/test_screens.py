import time

import numpy as np
import pytest

from actions.space import CallUser, Click
from agent.learning.samples import Sample
from agent.learning.screens import ScreenGenerator
from agent.learning.screens.fonts import families
from agent.learning.screens.vocabulary import of_split
from vision.geometry import Box, Point, Size

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [
        ScreenGenerator(3, split=split).sample(index) for split in SPLITS for index in range(25)
    ]


def test_a_sample_depends_on_seed_split_and_index_only() -> None:
    one, same = (ScreenGenerator(5).sample(9) for _ in range(2))
    assert (one.pixels == same.pixels).all()
    assert one.questions == same.questions
    assert one.glyphs.chars == same.glyphs.chars
    others = [
        ScreenGenerator(6).sample(9),
        ScreenGenerator(5).sample(8),
        ScreenGenerator(5, split="test").sample(9),
    ]
    assert all((one.pixels != other.pixels).any() for other in others)


def test_a_screen_has_the_size_and_the_questions_asked_for() -> None:
    sample = ScreenGenerator(0, size=Size(320, 240), questions=4).sample(0)
    assert sample.pixels.shape == (240, 320, 3)
    assert sample.pixels.dtype == np.uint8
    assert len(sample.questions) == 4


def test_boxes_lie_on_the_screen_and_hold_the_click(samples: list[Sample]) -> None:
    for question in (question for sample in samples for question in sample.questions):
        if question.box is None:
            assert isinstance(question.action, CallUser)
            continue
        assert isinstance(question.action, Click)
        assert question.box.contains(question.action.point)
        left, top, right, bottom = question.box
        assert 0 <= left < right <= 160
        assert 0 <= top < bottom <= 210


def test_some_targets_are_absent(samples: list[Sample]) -> None:
    absent = [question.box is None for sample in samples for question in sample.questions]
    assert 0.05 < np.mean(absent) < 0.2


def test_no_instruction_appears_twice_on_one_screen(samples: list[Sample]) -> None:
    for sample in samples:
        assert len({question.instruction for question in sample.questions}) == 6


def test_every_glyph_has_ink_around_its_center(samples: list[Sample]) -> None:
    for sample in samples:
        for char, (x, y) in zip(sample.glyphs.chars, sample.glyphs.centers, strict=True):
            assert Box(0, 0, 160, 210).contains(Point(x, y))
            assert 33 <= ord(char) <= 126
            around = sample.pixels[
                max(0, int(y) - 9) : int(y) + 10, max(0, int(x) - 4) : int(x) + 5
            ]
            assert np.ptp(around.astype(int), axis=(0, 1)).max() > 20, char


def test_splits_share_neither_words_nor_fonts() -> None:
    for kind in ("interface", "running", "names"):
        words = [set(of_split(kind, split)) for split in SPLITS]
        assert all(words)
        assert not (words[0] & words[1] or words[0] & words[2] or words[1] & words[2])
    faces = [set(families(split)) for split in SPLITS]
    assert not (faces[0] & faces[1] or faces[0] & faces[2] or faces[1] & faces[2])


def test_a_screen_takes_milliseconds(capsys: pytest.CaptureFixture[str]) -> None:
    generator = ScreenGenerator(1)
    generator.sample(0)
    start = time.process_time()
    for index in range(50):
        generator.sample(index)
    with capsys.disabled():
        print(f"\n{(time.process_time() - start) * 20:.1f} ms of one core per 160x210 screen")  # noqa: T201 - a figure, not a check
