"""Turns what a program tells into elements that can be asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.learning.programs.tree import ACTIVE, MULTI_LINE, Node
from agent.learning.screens.canvas import Inventory
from agent.learning.screens.element import Element
from vision.geometry import Box

KINDS = {
    7: "checkbox", 8: "menuitem", 10: "cell", 11: "select", 29: "word", 32: "item", 33: "menu",
    35: "menuitem", 37: "tab", 40: "text", 42: "progress", 43: "button", 44: "radio",
    45: "menuitem", 51: "slider", 52: "spinner", 56: "cell", 57: "cell", 61: "text",
    62: "button", 79: "text", 83: "heading", 88: "link", 91: "item", 116: "word",
}  # fmt: skip
"""AT-SPI role -> kind of element."""

FIELDS = ("text", "textarea", "select", "slider", "spinner", "progress")
_PASSWORD, _MENU, _MENU_BAR, _TOOL_BAR = 40, 33, 34, 63
_WINDOWS = {16, 23, 69}  # dialog, frame, window
_FRAMES = {*_WINDOWS, 49, 68}  # scroll panes and viewports show a part of what they hold
_TIDY = re.compile(r"[!-~]([ -~]{0,38}[!-~])?")

LETTER = 7
"""A button that has no room for letters of this width, in pixels, shows an icon instead."""

SQUARE = 1.5
"""Buttons of tool bars show an icon alone unless they are wider than so many times their height."""


@dataclass(frozen=True)
class _Seen:
    """An object, the part of the screen that its holders leave to it, and their roles."""

    node: Node
    clip: Box
    within: tuple[int, ...]


def inventory(windows: Sequence[Node], screen: Box) -> Inventory:
    """What is on the screen.

    Args:
        windows: as `Tree.windows` gives them.
        screen: the picture's rectangle.
    """
    found = Inventory()
    # The active window is on top.
    windows = sorted(windows, key=lambda window: ACTIVE in window.states)
    titles = {node.name for window in windows for node in window.all() if node.role in (29, 116)}
    for window in windows:
        _cover(found, window.box)
        for popup in _popups(window):
            _add_all(found, _walk(popup, screen), titles, screen)
        menus = {id(node) for popup in _popups(window) for node in popup.all()}
        rest = [seen for seen in _walk(window, screen) if id(seen.node) not in menus]
        over = [popup.box for popup in _popups(window)]
        _add_all(found, rest, titles, screen, over)
    return found


def _popups(window: Node) -> list[Node]:
    """Open menus: their items show, and they lie over everything else."""
    return [
        Node(0, "", frozenset(), _around([item.box for item in node.children]),
             children=node.children)
        for node in window.all()
        if node.role == _MENU and node.children
    ]  # fmt: skip


def _walk(node: Node, clip: Box, within: tuple[int, ...] = ()) -> Iterator[_Seen]:
    yield _Seen(node, clip, within)
    inner = _common(clip, node.box) if node.role in _FRAMES else clip
    for child in node.children:
        yield from _walk(child, inner, (*within, node.role))


def _add_all(
    found: Inventory, seen: Sequence[_Seen] | Iterator[_Seen], titles: set[str], screen: Box,
    over: Sequence[Box] = (),
) -> None:  # fmt: skip
    for one in seen:
        node = one.node
        kind = KINDS.get(node.role)
        box = _common(node.box, one.clip)
        if kind is None or box.width < 4 or box.height < 4:
            continue
        if kind == "menuitem" and one.within[-1:] == (_MENU_BAR,):
            kind = "menu"  # as Qt tells it
        element = _element(kind, node, titles, _TOOL_BAR in one.within)
        text = element.label or (node.name if kind in ("menu", "menuitem") else "")
        whole = box == node.box and not any(_overlap(box, popup) for popup in over)
        if text:
            found.texts.append(text)
        (found.elements if whole else found.remains).append(element)


def _element(kind: str, node: Node, titles: set[str], tool: bool) -> Element:
    name = node.name.strip()
    if kind in FIELDS:
        kind = "textarea" if kind == "text" and MULTI_LINE in node.states else kind
        said = "" if node.role == _PASSWORD else node.text.strip() or _value(kind, name)
        caption = next((label for label in node.labels if label), name if name in titles else "")
        return Element(kind, node.box, _tidy(said), _tidy(caption.strip(": ")))
    narrow = node.box.width < LETTER * len(name) + 8
    square = tool and node.box.width < SQUARE * node.box.height
    if kind == "button" and (node.picture or narrow or square):
        return Element("icon", node.box, shape=_tidy(name.lower()))
    return Element(kind, node.box, _tidy(name or node.text.strip()))


def _value(kind: str, name: str) -> str:
    """A list that is closed is called like what it shows."""
    return name if kind == "select" else ""


def _tidy(text: str) -> str:
    """A text, or "" when it cannot be asked for: signs are often called like others."""
    return text if _TIDY.fullmatch(text) and any(map(str.isalnum, text)) else ""


def _cover(found: Inventory, box: Box) -> None:
    """What a window hides, or touches, cannot be asked for."""
    touched = [element for element in found.elements if _overlap(element.box, box)]
    found.elements = [element for element in found.elements if not _overlap(element.box, box)]
    found.remains += touched


def _common(one: Box, other: Box) -> Box:
    return Box(max(one.left, other.left), max(one.top, other.top),
               min(one.right, other.right), min(one.bottom, other.bottom))  # fmt: skip


def _around(boxes: Sequence[Box]) -> Box:
    return Box(min(b.left for b in boxes), min(b.top for b in boxes),
               max(b.right for b in boxes), max(b.bottom for b in boxes))  # fmt: skip


def _overlap(one: Box, other: Box) -> bool:
    common = _common(one, other)
    return common.width > 0 and common.height > 0
