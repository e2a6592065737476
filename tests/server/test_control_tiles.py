"""The live view's pictures: whoever takes them in, at whatever pace, sees the newest screen."""

from __future__ import annotations

import io
import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from server.control.tiles import TILE, Tiles, changed
from vision.frame import Frame, Pixels
from vision.geometry import Box, Point

SIDES = st.sampled_from([(1, 1), (256, 256), (300, 520), (257, 513), (600, 771)])
SPOTS = st.lists(
    st.tuples(st.floats(0, 0.999), st.floats(0, 0.999), st.integers(0, 255), st.booleans()),
    max_size=6,
)


def frame(pixels: Pixels, pointer: Point) -> Frame:
    return Frame(pixels.copy(), Box(0, 0, pixels.shape[1], pixels.shape[0]), 0.0, pointer)


def take_in(canvas: Pixels, message: bytes) -> int:
    """Draw a message as a client does; the number that it brings up to."""
    length = int.from_bytes(message[:4])
    head = json.loads(message[4 : 4 + length])
    at = 4 + length
    for left, top, width, height, size in head["tiles"]:
        part = np.asarray(Image.open(io.BytesIO(message[at : at + size])))
        assert part.shape == (height, width, 3)
        canvas[top : top + height, left : left + width] = part
        at += size
    assert at == len(message)
    return int(head["number"])


@settings(max_examples=30)
@given(SIDES, SPOTS)
def test_a_client_that_skips_pictures_ends_with_the_newest(
    sides: tuple[int, int], spots: list[tuple[float, float, int, bool]]
) -> None:
    screen = np.full((*sides, 3), 40, np.uint8)
    canvas, seen, tiles = np.zeros_like(screen), 0, Tiles()
    for number, (y, x, value, looks) in enumerate([(0, 0, 40, False), *spots]):
        row, column = (
            int(part * side) // TILE * TILE for part, side in zip((y, x), sides, strict=True)
        )
        screen[row : row + TILE, column : column + TILE] = value
        tiles.update(frame(screen, Point(number, 0)))
        if looks:
            seen = take_in(canvas, tiles.since(seen)[1])
    take_in(canvas, tiles.since(seen)[1])
    assert np.abs(canvas.astype(int) - screen).max() <= 3


@given(SIDES, st.floats(0, 0.999), st.floats(0, 0.999), st.integers(0, 2))
def test_one_pixel_marks_its_tile_and_no_other(
    sides: tuple[int, int], y: float, x: float, channel: int
) -> None:
    one = np.zeros((*sides, 3), np.uint8)
    other = one.copy()
    row, column = int(y * sides[0]), int(x * sides[1])
    other[row, column, channel] = 1
    assert np.argwhere(changed(one, other)).tolist() == [[row // TILE, column // TILE]]


def test_nothing_new_is_nothing_to_send() -> None:
    pixels, tiles = np.zeros((300, 300, 3), np.uint8), Tiles()
    assert tiles.update(frame(pixels, Point(1, 1)))
    assert not tiles.update(frame(pixels, Point(1, 1)))
    assert not tiles.point_at(Point(1, 1))
    assert tiles.point_at(Point(2, 1))


def test_far_corners_do_not_send_what_lies_between() -> None:
    pixels, tiles = np.zeros((1024, 1024, 3), np.uint8), Tiles()
    tiles.update(frame(pixels, Point(0, 0)))
    number = tiles.number
    pixels[0, 0] = pixels[1023, 1023] = 255
    tiles.update(frame(pixels, Point(0, 0)))
    message = tiles.since(number)[1]
    head = json.loads(message[4 : 4 + int.from_bytes(message[:4])])
    assert [tile[:4] for tile in head["tiles"]] == [[0, 0, 256, 256], [768, 768, 256, 256]]
