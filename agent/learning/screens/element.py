"""What is on a generated screen."""

from __future__ import annotations

from dataclasses import dataclass

from vision.geometry import Box, Point


@dataclass(frozen=True)
class Element:
    """Something that can be asked for.

    Attributes:
        kind: "button", "link", "checkbox", ...; the keys of `wording.NOUNS`.
        box: where a click counts, in screenshot pixels.
        label: its text, or "" when it has none.
        caption: a text that tells it apart: beside or above it, or its row's name, or "".
        shape: name of its shape or icon, or "".
        color: name of its colour, or "".
        size: "small", "large", or "" when size does not tell it apart.
        place: "dialog" for elements inside a dialog box, else "".
        anchor: where to click when that is not the middle of the box.
        answer: of a field, what belongs in it if its caption is an exercise, or "".
    """

    kind: str
    box: Box
    label: str = ""
    caption: str = ""
    shape: str = ""
    color: str = ""
    size: str = ""
    place: str = ""
    anchor: Point | None = None
    answer: str = ""

    @property
    def point(self) -> Point:
        """Where to click."""
        return self.anchor or self.box.center
