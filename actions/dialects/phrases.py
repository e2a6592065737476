"""From an action to a call: the vocabulary that the UI-TARS family writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from actions.dialects.errors import RenderError
from actions.dialects.points import describe, in_range, write_number
from actions.keys import UnknownKeyError, canonical
from actions.space import (
    Action,
    Button,
    CallUser,
    Click,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NavigateBack,
    OpenApp,
    OpenComputer,
    PressBack,
    PressHome,
    Scroll,
    Select,
    Swipe,
    Type,
    Wait,
    points,
)
from vision.geometry import Point, Size


class Phrase(NamedTuple):
    """A call to be written: its name, and its arguments by role (`forms.ROLES`) in order."""

    name: str
    args: Mapping[str, Point | str]


_CLICKS = {
    (Button.LEFT, 1): "click",
    (Button.LEFT, 2): "left_double",
    (Button.RIGHT, 1): "right_single",
    (Button.MIDDLE, 1): "middle_click",
}


def phrase(action: Action, extent: Size | None) -> Phrase:
    """The call that says this action.

    Raises:
        RenderError: the family has no words for it, or a point lies outside the extent.
    """
    for point in points(action):
        if not in_range(point, extent):
            raise RenderError(f"expected {describe(extent)}, actually: {action!r}")
    return _WRITERS[type(action)](action)


def _click(action: Click) -> Phrase:
    name = _CLICKS.get((action.button, action.count))
    if name is None:
        raise RenderError(f"UI-TARS has no {action.count} clicks of the {action.button} button")
    return Phrase(name, {"start": action.point})


def _drag(action: Drag) -> Phrase:
    if action.button != Button.LEFT:
        raise RenderError(f"UI-TARS drags with the left button, actually: {action.button}")
    return Phrase("drag", {"start": action.start, "end": action.end})


def _button(name: str) -> Callable[[MouseDown | MouseUp], Phrase]:
    """The writer of mouse_down or mouse_up; the left button goes without saying."""

    def write(action: MouseDown | MouseUp) -> Phrase:
        args: dict[str, Point | str] = {} if action.point is None else {"start": action.point}
        if action.button != Button.LEFT:
            args["button"] = action.button.value
        return Phrase(name, args)

    return write


def _scroll(action: Scroll) -> Phrase:
    if action.clicks != Scroll.clicks:
        raise RenderError(f"UI-TARS scrolls {Scroll.clicks} notches, actually: {action.clicks}")
    place: dict[str, Point | str] = {} if action.point is None else {"start": action.point}
    return Phrase("scroll", {**place, "direction": action.direction.value})


def _type(action: Type) -> Phrase:
    content = action.text + "\n" if action.submit else action.text
    if not content:
        raise RenderError("UI-TARS cannot type an empty text")
    if not action.submit and content.endswith("\n"):
        raise RenderError("UI-TARS submits a text that ends with a newline; use submit=True")
    place: dict[str, Point | str] = {} if action.point is None else {"start": action.point}
    return Phrase("type", {"content": content, **place})


def _keys(name: str) -> Callable[[Any], Phrase]:
    """The writer of hotkey, press or release."""

    def write(action: Hotkey | KeyDown | KeyUp) -> Phrase:
        keys = action.keys if isinstance(action, Hotkey) else (action.key,)
        for key in keys:
            check_key(key)
        if not keys:
            raise RenderError("expected a hotkey of at least one key")
        return Phrase(name, {"key": " ".join(spell_key(key) for key in keys)})

    return write


def spell_key(key: str) -> str:
    """A key as the family writes it: a plus sign would separate keys."""
    return "plus" if key == "+" else key


def check_key(key: str) -> None:
    """Refuse a key that is not called by its canonical name.

    Raises:
        RenderError: the key is unknown or has another spelling.
    """
    try:
        name = canonical(key)
    except UnknownKeyError as error:
        raise RenderError(str(error)) from error
    if name != key:
        raise RenderError(f"expected the canonical key name {name!r}, actually: {key!r}")


def _time(seconds: float, default: float) -> dict[str, Point | str]:
    """The time argument, left out where it is the default."""
    if seconds < 0:
        raise RenderError(f"expected seconds of at least 0, actually: {seconds}")
    return {} if seconds == default else {"time": write_number(seconds)}


def _content(text: str) -> dict[str, Point | str]:
    """The content argument, left out where it is empty."""
    return {"content": text} if text else {}


def _filled(name: str, role: str, text: str) -> Phrase:
    if not text:
        raise RenderError(f"expected {name} with a {role}, actually: an empty text")
    return Phrase(name, {role: text})


_WRITERS: dict[type[Action], Callable[[Any], Phrase]] = {
    Click: _click,
    LongPress: lambda a: Phrase("long_press", {"start": a.point, **_time(a.seconds, 1.0)}),
    Drag: _drag,
    Swipe: lambda a: Phrase("swipe", {"start": a.start, "end": a.end}),
    Move: lambda a: Phrase("move_to", {"start": a.point}),
    MouseDown: _button("mouse_down"),
    MouseUp: _button("mouse_up"),
    Scroll: _scroll,
    Type: _type,
    Select: lambda a: Phrase("select", {"start": a.point, **_content(a.text)}),
    Hotkey: _keys("hotkey"),
    KeyDown: _keys("press"),
    KeyUp: _keys("release"),
    Wait: lambda a: Phrase("wait", _time(a.seconds, 5.0)),
    Navigate: lambda a: _filled("navigate", "content", a.url),
    NavigateBack: lambda a: Phrase("navigate_back", {}),
    OpenApp: lambda a: _filled("open_app", "name", a.name),
    OpenComputer: lambda a: Phrase("open_computer", {}),
    PressHome: lambda a: Phrase("press_home", {}),
    PressBack: lambda a: Phrase("press_back", {}),
    Finished: lambda a: Phrase("finished", _content(a.text)),
    CallUser: lambda a: Phrase("call_user", _content(a.text)),
}
