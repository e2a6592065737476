"""Tasks in a calendar of one day."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.learning.oracles.page import (
    Element,
    Lost,
    Move,
    View,
    click,
    drag,
    fill,
    middle,
    reached,
)
from vision.geometry import Point

_LENGTHS = {
    "0.5 hours": 1, "30 mins": 1, "1 hour": 2, "60 mins": 2, "1.5 hours": 3, "90 mins": 3,
}  # fmt: skip
"""Half hours by how the instruction says it."""

_WINDOWS = {"8AM and 12PM": (16, 24), "12PM and 4PM": (24, 32), "4PM and 8PM": (32, 40)}
"""First half hour of the day in which an event may be, and the first after it."""

_FREE = 80
"""Pixels of a half hour that can be reached where no event lies on it."""

_SLIP = 8
"""Pixels of a drag inside one half hour: without any move there is no event."""


def event(view: View) -> Move:
    """Drag over free half hours, name the event, create it."""
    said = view.match(r"Create a (.+) event named \"(.+)\", between (.+)\.$")
    length, window = _LENGTHS[said[1]], _WINDOWS[said[3]]
    made = view.all("#newEvent")
    if view.all("#create-event"):
        start, duration = (int(made[0].data[f"data-{key}"]) for key in ("start", "duration"))
        if duration != length or not window[0] <= start <= window[1] - length:
            return click(view.one("#create-event .cancel"))
        return fill(view.one("#event-name"), said[2]) or click(view.one("#create-event .create"))
    return click(made[0]) if made else _mark(view.all(".half-hour"), length, range(*window))


def _mark(halves: Sequence[Element], length: int, window: range) -> Move:
    """Drag over the first free half hours in view; scroll where there are none."""
    free = [n for n in window if (box := halves[n].box) and box.width >= _FREE]
    for start in free:
        if all(n in free for n in range(start, start + length)):
            box, end = reached(halves[start]), middle(reached(halves[start + length - 1]))
            return drag(box, Point(end.x + _SLIP * (length == 1), end.y))
    hidden = [halves[n] for n in window if halves[n].box is None]
    if not hidden:
        raise Lost("expected free time")
    return click(hidden[len(hidden) // 2])


ORACLES: dict[str, Callable[[View], Move]] = {"daily-calendar": event}
