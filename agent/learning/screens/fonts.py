"""The fonts of generated screens, and the exact place of every glyph in a line of text."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

import freetype
import numpy as np
from numpy.typing import NDArray

Coverage = NDArray[np.uint8]

FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))

TABLE = Path(__file__).with_name("fonts.toml")


class FontError(RuntimeError):
    """No usable font is installed."""


@dataclass(frozen=True)
class Family:
    """A font family that screens may use.

    Attributes:
        package: the Debian package that has it.
        files: names of its regular, bold and, where there is one, italic file, without ending.
        split: the only split in which it may appear.
    """

    package: str
    files: tuple[str, ...]
    split: str = "train"


class Hinting(StrEnum):
    """How outlines meet the pixel grid; desktops and browsers differ in it."""

    LIGHT = "light"
    """Vertical hinting, fractional advances: Chromium on Linux."""
    FULL = "full"
    """The font's own program, whole advances."""
    NONE = "none"
    """Outlines as they are, fractional advances."""
    MONO = "mono"
    """Black and white, whole advances."""
    LCD = "lcd"
    """Light hinting with the colour fringes of three subpixels."""


_FLAGS = {
    hinting: flag | freetype.FT_LOAD_NO_BITMAP
    for hinting, flag in {
        Hinting.LIGHT: freetype.FT_LOAD_TARGET_LIGHT,
        Hinting.FULL: freetype.FT_LOAD_TARGET_NORMAL,
        Hinting.NONE: freetype.FT_LOAD_NO_HINTING,
        Hinting.MONO: freetype.FT_LOAD_TARGET_MONO,
        Hinting.LCD: freetype.FT_LOAD_TARGET_LIGHT,
    }.items()
}
_MODES = {
    Hinting.MONO: freetype.FT_RENDER_MODE_MONO,
    Hinting.LCD: freetype.FT_RENDER_MODE_LCD,
}
_WHOLE = (Hinting.FULL, Hinting.MONO)
_PHASES = 4
"""Glyphs are drawn at quarters of a pixel, as Skia does."""


@dataclass(frozen=True)
class _Glyph:
    """One character's ink: coverage (H, W, channels) and where it sits from the pen."""

    coverage: Coverage
    left: int
    above: int


