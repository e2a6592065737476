"""Actions as JSON objects: the form of the HTTP API and of the episode file.

    {"type": "click", "point": [x, y], "button": "left", "count": 1}

`type` is a stable name (`NAMES`); the other keys are the fields of the dataclass. Fields that are
None are left out; fields with a default may be left out. `CodecError` is a `ValueError`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from enum import StrEnum
from typing import Any

from actions.keys import canonical
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
)
from vision.geometry import Point

CLASSES: dict[str, type[Action]] = {
    "click": Click,
    "long_press": LongPress,
    "drag": Drag,
    "swipe": Swipe,
    "move": Move,
    "mouse_down": MouseDown,
    "mouse_up": MouseUp,
    "scroll": Scroll,
    "type": Type,
    "select": Select,
    "hotkey": Hotkey,
    "key_down": KeyDown,
    "key_up": KeyUp,
    "wait": Wait,
    "navigate": Navigate,
    "navigate_back": NavigateBack,
    "open_app": OpenApp,
    "open_computer": OpenComputer,
    "press_home": PressHome,
    "press_back": PressBack,
    "finished": Finished,
    "call_user": CallUser,
}
"""The stable type name of every action class; episodes on disk rely on it."""

NAMES: dict[type[Action], str] = {kind: name for name, kind in CLASSES.items()}
"""The same table read backwards."""


class CodecError(ValueError):
    """A JSON object does not describe an action; the message lists every fault."""


def to_dict(action: Action) -> dict[str, Any]:
    """The JSON object of an action; points become [x, y]."""
    values = ((field.name, getattr(action, field.name)) for field in fields(action))
    plain = {name: _plain(value) for name, value in values if value is not None}
    return {"type": NAMES[type(action)], **plain}


def from_dict(data: Mapping[str, Any]) -> Action:
    """The action that a JSON object describes.

    Raises:
        CodecError: unknown type, or unknown, missing or invalid fields; all faults at once.
    """
    if not isinstance(data, Mapping):
        raise CodecError(f"expected an object with the key 'type', actually: {_short(data)}")
    kind = CLASSES.get(data["type"]) if isinstance(data.get("type"), str) else None
    if kind is None:
        raise CodecError(
            f"type: expected one of {', '.join(CLASSES)}, actually: {_short(data.get('type'))}"
        )
    known = {field.name: field for field in fields(kind)}
    faults = [
        f"{name}: unknown field, {data['type']} has: {', '.join(known) or 'none'}"
        for name in data
        if name != "type" and name not in known
    ]
    values: dict[str, Any] = {}
    for name, field in known.items():
        try:
            if name in data:
                values[name] = _read(field, data[name])
            elif field.default is MISSING:
                raise ValueError("required, but missing")
        except ValueError as error:
            faults.append(f"{name}: {error}")
    if faults:
        raise CodecError(f"{data['type']}: " + "; ".join(faults))
    return kind(**values)


def _plain(value: Any) -> Any:
    """A field value in the types that JSON has."""
    if isinstance(value, StrEnum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def _read(field: Field[Any], value: Any) -> Any:
    """A JSON value as the value of that field; None is kept where it is the default."""
    if value is None and field.default is None:
        return None
    return _READERS[field.name](value)


def _point(value: Any) -> Point:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"expected [x, y], actually: {_short(value)}")
    return Point(_number(value[0]), _number(value[1]))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        raise ValueError(f"expected a finite number, actually: {_short(value)}")
    return value


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer too large for a float
        return False


def _seconds(value: Any) -> float:
    if _number(value) < 0:
        raise ValueError(f"expected seconds of at least 0, actually: {_short(value)}")
    return float(value)


def _count(highest: int) -> Callable[[Any], int]:
    """A reader of whole numbers 1..highest."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= highest:
            raise ValueError(
                f"expected a whole number from 1 to {highest}, actually: {_short(value)}"
            )
        return value

    return read


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a string, actually: {_short(value)}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, actually: {_short(value)}")
    return value


def _key(value: Any) -> str:
    return canonical(_string(value))


def _keys(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"expected a list of at least one key name, actually: {_short(value)}")
    return tuple(_key(name) for name in value)


def _choice(options: type[StrEnum]) -> Callable[[Any], StrEnum]:
    """A reader of one of an enumeration's values."""

    def read(value: Any) -> StrEnum:
        if value not in list(options):
            raise ValueError(f"expected one of {', '.join(options)}, actually: {_short(value)}")
        return options(value)

    return read


def _short(value: Any) -> str:
    """A value as an error message shows it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


# A field name means the same thing in every action, so one reader per name is enough.
_READERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("point", "start", "end"), _point),
    **dict.fromkeys(("text", "url", "name"), _string),
    "button": _choice(Button),
    "clicks": _count(10_000),
    "count": _count(3),
    "direction": _choice(Direction),
    "key": _key,
    "keys": _keys,
    "seconds": _seconds,
    "submit": _flag,
}
