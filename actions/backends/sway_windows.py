"""Which window of a Sway an action goes to.

No Wayland protocol tells clients where the windows of others are, so Sway is asked through its own
socket for programs. Other compositors have none, and their windows are not known.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vision.geometry import Box, Point

_MAGIC = b"i3-ipc"
_HEADER = struct.Struct("=6sII")  # magic, bytes that follow, kind
_GET_TREE = 4
_ANSWER_SECONDS = 1.0


def describe(ipc: Path, point: Point | None) -> str:
    """Class and title of a window, empty when there is none.

    Args:
        ipc: Sway's socket.
        point: the window there, in the compositor's pixels; None means the one with the keyboard.

    Raises:
        OSError: Sway does not answer.
        ValueError: it answers something else.
    """
    for window in reversed(list(_windows(_tree(ipc)))):
        if window["focused"] if point is None else _is_at(window, point):
            names = window.get("window_properties", {})
            return f"{window.get('app_id') or names.get('class') or ''} {window['name'] or ''}"
    return ""


def _tree(ipc: Path) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as sway:
        sway.settimeout(_ANSWER_SECONDS)
        sway.connect(str(ipc))
        sway.sendall(_HEADER.pack(_MAGIC, 0, _GET_TREE))
        with sway.makefile("rb") as answer:
            head = answer.read(_HEADER.size)
            if len(head) < _HEADER.size:
                raise ValueError("expected an answer of Sway, actually the connection ended")
            tree = json.loads(answer.read(_HEADER.unpack(head)[1]))
    if not isinstance(tree, dict):
        raise ValueError("expected the windows of Sway, actually something else")
    return tree


def _windows(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The windows below a node, what covers others after them."""
    if "pid" in node:
        yield node
    tiled = sorted(node["nodes"], key=lambda child: bool(child.get("fullscreen_mode")))
    for child in [*tiled, *node.get("floating_nodes", ())]:
        yield from _windows(child)


def _is_at(window: dict[str, Any], point: Point) -> bool:
    """Whether a window is to be seen at a point."""
    x, y, width, height = (window["rect"][side] for side in ("x", "y", "width", "height"))
    return bool(window.get("visible")) and Box(x, y, x + width, y + height).contains(point)
