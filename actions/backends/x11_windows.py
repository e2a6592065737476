"""Which window of an X display an action goes to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from Xlib import X
from Xlib.display import Display
from Xlib.error import XError

from vision.geometry import Point


def describe(display: Display, point: Point | None) -> str:
    """Class and title of a window, empty when there is none or it is just being closed.

    Args:
        display: the connection to ask.
        point: the window there, in the server's own pixels; None means the one with the keyboard.
    """
    try:
        for window in _focused(display) if point is None else _under(display, point):
            if names := window.get_wm_class():
                return " ".join((*names, _title(display, window)))
    except XError:  # it was closed meanwhile
        pass
    return ""


def _focused(display: Display) -> Iterator[Any]:
    """The window with the keyboard and those around it, from the inside."""
    root = display.screen().root
    window = display.get_input_focus().focus
    if isinstance(window, int):  # none at all, or whichever is under the pointer
        window = root.query_pointer().child
    while window and window != root:
        yield window
        window = window.query_tree().parent


def _under(display: Display, point: Point) -> Iterator[Any]:
    """The windows at a point, from the outside."""
    root = display.screen().root
    window = root.translate_coords(root, int(point.x), int(point.y)).child
    while window:
        yield window
        window = window.translate_coords(root, int(point.x), int(point.y)).child


def _title(display: Display, window: Any) -> str:
    found = window.get_full_property(display.intern_atom("_NET_WM_NAME"), X.AnyPropertyType)
    value = found.value if found is not None else window.get_wm_name() or ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
