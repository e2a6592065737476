"""Why an action cannot be performed, found before anything is sent."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from functools import singledispatch

from actions.backends.base import BackendError, known_key
from actions.space import (
    Action,
    Click,
    Drag,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    Navigate,
    Scroll,
    Swipe,
    Type,
    Wait,
    points,
)
from vision.capture import Eyes
from vision.geometry import Box, Point

_MOST_SECONDS = 300.0
_MOST_NOTCHES = 100
_MOST_KEYS = 5


def objections(action: Action, eyes: Eyes | None) -> Iterator[str]:
    """Every fault of an action, one sentence each.

    Args:
        action: with points in screen pixels.
        eyes: the screen that points must be on, None when there is none to compare with.
    """
    for point in points(action):
        yield from _of_point(point, eyes)
    yield from _of_fields(action)


def _of_point(point: Point, eyes: Eyes | None) -> Iterator[str]:
    if not (math.isfinite(point.x) and math.isfinite(point.y)):
        yield f"({point.x}, {point.y}) is not a place; give two finite numbers"
    elif eyes is not None and not _is_on_screen(point, eyes):
        yield (
            f"({point.x:g}, {point.y:g}) is off the screen, which is {_words(eyes.box)}; "
            "give a place on it"
        )


def _is_on_screen(point: Point, eyes: Eyes) -> bool:
    """Whether the point is in the picture and on a monitor (there may be gaps between those)."""
    on_monitor = any(monitor.box.contains(point) for monitor in eyes.monitors())
    return eyes.box.contains(point) and on_monitor


def _words(box: Box) -> str:
    return f"x {box.left:g}..{box.right - 1:g}, y {box.top:g}..{box.bottom - 1:g}"


@singledispatch
def _of_fields(action: Action) -> Iterator[str]:
    yield from ()


@_of_fields.register
def _(action: Click) -> Iterator[str]:
    if action.count not in (1, 2, 3):
        yield f"expected 1, 2 or 3 clicks, actually: {action.count}"


@_of_fields.register(Drag)
@_of_fields.register(Swipe)
def _(action: Drag | Swipe) -> Iterator[str]:
    if action.start == action.end:
        yield "this drag ends where it starts; give another end, or click instead"


@_of_fields.register(LongPress)
@_of_fields.register(Wait)
def _(action: LongPress | Wait) -> Iterator[str]:
    if not 0 <= action.seconds <= _MOST_SECONDS:
        yield f"expected 0 to {_MOST_SECONDS:g} seconds, actually: {action.seconds}"


@_of_fields.register
def _(action: Scroll) -> Iterator[str]:
    if not 1 <= action.clicks <= _MOST_NOTCHES:
        yield f"expected 1 to {_MOST_NOTCHES} notches, actually: {action.clicks}"


@_of_fields.register
def _(action: Type) -> Iterator[str]:
    """The text itself may be secret, so only the offending character is named."""
    for char in action.text:
        if unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\r\t":
            yield f"the character U+{ord(char):04X} cannot be typed; leave it out"
            return


@_of_fields.register
def _(action: Navigate) -> Iterator[str]:
    """Files of this machine and scripts are none of a web page's business."""
    if not action.url.lower().startswith(("http://", "https://")):
        yield f"expected an address with http:// or https://, actually: {action.url[:80]!r}"


@_of_fields.register
def _(action: Hotkey) -> Iterator[str]:
    if not 1 <= len(action.keys) <= _MOST_KEYS:
        yield f"expected 1 to {_MOST_KEYS} keys, actually: {len(action.keys)}"
    if len(set(action.keys)) < len(action.keys):
        yield f"the same key twice in {' '.join(action.keys)}; name each key once"
    for key in action.keys:
        yield from _of_key(key)


@_of_fields.register(KeyDown)
@_of_fields.register(KeyUp)
def _(action: KeyDown | KeyUp) -> Iterator[str]:
    yield from _of_key(action.key)


def _of_key(key: str) -> Iterator[str]:
    try:
        known_key(key)
    except BackendError as error:
        yield str(error)
