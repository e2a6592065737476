"""Where the icons of a screen come from: drawn strokes, or sets that others designed.

A set is a zip file, made by `python -m agent.learning.screens.iconpackages`:

- `icons.json`: {"set", "package", "licence", "split", "usual", "names"}; `names` gives every icon
  the names that people may call it by, its own first; `usual` are those that most sets have,
- `ICON.png`: how much of each pixel it covers, greyscale, `SIDE` x `SIDE` pixels.

A set belongs to one split only, as a font does. Where there are sets, the drawn icons are
training's.
"""

from __future__ import annotations

import io
import json
import random
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

from PIL import Image

from agent.learning.screens.icons import ICONS, NICKNAMES, icon_mask

SIDE = 96
"""Pixels of a stored icon; a multiple of the usual 16, 24, 32 and 48."""

USUAL = 0.6
"""Share of a screen's icons that are of the usual kinds."""

OWN = 3
"""An icon's own name is used so many times as often as each of its other names."""


class IconSetError(ValueError):
    """A folder or a file has no icons that can be used; the message names the fix."""


class Icons(ABC):
    """The icons of one screen, all of one design.

    Attributes:
        usual: names of icons that interfaces often have, sorted.
    """

    usual: Sequence[str]

    @abstractmethod
    def choose(self, rng: random.Random, count: int) -> list[str]:
        """Different icons, by name."""

    @abstractmethod
    def names(self, icon: str) -> tuple[str, ...]:
        """What people call an icon; what they say often is there several times."""

    @abstractmethod
    def mask(self, icon: str, width: int, height: int) -> Image.Image:
        """How much of each pixel an icon covers, an "L" image of that size."""

    @abstractmethod
    def resembles(self, icon: str, others: Collection[str]) -> bool:
        """Whether someone might take one of the others for this one."""

    def tell_apart(self, icon: str, others: Collection[str]) -> list[str]:
        """The names of an icon that fit none of the others."""
        taken = [set(name.split()) for other in others for name in self.names(other)]
        return [
            name
            for name in self.names(icon)
            if not any(set(name.split()) <= words for words in taken)
        ]


class DrawnIcons(Icons):
    """The strokes of `screens.icons`; there on every machine."""

    usual = tuple(sorted(ICONS))

    def choose(self, rng: random.Random, count: int) -> list[str]:
        """Different icons, by name."""
        return rng.sample(self.usual, count)

    def names(self, icon: str) -> tuple[str, ...]:
        """What people call an icon."""
        return NICKNAMES.get(icon, (icon,))

    def mask(self, icon: str, width: int, height: int) -> Image.Image:
        """How much of each pixel an icon covers."""
        return icon_mask(icon, width, height)

    def resembles(self, icon: str, others: Collection[str]) -> bool:
        """Each of them was drawn to be unlike the others."""
        return False


class IconSet(Icons):
    """A set in a file; it also knows the names of the drawn icons.

    Args:
        path: the zip file.

    Raises:
        IconSetError: the file is cut short, or no icon set.
    """

    def __init__(self, path: Path) -> None:
        try:
            # In memory: processes that share a file share its position, too.
            self._zip = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
            about = json.loads(self._zip.read("icons.json"))
            self.title: str = about["set"]
            self.split: str = about["split"]
            self.usual = tuple(about["usual"])
            self._names = {icon: tuple(names) for icon, names in about["names"].items()}
        except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
            raise IconSetError(
                f"{path}: cut short or no icon set; delete it and fetch it again ({error})"
            ) from error
        self._all = sorted(self._names)
        self._reduced = lru_cache(maxsize=4096)(self._reduce)

    @cached_property
    def _drawn(self) -> dict[str, str]:
        """The set's own icon for each drawn one that it has."""
        by_name = {names[0]: icon for icon, names in reversed(self._names.items())}
        wanted = {icon: (icon, *NICKNAMES.get(icon, ())) for icon in ICONS}
        found = {icon: [n for n in names if n in by_name] for icon, names in wanted.items()}
        return {icon: by_name[names[0]] for icon, names in found.items() if names}

    def choose(self, rng: random.Random, count: int) -> list[str]:
        """Different icons, usual ones mostly, no two with the same name of its own."""
        chosen: dict[str, str] = {}
        while len(chosen) < min(count, len(self._all)):
            icons = self.usual if self.usual and rng.random() < USUAL else self._all
            icon = rng.choice(icons)
            chosen.setdefault(icon, icon)
        return list(chosen)

    def names(self, icon: str) -> tuple[str, ...]:
        """What people call an icon."""
        if icon not in self._names:
            return NICKNAMES.get(icon, (icon,))
        own, *others = self._names[icon]
        return (own,) * OWN + tuple(others)

    def mask(self, icon: str, width: int, height: int) -> Image.Image:
        """How much of each pixel an icon covers; drawn when the set has no such icon."""
        known = icon if icon in self._names else self._drawn.get(icon, "")
        return self._reduced(known, width, height) if known else icon_mask(icon, width, height)

    def resembles(self, icon: str, others: Collection[str]) -> bool:
        """Whether an icon and one of the others share a word of their names."""
        words = {word for name in self.names(icon) for word in name.split()}
        return any(words.intersection(name.split()) for o in others for name in self.names(o))

    def _reduce(self, icon: str, width: int, height: int) -> Image.Image:
        with Image.open(io.BytesIO(self._zip.read(f"{icon}.png"))) as large:
            return large.resize((width, height), Image.Resampling.BOX)


DRAWN = DrawnIcons()


@lru_cache(maxsize=16)
def icons_of(folder: Path | None, split: str) -> tuple[Icons, ...]:
    """The icon sets that a split's screens choose from, at least one.

    Args:
        folder: holds the sets; None means drawn icons.
        split: "train", "validation" or "test".

    Raises:
        IconSetError: there is no set in the folder, or a damaged one.
    """
    if folder is None:
        return (DRAWN,)
    sets = [IconSet(path) for path in sorted(folder.glob("*.zip"))]
    if not sets:
        raise IconSetError(
            f"{folder}: expected icon sets, actually none; "
            f"`python -m agent.learning.screens.iconpackages --out {folder}` fetches some"
        )
    mine: list[Icons] = [one for one in sets if one.split == split]
    return tuple([DRAWN, *mine] if split == "train" or not mine else mine)
