"""Writes an action as pyautogui code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actions.dialects.code_reader import COMPUTER_WAIT
from actions.dialects.errors import RenderError
from actions.dialects.phrases import check_key
from actions.dialects.points import describe, in_range, write_number
from actions.space import (
    Action,
    Button,
    CallUser,
    Click,
    Direction,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Scroll,
    Type,
    Wait,
    points,
)
from vision.geometry import Point, Size

_CLICKS = {
    (Button.LEFT, 1): "pyautogui.click({at})",
    (Button.LEFT, 2): "pyautogui.doubleClick({at})",
    (Button.LEFT, 3): "computer.triple_click({at})",
    (Button.RIGHT, 1): "pyautogui.rightClick({at})",
    (Button.MIDDLE, 1): "pyautogui.middleClick({at})",
}
_WHEELS = {
    Direction.UP: ("scroll", 1),
    Direction.DOWN: ("scroll", -1),
    Direction.RIGHT: ("hscroll", 1),
    Direction.LEFT: ("hscroll", -1),
}


def write_code(action: Action, extent: Size | None) -> str:
    """One or two lines of code.

    Raises:
        RenderError: pyautogui has no words for it, or a point lies outside the extent.
    """
    for point in points(action):
        if not in_range(point, extent):
            raise RenderError(f"expected {describe(extent)}, actually: {action!r}")
    writer = _WRITERS.get(type(action))
    if writer is None:
        raise RenderError(f"pyautogui has no words for {type(action).__name__}")
    return writer(action)


def _at(point: Point) -> str:
    return f"x={write_number(point.x)}, y={write_number(point.y)}"


def string_literal(text: str) -> str:
    """A string in single quotes that cannot close the fenced block around it."""
    written = repr(text)
    if written.startswith('"'):  # as repr does when there are single quotes inside
        inner = written[1:-1].replace("'", r"\'")
        written = f"'{inner}'"
    return written.replace("```", r"\x60\x60\x60")


def _click(action: Click) -> str:
    plain = _CLICKS.get((action.button, action.count))
    general = f"pyautogui.click({{at}}, clicks={action.count}, button='{action.button}')"
    return (plain or general).format(at=_at(action.point))


def _drag(action: Drag) -> str:
    return (
        f"pyautogui.moveTo({_at(action.start)})\n"
        f"pyautogui.dragTo({_at(action.end)}, button='{action.button}')"
    )


def _mouse(function: str) -> Callable[[MouseDown | MouseUp], str]:
    def write(action: MouseDown | MouseUp) -> str:
        at = "" if action.point is None else _at(action.point) + ", "
        return f"pyautogui.{function}({at}button='{action.button}')"

    return write


def _scroll(action: Scroll) -> str:
    function, sign = _WHEELS[action.direction]
    at = "" if action.point is None else ", " + _at(action.point)
    return f"pyautogui.{function}({sign * action.clicks}{at})"


def _type(action: Type) -> str:
    if action.point is not None:
        raise RenderError("pyautogui.write has no point; write a click before it")
    text = action.text + "\n" if action.submit else action.text
    if not text:
        raise RenderError("expected a text that is not empty")
    if not action.submit and text.endswith("\n"):
        raise RenderError("a trailing newline submits the text; use submit=True")
    return f"pyautogui.write(message={string_literal(text)})"


def _hotkey(action: Hotkey) -> str:
    for key in action.keys:
        check_key(key)
    function = "press" if len(action.keys) == 1 else "hotkey"
    return f"pyautogui.{function}({', '.join(string_literal(key) for key in action.keys)})"


def _key(function: str) -> Callable[[KeyDown | KeyUp], str]:
    def write(action: KeyDown | KeyUp) -> str:
        check_key(action.key)
        return f"pyautogui.{function}({string_literal(action.key)})"

    return write


def _wait(action: Wait) -> str:
    if action.seconds == COMPUTER_WAIT:
        return "computer.wait()"
    return f"time.sleep({write_number(action.seconds)})"


def _terminate(status: str) -> Callable[[Finished | CallUser], str]:
    def write(action: Finished | CallUser) -> str:
        answer = f", answer={string_literal(action.text)}" if action.text else ""
        return f"computer.terminate(status='{status}'{answer})"

    return write


_WRITERS: dict[type[Action], Callable[[Any], str]] = {
    Click: _click,
    Drag: _drag,
    Move: lambda action: f"pyautogui.moveTo({_at(action.point)})",
    MouseDown: _mouse("mouseDown"),
    MouseUp: _mouse("mouseUp"),
    Scroll: _scroll,
    Type: _type,
    Hotkey: _hotkey,
    KeyDown: _key("keyDown"),
    KeyUp: _key("keyUp"),
    Wait: _wait,
    Finished: _terminate("success"),
    CallUser: _terminate("failure"),
}
