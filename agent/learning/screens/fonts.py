"""The fonts of generated screens, and the exact place of every glyph in a line of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))

STYLES = ("regular", "bold", "italic")
"""Every family below has these three, in this order."""

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

HELD_OUT = {
    "validation": ("DejaVu Sans Condensed", "DejaVu Serif", "P052"),
    "test": ("Noto Serif", "URW Gothic", "Nimbus Sans Narrow"),
}
"""Families that training never sees, per split."""


class FontError(RuntimeError):
    """No usable font is installed."""


@dataclass(frozen=True)
class Face:
    """One font at one size.

    Attributes:
        path: the font file.
        size: pixels per em.
        mode: "L" for antialiased, "1" for black-and-white text, as PIL calls them.
    """

    path: str
    size: int
    mode: str = "L"
    _kerning: dict[str, float] = field(default_factory=dict, compare=False, repr=False)

    @property
    def font(self) -> ImageFont.FreeTypeFont:
        """PIL's font object; files are read once per process."""
        return _load(self.path, self.size)

    @property
    def line(self) -> int:
        """Height of a line in pixels, ascender to descender."""
        return sum(self.font.getmetrics())

    def offsets(self, text: str) -> list[float]:
        """The pen's x before each character and after the last one, in pixels from the left."""
        pen = 0.0
        places = [pen]
        for previous, char in zip(" " + text, text, strict=False):
            pen += self._length(char)
            if len(places) > 1:
                shift = self._kern(previous, char)
                pen += shift
                places[-1] += shift
            places.append(pen)
        return places

    def width(self, text: str) -> float:
        """Advance width of a text in pixels."""
        return self.offsets(text)[-1]

    def _kern(self, left: str, right: str) -> float:
        pair = left + right
        if pair not in self._kerning:
            whole = self.font.getlength(pair, mode=self.mode)
            self._kerning[pair] = whole - self._length(left) - self._length(right)
        return self._kerning[pair]

    def _length(self, char: str) -> float:
        if char not in self._kerning:
            self._kerning[char] = self.font.getlength(char, mode=self.mode)
        return self._kerning[char]


@lru_cache(maxsize=512)
def _load(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=2048)
def face(path: str, size: int, mode: str = "L") -> Face:
    """The face for a file, shared so that its advances are measured once."""
    return Face(path, size, mode)


@lru_cache(maxsize=1)
def installed() -> dict[str, tuple[str, ...]]:
    """Family -> files of its three styles, for every known family found on this machine."""
    files = {
        path.stem: str(path)
        for folder in FOLDERS
        for path in sorted(folder.rglob("*.[ot]tf"))
        if folder.is_dir()
    }
    return {
        family: tuple(files[name] for name in names)
        for family, names in FAMILIES.items()
        if all(name in files for name in names)
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
