"""Tasks with sliders: a drag for the rough place, arrow keys for the exact value."""

from __future__ import annotations

import json
from collections.abc import Callable

from actions.space import Hotkey
from agent.learning.oracles.page import Lost, Move, View, around, click, click_at, drag
from vision.geometry import Box, Point

_FEW = 4
"""So many arrow keys at most; more than that is a drag."""


def slider(view: View) -> Move:
    """One slider."""
    number = int(view.match(r"Select (-?\d+) with")[1])
    return _slide(view, "#slider", number) or click(view.one("#subbtn"))


def three_sliders(view: View) -> Move:
    """A combination of three."""
    wanted = json.loads(view.match(r"\[.*\]")[0])
    for index, number in enumerate(wanted, 1):
        if move := _slide(view, f"#slider-{index}", number):
            return move
    return click(view.one("#subbtn"))


def slider_and_box(view: View) -> Move:
    """One slider, then one of three check boxes."""
    number = int(view.match(r"Select (-?\d+) with")[1])
    place = int(view.match(r"the (\d)\w\w checkbox")[1])
    if move := _slide(view, "#slider", number):
        return move
    for index, box in enumerate(view.all("#area input[type=checkbox]"), 1):
        if box.checked != (index == place):
            return click(box)
    return click(view.one("#subbtn"))


def _slide(view: View, selector: str, wanted: int) -> Move | None:
    """Bring a slider to a value."""
    now, low, high, upright = view.read(
        "(s => ['value', 'min', 'max', 'orientation'].map(o => s.slider('option', o)))"
        f"($({selector!r}))"
    )
    if not low <= wanted <= high:
        raise Lost(f"expected a number from {low} to {high}, actually: {wanted}")
    if now == wanted:
        return None
    handle = view.one(f"{selector} .ui-slider-handle")
    grip = Box(*map(round, handle.rect))
    if abs(wanted - now) <= _FEW:
        key = "right" if wanted > now else "left"
        return Move(Hotkey((key,))) if handle.focused else click_at(grip)
    track = view.one(selector).rect
    part = (wanted - low) / (high - low)
    here = grip.center
    if upright == "vertical":
        end, long = Point(here.x, track.bottom - part * track.height), track.height
    else:
        end, long = Point(track.left + part * track.width, here.y), track.width
    near = max(1, long * _FEW / (high - low) / 2)
    return drag(grip, end, around(end, near, near))


ORACLES: dict[str, Callable[[View], Move]] = {
    "form-sequence": slider_and_box,
    "use-slider": slider,
    "use-slider-2": three_sliders,
}
