"""Native-resolution preprocessing, exactly as Kimi-VL's image processor does it.

A picture keeps its aspect ratio and, below the token limit, its resolution. Larger ones are scaled
down; then black is added on the right and at the bottom until both sides are whole merge blocks.
The same function that fixes the pixels also gives the `CoordinateMap`, so they cannot drift apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from vision.frame import Frame, Pixels
from vision.geometry import THOUSAND, Box, CoordinateMap, Size

MAX_PATCHES_A_SIDE = 511
"""The encoder's rotary table has 512 entries a side; the checkpoint's processor refuses 512."""


class ImageError(ValueError):
    """A picture that the encoder cannot take: empty, not RGB bytes, or too long on one side."""


@dataclass(frozen=True)
class ImageConfig:
    """How pictures become patches.

    Attributes:
        patch_size: side of a patch in pixels.
        merge: patches a side that the projector merges into one visual token.
        in_token_limit: number of patches above which a picture is scaled down (padding may
            exceed it slightly).
        pad_input: add black on the right and at the bottom up to whole merge blocks; otherwise
            cut the middle out, in whole patches, and refuse a grid that cannot be merged.
        mean: subtracted per RGB channel, on the 0..1 scale.
        std: divides afterwards, per RGB channel.
    """

    patch_size: int = 14
    merge: int = 2
    in_token_limit: int = 4096
    pad_input: bool = True
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)


KIMI_VL = ImageConfig()


@dataclass(frozen=True, eq=False)
class Prepared:
    """One picture, ready for the encoder.

    Attributes:
        patches: (grid_h * grid_w, 3, patch_size, patch_size) float32, row by row.
        grid_hw: (grid_h, grid_w) in patches.
        map: model space <-> image <-> screen for this picture.
    """

    patches: npt.NDArray[np.float32]
    grid_hw: tuple[int, int]
    map: CoordinateMap


@dataclass(frozen=True)
class _Plan:
    """Whole sides in pixels: after scaling, and of the canvas that is cut into patches."""

    width: int
    height: int
    canvas_width: int
    canvas_height: int


def prepare(frame: Frame, config: ImageConfig = KIMI_VL, extent: Size = THOUSAND) -> Prepared:
    """Scale, pad, normalise and cut a frame into patches.

    Args:
        frame: the picture and the screen rectangle it shows.
        config: the checkpoint's preprocessing.
        extent: the model's coordinate of the far corner of the unpadded picture.

    Raises:
        ImageError: the picture is empty, not (h, w, 3) uint8, or 512 patches or more a side.
    """
    _check_pixels(frame.pixels)
    plan = _plan(frame.width, frame.height, config)
    pixels = frame.pixels
    if (plan.width, plan.height) != (frame.width, frame.height):
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        pixels = np.asarray(picture.resize((plan.width, plan.height), Image.Resampling.BICUBIC))
    patches = _normalise(_patchify(_to_canvas(pixels, plan), config.patch_size), config)
    grid = (plan.canvas_height // config.patch_size, plan.canvas_width // config.patch_size)
    return Prepared(patches, grid, _map(frame.box, plan, extent))


def resized_size(size: Size, config: ImageConfig = KIMI_VL) -> Size:
    """Whole (width, height) in pixels after scaling and before padding.

    Raises:
        ImageError: as `prepare`.
    """
    plan = _plan(int(size.width), int(size.height), config)
    return Size(plan.width, plan.height)


def visual_tokens(size: Size, config: ImageConfig = KIMI_VL) -> int:
    """How many tokens a picture of this (width, height) costs in the prompt.

    Raises:
        ImageError: as `prepare`.
    """
    plan = _plan(int(size.width), int(size.height), config)
    return plan.canvas_width * plan.canvas_height // (config.patch_size * config.merge) ** 2


def _check_pixels(pixels: Pixels) -> None:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ImageError(
            f"expected (height, width, 3) uint8 RGB pixels, actually: {pixels.shape} "
            f"{pixels.dtype}; convert the picture with Frame.of_image"
        )


def _plan(width: int, height: int, config: ImageConfig) -> _Plan:
    if width < 1 or height < 1:
        raise ImageError(f"expected a picture of at least 1x1 pixels, actually: {width}x{height}")
    patch = config.patch_size
    patches = (width // patch) * (height // patch)
    if patches > config.in_token_limit:
        scale = math.sqrt(config.in_token_limit / patches)
        width, height = int(width * scale), int(height * scale)
    block = patch * config.merge if config.pad_input else patch
    canvas = [
        math.ceil(side / block) * block if config.pad_input else side // block * block
        for side in (width, height)
    ]
    plan = _Plan(width, height, *canvas)
    _check_grid(plan, config)
    return plan


def _check_grid(plan: _Plan, config: ImageConfig) -> None:
    grid = (plan.canvas_width // config.patch_size, plan.canvas_height // config.patch_size)
    if max(grid) > MAX_PATCHES_A_SIDE:
        raise ImageError(
            f"expected at most {MAX_PATCHES_A_SIDE} patches of {config.patch_size} px a side, "
            f"actually: {grid[0]} x {grid[1]} for {plan.width}x{plan.height} px; "
            "crop the picture or scale it down"
        )
    if min(grid) < 1 or any(side % config.merge for side in grid):
        raise ImageError(
            f"expected a grid of whole {config.merge}x{config.merge} merge blocks, actually: "
            f"{grid[0]} x {grid[1]} patches; set pad_input"
        )


def _offset(plan: _Plan) -> tuple[int, int]:
    """(left, top) of the canvas inside the scaled picture; zero when the canvas is padded."""
    return (
        max(0, round((plan.width - plan.canvas_width) / 2)),
        max(0, round((plan.height - plan.canvas_height) / 2)),
    )


def _to_canvas(pixels: Pixels, plan: _Plan) -> Pixels:
    left, top = _offset(plan)
    seen = pixels[top : top + plan.canvas_height, left : left + plan.canvas_width]
    if seen.shape[:2] == (plan.canvas_height, plan.canvas_width):
        return seen
    canvas = np.zeros((plan.canvas_height, plan.canvas_width, 3), np.uint8)
    canvas[: seen.shape[0], : seen.shape[1]] = seen
    return canvas


def _patchify(pixels: Pixels, patch: int) -> Pixels:
    """(H, W, 3) -> (H/patch * W/patch, 3, patch, patch), rows of patches first."""
    height, width, channels = pixels.shape
    tiles = pixels.reshape(height // patch, patch, width // patch, patch, channels)
    return tiles.transpose(0, 2, 4, 1, 3).reshape(-1, channels, patch, patch)


def _normalise(patches: Pixels, config: ImageConfig) -> npt.NDArray[np.float32]:
    values = patches.astype(np.float32)
    values /= np.float32(255)
    values -= np.array(config.mean, np.float32)[:, None, None]
    values /= np.array(config.std, np.float32)[:, None, None]
    return values


def _map(screen: Box, plan: _Plan, extent: Size) -> CoordinateMap:
    """The map of what the model sees; a cut picture shows less of the screen, in whole pixels."""
    left, top = _offset(plan)
    width, height = min(plan.width, plan.canvas_width), min(plan.height, plan.canvas_height)
    if (width, height) == (plan.width, plan.height):
        return CoordinateMap(screen, Size(width, height), extent)
    across, down = screen.width / plan.width, screen.height / plan.height
    seen = Box(
        screen.left + round(left * across),
        screen.top + round(top * down),
        screen.left + round((left + width) * across),
        screen.top + round((top + height) * down),
    )
    return CoordinateMap(seen, Size(width, height), extent)
