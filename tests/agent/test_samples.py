from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.space import Action, CallUser, Click, Drag, Finished, Hotkey, Scroll, Type
from actions.space import Direction as D
from agent.learning.samples import (
    Glyphs,
    Question,
    Sample,
    ShardError,
    read_shard,
    shard_digest,
    write_shard,
)
from vision.geometry import Box, Point

POINTS = st.builds(Point, st.integers(0, 159), st.integers(0, 209))
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(Click, POINTS),
    st.builds(Drag, POINTS, POINTS),
    st.builds(Type, st.text()),
    st.builds(Scroll, st.sampled_from(D), st.none() | POINTS),
    st.just(Hotkey(("ctrl", "c"))),
    st.just(CallUser()),
    st.builds(Finished, st.text()),
)
BOX = st.builds(Box, *[st.floats(0, 500)] * 4)
BOXES = st.none() | BOX
QUESTION = st.builds(
    Question, st.text(), ACTIONS, BOXES, also=st.lists(BOX, max_size=2).map(tuple), end=BOXES
)
QUESTIONS = st.lists(QUESTION, max_size=3).map(tuple)


@st.composite
def glyphs(draw: st.DrawFn) -> Glyphs:
    chars = draw(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=5))
    flat = [draw(st.floats(0, 500, width=32)) for _ in range(2 * len(chars))]
    return Glyphs(chars, np.array(flat, np.float32).reshape(-1, 2))


@st.composite
def samples(draw: st.DrawFn) -> list[Sample]:
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    paint = np.random.default_rng(draw(st.integers(0, 99)))
    return [
        Sample(
            paint.integers(0, 256, (height, width, 3), np.uint8), draw(QUESTIONS), draw(glyphs())
        )
        for _ in range(draw(st.integers(1, 3)))
    ]


def same(one: Sample, other: Sample) -> bool:
    return (
        np.array_equal(one.pixels, other.pixels)
        and one.questions == other.questions
        and one.glyphs.chars == other.glyphs.chars
        and np.array_equal(one.glyphs.centers, other.glyphs.centers)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shards")


def blank(width: int = 4) -> Sample:
    question = Question("Click it", Click(Point(0, 1)), Box(0, 0, 2, 2))
    pixels = np.zeros((3, width, 3), np.uint8)
    return Sample(pixels, (question,), Glyphs("x", np.ones((1, 2), np.float32)))


@given(written=samples())
def test_a_shard_gives_back_what_was_written(folder: Path, written: list[Sample]) -> None:
    path = folder / "shard.npz"
    digest = write_shard(path, written)
    read = read_shard(path)
    assert len(read) == len(written)
    assert all(map(same, read, written))
    assert digest == shard_digest(path) == write_shard(path, read)


@given(fraction=st.floats(0, 0.999))
def test_a_shard_cut_short_is_reported(folder: Path, fraction: float) -> None:
    path = folder / "cut.npz"
    write_shard(path, [blank()])
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(ShardError, match=r"cut\.npz: cut short or no shard; delete it"):
        read_shard(path)


@given(fraction=st.floats(0, 0.999), bit=st.integers(0, 7))
def test_a_damaged_shard_is_never_read_as_something_else(
    folder: Path, fraction: float, bit: int
) -> None:
    path = folder / "damaged.npz"
    write_shard(path, [blank()])
    content = bytearray(path.read_bytes())
    content[int(fraction * len(content))] ^= 1 << bit
    path.write_bytes(content)
    try:
        read = read_shard(path)
    except ShardError:
        return
    assert same(read[0], blank())  # the bit was one that means nothing, such as a time stamp


def test_a_stranger_s_file_is_reported(folder: Path) -> None:
    path = folder / "other.npz"
    np.savez(path, pixels=np.zeros(3))
    with pytest.raises(ShardError, match="no shard"):
        read_shard(path)


def test_pictures_of_different_sizes_do_not_fit_in_one_shard(folder: Path) -> None:
    path = folder / "mixed.npz"
    with pytest.raises(ShardError, match="one picture size"):
        write_shard(path, [blank(4), blank(5)])
    with pytest.raises(ShardError, match="one picture size, actually no"):
        write_shard(path, [])
    assert not path.exists()


def test_glyphs_need_one_centre_each() -> None:
    with pytest.raises(ShardError, match=r"\(2, 2\), actually \(1, 2\)"):
        Glyphs("ab", np.ones((1, 2), np.float32))
