"""The typed actions: one algebra for every dialect and every backend.

An action is a frozen dataclass. Points are (x, y) in the frame of whoever holds the action: model
space after a dialect parsed it, whole screen pixels after `on_points(action, map.to_screen)`.
Text from a model never becomes code; it becomes one of these values or a `ParseError`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, TypeVar

from vision.geometry import Point


class Button(StrEnum):
    """A mouse button."""

    LEFT = "left"
    MIDDLE = "middle"
    RIGHT = "right"


class Direction(StrEnum):
    """Where the content's viewport moves: DOWN shows what is further down."""

    UP = "up"
    DOWN = "down"
    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True)
class Action:
    """Base of every action; `isinstance(x, Action)` is the test for "is an action"."""


@dataclass(frozen=True)
class Click(Action):
    """Press and release a button `count` times (1..3) at a point."""

    point: Point
    button: Button = Button.LEFT
    count: int = 1


@dataclass(frozen=True)
class LongPress(Action):
    """Hold the left button (or a finger) at a point."""

    point: Point
    seconds: float = 1.0


@dataclass(frozen=True)
class Drag(Action):
    """Press at `start`, move to `end`, release."""

    start: Point
    end: Point
    button: Button = Button.LEFT


@dataclass(frozen=True)
class Swipe(Action):
    """A finger moves from `start` to `end` (mobile scroll from box to box)."""

    start: Point
    end: Point


@dataclass(frozen=True)
class Move(Action):
    """Move the pointer without pressing anything."""

    point: Point


@dataclass(frozen=True)
class MouseDown(Action):
    """Press a button and keep it pressed; `point` None means where the pointer is."""

    point: Point | None = None
    button: Button = Button.LEFT


@dataclass(frozen=True)
class MouseUp(Action):
    """Release a button; `point` None means where the pointer is."""

    point: Point | None = None
    button: Button = Button.LEFT


@dataclass(frozen=True)
class Scroll(Action):
    """Turn the wheel by `clicks` notches; `point` None means where the pointer is."""

    direction: Direction
    point: Point | None = None
    clicks: int = 5


@dataclass(frozen=True)
class Type(Action):
    """Type text; `submit` presses Enter afterwards; `point` is clicked first when given."""

    text: str
    submit: bool = False
    point: Point | None = None


@dataclass(frozen=True)
class Select(Action):
    """Choose an option of a select element (Mind2Web); performed as a click."""

    point: Point
    text: str = ""


@dataclass(frozen=True)
class Hotkey(Action):
    """Press keys (canonical names of `actions.keys`) in order, release them in reverse."""

    keys: tuple[str, ...]


@dataclass(frozen=True)
class KeyDown(Action):
    """Press one key and keep it pressed."""

    key: str


@dataclass(frozen=True)
class KeyUp(Action):
    """Release one key."""

    key: str


@dataclass(frozen=True)
class Wait(Action):
    """Do nothing for a while."""

    seconds: float = 5.0


@dataclass(frozen=True)
class Navigate(Action):
    """Open a URL in the browser."""

    url: str


@dataclass(frozen=True)
class NavigateBack(Action):
    """Go back in the browser's history."""


@dataclass(frozen=True)
class OpenApp(Action):
    """Start an application by its name."""

    name: str


@dataclass(frozen=True)
class OpenComputer(Action):
    """Ask for the computer environment (UI-TARS-2 omni agents)."""


@dataclass(frozen=True)
class PressHome(Action):
    """The home button of a mobile device."""


@dataclass(frozen=True)
class PressBack(Action):
    """The back button of a mobile device."""


@dataclass(frozen=True)
class Finished(Action):
    """The task is done; `text` is the answer, when one was asked for."""

    text: str = ""


@dataclass(frozen=True)
class CallUser(Action):
    """The agent needs its user: a log-in, a captcha, a question."""

    text: str = ""


ENDING = (Finished, CallUser)
"""Actions that end a run; a dialect accepts them only as the last action of a step."""


@dataclass(frozen=True)
class Step:
    """What the model decided in one turn.

    Attributes:
        thought: free text, may be empty.
        actions: at least one action, in order, points in model space.
    """

    thought: str
    actions: tuple[Action, ...]


A = TypeVar("A", bound=Action)


def on_points(action: A, convert: Callable[[Point], Point]) -> A:
    """The same action with every point converted, for example by `CoordinateMap.to_screen`."""
    changes: dict[str, Any] = {
        f.name: convert(value)
        for f in fields(action)
        if isinstance(value := getattr(action, f.name), Point)
    }
    return replace(action, **changes)


def points(action: Action) -> tuple[Point, ...]:
    """Every point of an action, in field order."""
    values = (getattr(action, f.name) for f in fields(action))
    return tuple(value for value in values if isinstance(value, Point))
