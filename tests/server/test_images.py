"""Screenshots that are not what they claim to be."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from server.errors import ApiError
from server.frames import FrameCache
from server.images import ImageReader
from server.settings import ImageLimits
from tests.server.conftest import Door, Open, ScriptedPolicy, data_url, encode, picture, said, shown
from vision.frame import Frame


def header_only(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds hardly any data: a decompression bomb's face."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


PNG = encode(Image.new("RGB", (100, 80), "teal"))
BAD = {
    "empty string": ("", "data URL"),
    "bare base64": ("iVBORw0KGgo=", "data URL"),
    "web address": ("https://127.0.0.1/x.png", "fetches nothing"),
    "file address": ("file:///etc/passwd", "fetches nothing"),
    "another kind": (data_url(b"%PDF-1.4", "png").replace("image/png", "application/pdf"), "data"),
    "svg": (data_url(b"<svg/>", "svg+xml"), "data URL"),
    "zero bytes": ("data:image/png;base64,", "0 bytes"),
    "three bytes": (data_url(b"abc"), "3 other bytes"),
    "no base64": ("data:image/png;base64,###", "base64"),
    "cut base64": ("data:image/png;base64,abcde", "base64"),
    "not ASCII": ("data:image/png;base64,ééé", "base64"),
    "GIF called PNG": (data_url(encode(Image.new("RGB", (50, 50)), "GIF")), "PNG, JPEG or WebP"),
    "BMP called PNG": (data_url(encode(Image.new("RGB", (50, 50)), "BMP")), "PNG, JPEG or WebP"),
    "cut off": (data_url(PNG[:-40]), "damaged"),
    "no pixels": (data_url(PNG.replace(b"IDAT", b"IDAU")), "PNG, JPEG or WebP"),
    "1x1": (picture(1, 1), "1x1, expected at least 28"),
    "one line": (picture(500, 1), "500x1, expected at least 28"),
    "10,000-pixel side": (picture(10_000, 100), "10000x100"),
    "many pixels": (data_url(header_only(8000, 8000)), "8000x8000"),
    "bomb": (data_url(header_only(60_000, 60_000)), "too big"),
    "larger bomb": (data_url(header_only(2**31 - 1, 2**31 - 1)), "too big"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_screenshot_is_a_400_that_says_what_is_wrong(door: Door, name: str) -> None:
    url, words = BAD[name]
    answer = door.act(screenshot=url)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", "screenshot")
    assert words in error["message"]
    assert len(error["message"]) < 300


def test_the_server_works_on_after_all_of_them(door: Door) -> None:
    for url, _ in BAD.values():
        door.act(screenshot=url)
    assert door.act().status_code == 200


def test_a_jpeg_called_png_is_what_it_is(door: Door) -> None:
    jpeg = encode(Image.new("RGB", (50, 50)), "JPEG")
    assert door.act(screenshot=data_url(jpeg, "png")).status_code == 200


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_colour_mode_becomes_rgb(door: Door, mode: str) -> None:
    image = Image.new(mode, (40, 30))
    assert door.act(screenshot=data_url(encode(image))).status_code == 200


def test_a_thousand_pictures_are_too_many(door: Door) -> None:
    answer = door.chat(said("user", "x"), *(shown(picture(30, 30)) for _ in range(1000)))
    assert answer.status_code == 413
    assert answer.json()["error"]["param"] == "messages.33.content.0.image_url.url"


def test_the_pixels_of_all_pictures_are_counted_together() -> None:
    reader = ImageReader(ImageLimits(total=10_000), FrameCache(1_000_000))
    reader.read(picture(80, 80), "first")
    with pytest.raises(ApiError) as caught:
        reader.read(picture(80, 80), "second")
    assert (caught.value.status_code, caught.value.param) == (413, "second")


def test_a_picture_that_comes_again_is_not_decoded_again(open_door: Open) -> None:
    policy = ScriptedPolicy()
    door = open_door(policy)
    for url in (picture(50, 50), picture(60, 60), picture(50, 50)):
        assert door.act(screenshot=url).status_code == 200
    first, other, again = (seen.frame for seen in policy.seen)
    assert again is first
    assert other is not first


def test_kept_pictures_make_room_for_new_ones() -> None:
    cache = FrameCache(2 * 50 * 50)
    urls = [
        data_url(encode(Image.new("RGB", (50, 50), colour))) for colour in ("red", "tan", "navy")
    ]
    a, b, c = urls

    def read(url: str) -> Frame:
        return ImageReader(ImageLimits(), cache).read(url, "screenshot")

    first, second = read(a), read(b)
    assert read(a) is first
    read(c)
    assert read(a) is first, "used lately, so it stayed"
    assert read(b) is not second


def test_a_picture_larger_than_the_room_is_not_kept() -> None:
    cache = FrameCache(100)
    read = [ImageReader(ImageLimits(), cache).read(picture(50, 50), "x") for _ in range(2)]
    assert read[0] is not read[1]


@given(st.binary(max_size=200), st.integers(0, len(PNG)))
def test_any_bytes_give_a_frame_or_an_api_error(noise: bytes, cut: int) -> None:
    for data in (noise, PNG[:cut] + noise, PNG[:cut] + noise + PNG[cut + len(noise) :]):
        try:
            frame = ImageReader(ImageLimits(), FrameCache(0)).read(data_url(data), "screenshot")
        except ApiError as error:
            assert error.status_code == 400
        else:
            assert frame.pixels.shape == (frame.height, frame.width, 3)