class Face:
    """One font at one size; everything it measures or draws is kept.

    Args:
        path: the font file.
        size: pixels per em.
        hinting: how it is drawn.
    """

    def __init__(self, path: str, size: int, hinting: Hinting = Hinting.LIGHT) -> None:
        self.path = path
        self.size = size
        self.hinting = hinting
        self._face = freetype.Face(path)
        self._face.set_pixel_sizes(0, size)
        scale = size / self._face.units_per_EM
        above, below = self._face.ascender, -self._face.descender
        gap = round(max(0, self._face.height - above - below) * scale)
        self.ascent = round(above * scale) + gap // 2
        self.line = round(above * scale) + round(below * scale) + gap
        self.margin = size // 2 + 2
        self._channels = 3 if hinting is Hinting.LCD else 1
        self._glyphs: dict[tuple[str, int], _Glyph] = {}
        self._advances: dict[str, float] = {}
        self._kerning: dict[str, float] = {}

    def offsets(self, text: str) -> list[float]:
        """The pen's x before each character and after the last one, in pixels from the left."""
        pen = 0.0
        places = []
        for index, char in enumerate(text):
            if index:
                pen += self._kern(text[index - 1 : index + 1])
            places.append(pen)
            pen += self._advance(char)
        places.append(pen)
        return places

    def width(self, text: str) -> float:
        """Advance width of a text in pixels."""
        return self.offsets(text)[-1]

    def coverage(self, text: str, offsets: Sequence[float]) -> Coverage:
        """How much ink each pixel gets, 0..255, (H, W, 1 or 3).

        The line's top left corner lies `margin` pixels from the array's top left corner.
        """
        pad = self.margin
        width = math.ceil(offsets[-1]) + 2 * pad
        whole = np.zeros((self.line + 2 * pad, width, self._channels), dtype=np.uint8)
        for char, x in zip(text, offsets, strict=False):
            column, phase = divmod(math.floor(x * _PHASES), _PHASES)
            glyph = self._glyph(char, phase)
            top, left = pad + self.ascent - glyph.above, pad + column + glyph.left
            part = whole[top : top + len(glyph.coverage), left : left + glyph.coverage.shape[1]]
            if part.shape == glyph.coverage.shape:
                np.maximum(part, glyph.coverage, out=part)
        return whole

    def _advance(self, char: str) -> float:
        if char not in self._advances:
            self._face.load_char(char, _FLAGS[self.hinting])
            slot = self._face.glyph
            exact = slot.linearHoriAdvance / 65536
            self._advances[char] = slot.advance.x / 64 if self.hinting in _WHOLE else exact
        return self._advances[char]

    def _kern(self, pair: str) -> float:
        if pair not in self._kerning:
            shift = self._face.get_kerning(pair[0], pair[1], freetype.FT_KERNING_UNFITTED).x / 64
            self._kerning[pair] = round(shift) if self.hinting in _WHOLE else shift
        return self._kerning[pair]

    def _glyph(self, char: str, phase: int) -> _Glyph:
        if (char, phase) not in self._glyphs:
            self._glyphs[char, phase] = self._rasterize(char, phase * 64 // _PHASES)
        return self._glyphs[char, phase]

    def _rasterize(self, char: str, shift: int) -> _Glyph:
        """Draw a character `shift` 64ths of a pixel to the right of the pen."""
        self._face.set_transform(freetype.Matrix(0x10000, 0, 0, 0x10000), freetype.Vector(shift, 0))
        self._face.load_char(char, _FLAGS[self.hinting])
        self._face.set_transform(freetype.Matrix(0x10000, 0, 0, 0x10000), freetype.Vector(0, 0))
        slot = self._face.glyph
        slot.render(_MODES.get(self.hinting, freetype.FT_RENDER_MODE_NORMAL))
        bitmap = slot.bitmap
        rows = np.array(bitmap.buffer, dtype=np.uint8).reshape(bitmap.rows, abs(bitmap.pitch))
        if self.hinting is Hinting.MONO:
            rows = np.unpackbits(rows, axis=1) * np.uint8(255)
        columns = bitmap.width // self._channels
        ink = rows[:, : bitmap.width].reshape(bitmap.rows, columns, self._channels)
        return _Glyph(ink, slot.bitmap_left, slot.bitmap_top)


@lru_cache(maxsize=1024)
def face(path: str, size: int, hinting: Hinting = Hinting.LIGHT) -> Face:
    """The face for a file, shared so that its glyphs are drawn once."""
    return Face(path, size, hinting)


@lru_cache(maxsize=1)
def known() -> dict[str, Family]:
    """The families of `TABLE` by name."""
    table = tomllib.loads(TABLE.read_text("utf-8"))
    return {name: Family(**{**row, "files": tuple(row["files"])}) for name, row in table.items()}


@lru_cache(maxsize=1)
def installed() -> dict[str, tuple[str, str, str]]:
    """Family -> files of its regular, bold and italic style, for known families found here.

    A family without an italic, as some distributions ship DejaVu, has its regular twice.
    """
    found = {
        path.stem: str(path) for folder in FOLDERS for path in sorted(folder.rglob("*.[ot]tf"))
    }
    return {
        name: (found[regular], found[bold], found.get(italic, found[regular]))
        for name, family in known().items()
        for regular, bold, italic in [(*family.files, family.files[0])[:3]]
        if regular in found and bold in found
    }


def families(split: str) -> Sequence[str]:
    """The installed families of a split.

    Raises:
        FontError: no family of the split is installed.
    """
    mine = {name: family for name, family in known().items() if family.split == split}
    found = [name for name in mine if name in installed()]
    if not found:
        packages = " ".join(sorted({family.package for family in mine.values()}))
        raise FontError(
            f"expected one of the fonts {', '.join(mine)} for the {split} split, found none; "
            f"install them (Debian: {packages})"
        )
    return found


def packages() -> Sequence[str]:
    """Debian packages of the families that are missing here."""
    missing = known().keys() - installed().keys()
    return sorted({known()[name].package for name in missing})
