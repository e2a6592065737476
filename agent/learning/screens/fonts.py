"""The fonts of generated screens, and the exact place of every glyph in a line of text."""

from __future__ import annotations

import math
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

FAMILIES = {
    "Liberation Sans": ("LiberationSans-Regular", "LiberationSans-Bold", "LiberationSans-Italic"),
    "Liberation Serif": (
        "LiberationSerif-Regular",
        "LiberationSerif-Bold",
        "LiberationSerif-Italic",
    ),
    "Liberation Mono": ("LiberationMono-Regular", "LiberationMono-Bold", "LiberationMono-Italic"),
    "DejaVu Sans": ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique"),
    "DejaVu Sans Mono": ("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique"),
    "Noto Sans": ("NotoSans-Regular", "NotoSans-Bold", "NotoSans-Italic"),
    "Nimbus Sans": ("NimbusSans-Regular", "NimbusSans-Bold", "NimbusSans-Italic"),
    "Nimbus Sans Narrow": (
        "NimbusSansNarrow-Regular",
        "NimbusSansNarrow-Bold",
        "NimbusSansNarrow-Oblique",
    ),
    "Nimbus Roman": ("NimbusRoman-Regular", "NimbusRoman-Bold", "NimbusRoman-Italic"),
    "C059": ("C059-Roman", "C059-Bold", "C059-Italic"),
    "DejaVu Sans Condensed": (
        "DejaVuSansCondensed",
        "DejaVuSansCondensed-Bold",
        "DejaVuSansCondensed-Oblique",
    ),
    "DejaVu Serif": ("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic"),
    "P052": ("P052-Roman", "P052-Bold", "P052-Italic"),
    "Noto Serif": ("NotoSerif-Regular", "NotoSerif-Bold", "NotoSerif-Italic"),
    "URW Gothic": ("URWGothic-Book", "URWGothic-Demi", "URWGothic-BookOblique"),
}

"""Family -> names of its regular, bold and italic files."""

HELD_OUT = {
    "validation": ("DejaVu Sans Condensed", "DejaVu Serif", "P052"),
    "test": ("Noto Serif", "URW Gothic", "Nimbus Sans Narrow"),
}
"""Families that training never sees, per split."""


class FontError(RuntimeError):
    """No usable font is installed."""


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
    Hinting.LIGHT: freetype.FT_LOAD_TARGET_LIGHT,
    Hinting.FULL: freetype.FT_LOAD_TARGET_NORMAL,
    Hinting.NONE: freetype.FT_LOAD_NO_HINTING,
    Hinting.MONO: freetype.FT_LOAD_TARGET_MONO,
    Hinting.LCD: freetype.FT_LOAD_TARGET_LIGHT,
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
def installed() -> dict[str, tuple[str, ...]]:
    """Family -> files of its regular, bold and italic style, for known families found here.

    A family without an italic, as some distributions ship DejaVu, has its regular twice.
    """
    files = {
        path.stem: str(path) for folder in FOLDERS for path in sorted(folder.rglob("*.[ot]tf"))
    }
    return {
        family: (files[regular], files[bold], files.get(italic, files[regular]))
        for family, (regular, bold, italic) in FAMILIES.items()
        if regular in files and bold in files
    }


def families(split: str) -> Sequence[str]:
    """The installed families of a split; training has every family that no other split holds.

    Raises:
        FontError: no family of the split is installed.
    """
    held = {family for names in HELD_OUT.values() for family in names}
    wanted = HELD_OUT.get(split) or tuple(name for name in FAMILIES if name not in held)
    found = [family for family in wanted if family in installed()]
    if not found:
        raise FontError(
            f"expected one of the fonts {', '.join(wanted)} for the {split} split, found none; "
            "install them (Debian: fonts-liberation2 fonts-dejavu-core fonts-noto-core)"
        )
    return found
