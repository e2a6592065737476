import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vision.frame import Frame
from vision.geometry import UNIT, Box, Point, Size
from vision.image import ImageConfig, ImageError, Prepared, prepare, resized_size, visual_tokens
from vision.smart_resize import SmartResizeError, smart_resize

INSTRUCT = ImageConfig(in_token_limit=4096)
THINKING = ImageConfig(in_token_limit=16384)


def noise(width: int, height: int, seed: int = 0, box: Box | None = None) -> Frame:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Frame(pixels, box or Box(0, 0, width, height))


def slow_prepare(
    frame: Frame, config: ImageConfig
) -> tuple[npt.NDArray[np.float32], tuple[int, int]]:
    """The twin: PIL for every geometric step, one patch and one channel at a time."""
    image, patch = frame.to_image(), config.patch_size
    count = (image.width // patch) * (image.height // patch)
    if count > config.in_token_limit:
        scale = math.sqrt(config.in_token_limit / count)
        size = (int(image.width * scale), int(image.height * scale))
        image = image.resize(size, Image.Resampling.BICUBIC)
    block = patch * config.merge
    canvas = Image.new("RGB", (-(-image.width // block) * block, -(-image.height // block) * block))
    canvas.paste(image, (0, 0))
    rows = []
    for top in range(0, canvas.height, patch):
        for left in range(0, canvas.width, patch):
            cut = np.asarray(canvas.crop((left, top, left + patch, top + patch)), np.float32)
            channels = [
                (cut[:, :, c] / np.float32(255) - np.float32(config.mean[c]))
                / np.float32(config.std[c])
                for c in range(3)
            ]
            rows.append(np.stack(channels))
    return np.stack(rows), (canvas.height // patch, canvas.width // patch)


@pytest.mark.parametrize(
    ("screen", "config", "resized", "grid_hw", "tokens"),
    [
        ((640, 480), INSTRUCT, (640, 480), (36, 46), 414),
        ((1024, 768), INSTRUCT, (1024, 768), (56, 74), 1036),
        ((1280, 720), INSTRUCT, (1202, 676), (50, 86), 1075),
        ((1920, 1080), INSTRUCT, (1196, 672), (48, 86), 1032),
        ((2560, 1440), INSTRUCT, (1202, 676), (50, 86), 1075),
        ((3840, 2160), INSTRUCT, (1196, 672), (48, 86), 1032),
        ((640, 480), THINKING, (640, 480), (36, 46), 414),
        ((1024, 768), THINKING, (1024, 768), (56, 74), 1036),
        ((1280, 720), THINKING, (1280, 720), (52, 92), 1196),
        ((1920, 1080), THINKING, (1920, 1080), (78, 138), 2691),
        ((2560, 1440), THINKING, (2404, 1352), (98, 172), 4214),
        ((3840, 2160), THINKING, (2392, 1345), (98, 172), 4214),
    ],
)
def test_common_screens_get_kimi_vls_grid(
    screen: tuple[int, int],
    config: ImageConfig,
    resized: tuple[int, int],
    grid_hw: tuple[int, int],
    tokens: int,
) -> None:
    assert resized_size(Size(*screen), config) == resized
    assert visual_tokens(Size(*screen), config) == tokens
    result = prepare(noise(*screen), config)
    assert result.grid_hw == grid_hw
    assert result.patches.shape == (grid_hw[0] * grid_hw[1], 3, 14, 14)
    assert result.map.image == resized


@settings(max_examples=40)
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    limit=st.sampled_from([16, 64, 4096]),
    mean=st.sampled_from([(0.5, 0.5, 0.5), (0.48, 0.45, 0.4)]),
)
def test_equals_the_slow_twin_bit_for_bit(
    width: int, height: int, limit: int, mean: tuple[float, float, float]
) -> None:
    config = ImageConfig(in_token_limit=limit, mean=mean)
    frame = noise(width, height)
    result = prepare(frame, config)
    expected, grid_hw = slow_prepare(frame, config)
    assert result.grid_hw == grid_hw
    assert result.patches.dtype == np.float32
    assert np.array_equal(result.patches, expected)
    assert visual_tokens(Size(width, height), config) == grid_hw[0] * grid_hw[1] // 4


def unpatchify(result: Prepared) -> npt.NDArray[np.float32]:
    rows, columns = result.grid_hw
    tiles = result.patches.reshape(rows, columns, 3, 14, 14)
    return tiles.transpose(0, 3, 1, 4, 2).reshape(rows * 14, columns * 14, 3)


def test_padding_is_black_and_lies_right_and_below() -> None:
    frame = Frame(np.full((30, 50, 3), 255, np.uint8), Box(0, 0, 50, 30))
    canvas = unpatchify(prepare(frame))
    assert canvas.shape == (56, 56, 3)
    assert (canvas[:30, :50] == 1).all()
    assert (canvas[30:] == -1).all()
    assert (canvas[:, 50:] == -1).all()


def test_never_scales_up_and_keeps_one_pixel() -> None:
    result = prepare(noise(1, 1))
    assert result.grid_hw == (2, 2)
    assert result.map.image == (1, 1)
    assert result.map.to_screen(Point(0, 1000)) == (0, 0)


def test_the_map_speaks_of_the_unpadded_picture_and_the_screen() -> None:
    frame = noise(300, 200, box=Box(-3000, -200, -2700, 0))
    result = prepare(frame, extent=UNIT)
    assert result.map.extent == UNIT
    assert result.map.to_screen(Point(0, 0)) == (-3000, -200)
    assert result.map.to_screen(Point(1, 1)) == (-2701, -1)


def test_a_cut_picture_maps_to_the_screen_region_it_shows() -> None:
    frame = noise(60, 90, box=Box(100, 0, 220, 180))
    result = prepare(frame, ImageConfig(pad_input=False))
    assert result.grid_hw == (6, 4)
    expected = frame.pixels[3:87, 2:58].astype(np.float32) / np.float32(255)
    assert np.array_equal(unpatchify(result), (expected - 0.5) / 0.5)
    assert result.map.image == (56, 84)
    assert result.map.screen == (104, 6, 216, 174)


@pytest.mark.parametrize("size", [(42, 56), (13, 56), (56, 20)])
def test_a_cut_that_cannot_be_merged_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="pad_input"):
        prepare(noise(*size), ImageConfig(pad_input=False))


@pytest.mark.parametrize(
    ("width", "height"), [(7141, 10), (10, 7168), (10_000, 1), (14, 10_000), (1, 60_000)]
)
def test_more_than_511_patches_a_side_are_refused(width: int, height: int) -> None:
    with pytest.raises(ImageError, match="at most 511 patches"):
        prepare(noise(width, height))


def test_511_patches_a_side_never_happen_but_510_do() -> None:
    assert prepare(noise(7140, 10)).grid_hw == (2, 510)


def test_a_10000_px_square_is_scaled_down() -> None:
    size = resized_size(Size(10_000, 10_000))
    assert size == (896, 896)


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3)])
def test_a_zero_side_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ImageError, match="at least 1x1"):
        prepare(Frame(np.zeros(shape, np.uint8), Box(0, 0, 5, 5)))


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3), np.float32)],
)
def test_anything_but_rgb_bytes_is_refused(pixels: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match="uint8 RGB"):
        prepare(Frame(pixels, Box(0, 0, 5, 5)))


