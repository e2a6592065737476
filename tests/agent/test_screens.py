import random
import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from actions.space import CallUser, Click, Type
from agent.learning.samples import Sample
from agent.learning.screens import ScreenGenerator
from agent.learning.screens.__main__ import main
from agent.learning.screens.element import Element
from agent.learning.screens.fonts import Face, Hinting, families, installed, known, packages
from agent.learning.screens.generator import SPLITS
from agent.learning.screens.relations import direction
from agent.learning.screens.vocabulary import Vocabulary, of_split, split_of
from vision.geometry import Box, Point, Size


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
        assert isinstance(question.action, Click | Type) and question.action.point
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


def inside(sample: Sample, box: Box) -> str:
    """The characters whose centres lie in a box, in reading order."""
    glyphs = zip(sample.glyphs.chars, sample.glyphs.centers, strict=True)
    return "".join(char for char, (x, y) in glyphs if box.contains(Point(x, y)))


def test_a_button_that_is_asked_for_bears_its_label(samples: list[Sample]) -> None:
    asked = [
        (match[1].replace(" ", "").lower(), inside(sample, question.box).lower())
        for sample in samples
        for question in sample.questions
        if (match := re.match('Click the button labeled "(.+)".', question.instruction))
        and question.box
    ]
    assert len(asked) > 5
    # A mouse pointer may lie over one of them.
    assert sum(label == shown for label, shown in asked) >= len(asked) - 1


def test_an_absent_label_is_not_on_the_screen(samples: list[Sample]) -> None:
    for sample in samples:
        shown = inside(sample, Box(0, 60, 160, 210)).lower()
        for question in sample.questions:
            label = re.search('"(.+)"', question.instruction)
            if (
                question.box is None
                and label
                and len(label[1]) > 3
                and "widget" not in label.string
            ):
                assert label[1].replace(" ", "").lower() not in shown


def test_about_half_of_the_screens_show_one_of_their_instructions(samples: list[Sample]) -> None:
    shown = [
        any(
            sample.glyphs.chars.startswith(question.instruction.replace(" ", "")[:12])
            for question in sample.questions
        )
        for sample in samples
    ]
    assert 0.3 < np.mean(shown) < 0.8


def test_splits_share_neither_words_nor_fonts() -> None:
    for kind in ("interface", "running", "names"):
        words = [set(of_split(kind, split)) for split in SPLITS]
        assert all(words)
        assert not (words[0] & words[1] or words[0] & words[2] or words[1] & words[2])
    faces = [set(families(split)) for split in SPLITS]
    assert not (faces[0] & faces[1] or faces[0] & faces[2] or faces[1] & faces[2])
    assert all(len(held) >= 2 for held in faces[1:])


def test_only_fonts_of_the_training_may_be_missing() -> None:
    assert all(len(family.files) in (2, 3) for family in known().values())
    for split in SPLITS[1:]:
        assert [name for name, own in known().items() if own.split == split] == families(split)
    here = {known()[name].package for name in installed()}
    assert not here & set(packages())


def test_every_word_that_is_drawn_belongs_to_its_split() -> None:
    for split in SPLITS:
        vocabulary = Vocabulary(random.Random(7), split)
        for _ in range(300):
            text = f"{vocabulary.label()} {vocabulary.running()} {vocabulary.name()}"
            words = [word for word in text.split() if word.isalpha()]
            assert {split_of(word) for word in words} <= {split}


@settings(max_examples=15, deadline=None)
@given(st.integers(120, 640), st.integers(120, 480), st.integers(0, 9999), st.sampled_from(SPLITS))
def test_any_size_works(width: int, height: int, index: int, split: str) -> None:
    sample = ScreenGenerator(2, Size(width, height), split).sample(index)
    assert sample.pixels.shape == (height, width, 3)
    boxes = [question.box for question in sample.questions if question.box]
    assert all(box.right <= width and box.bottom <= height for box in boxes)


def test_arguments_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="split of train, validation, test, actually 'valid'"):
        ScreenGenerator(0, split="valid")
    with pytest.raises(ValueError, match="at least 120 pixels"):
        ScreenGenerator(0, size=Size(100, 210))
    with pytest.raises(ValueError, match="at least one question"):
        ScreenGenerator(0, questions=0)


def element(left: float, top: float) -> Element:
    return Element("button", Box(left, top, left + 40, top + 20))


def test_relations_name_the_nearest_neighbour_only() -> None:
    anchor, near, far = element(0, 0), element(0, 30), element(0, 60)
    assert direction(near, anchor, [near, far]) == "below"
    assert direction(far, anchor, [near, far]) is None
    assert direction(anchor, near, [anchor, far]) == "above"
    assert direction(element(50, 0), anchor, [near]) == "right"
    assert direction(element(-50, 5), anchor, [near]) == "left"
    assert direction(element(60, 60), anchor, []) is None
    assert direction(element(0, 400), anchor, []) is None


def test_relations_refuse_two_neighbours_at_the_same_distance() -> None:
    anchor = Element("heading", Box(0, 0, 100, 20))
    left, right = element(0, 30), element(60, 32)
    assert direction(left, anchor, [left, right]) is None


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=12))
def test_the_pen_moves_right(text: str) -> None:
    for hinting in Hinting:
        face = Face(installed()["DejaVu Sans"][0], 11, hinting)
        offsets = face.offsets(text)
        assert len(offsets) == len(text) + 1
        assert offsets == sorted(offsets)
        assert face.coverage(text, offsets).shape[0] == face.line + 2 * face.margin


def test_the_contact_sheet_is_a_picture(tmp_path: Path) -> None:
    main(tmp_path / "sheet.png", count=3, columns=2)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 2 * (2 * 160 + 8)


def test_a_screen_takes_milliseconds(capsys: pytest.CaptureFixture[str]) -> None:
    generator = ScreenGenerator(1)
    generator.sample(0)
    start = time.process_time()
    for index in range(50):
        generator.sample(index)
    with capsys.disabled():
        print(f"\n{(time.process_time() - start) * 20:.1f} ms of one core per 160x210 screen")  # noqa: T201 - a figure, not a check