def test_the_callers_pixels_stay_as_they_were() -> None:
    frame = noise(56, 56)
    before = frame.pixels.copy()
    frame.pixels.flags.writeable = False
    prepare(frame)
    assert np.array_equal(frame.pixels, before)


@pytest.mark.parametrize(
    ("screen", "default", "mid", "small"),
    [
        ((1080, 1920), (1092, 1932), (1092, 1932), (756, 1344)),
        ((1440, 2560), (1428, 2548), (1064, 1932), (756, 1344)),
        ((2160, 3840), (2156, 3836), (1064, 1932), (756, 1344)),
        ((768, 1366), (756, 1372), (756, 1372), (756, 1372)),
        ((2880, 5120), (2688, 4760), (1064, 1932), (756, 1344)),
    ],
)
def test_smart_resize_of_common_screens(
    screen: tuple[int, int],
    default: tuple[int, int],
    mid: tuple[int, int],
    small: tuple[int, int],
) -> None:
    assert smart_resize(*screen) == default
    assert smart_resize(*screen, max_pixels=2700 * 784) == mid
    assert smart_resize(*screen, max_pixels=1350 * 784) == small


def test_smart_resize_rounds_halves_to_even() -> None:
    assert smart_resize(70, 2800, min_pixels=1) == (56, 2800)  # JavaScript's Math.round says 84
    assert smart_resize(98, 2800, min_pixels=1) == (112, 2800)


@given(
    height=st.integers(1, 8000),
    width=st.integers(1, 8000),
    most=st.integers(400 * 784, 16384 * 784),
)
def test_smart_resize_keeps_its_limits(height: int, width: int, most: int) -> None:
    if max(height, width) > 200 * min(height, width):
        with pytest.raises(SmartResizeError, match="aspect ratio"):
            smart_resize(height, width, max_pixels=most)
        return
    rows, columns = smart_resize(height, width, max_pixels=most)
    assert rows % 28 == columns % 28 == 0
    assert min(rows, columns) >= 28
    assert rows * columns <= most


@pytest.mark.parametrize("size", [(0, 5), (5, -1)])
def test_smart_resize_refuses_empty_pictures(size: tuple[int, int]) -> None:
    with pytest.raises(SmartResizeError, match="positive"):
        smart_resize(*size)
