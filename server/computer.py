"""Our actions as OpenAI's computer tool has them, and back; points are pixels of the screenshot.

What that tool has no word for (long presses, separate press and release, apps, addresses) becomes
no call: the answer is then the model's text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from actions.space import (
    Action,
    Button,
    Click,
    Direction,
    Drag,
    Hotkey,
    Move,
    Scroll,
    Swipe,
    Type,
    Wait,
)
from vision.geometry import Point

NOTCH = 100
"""Pixels that one click of the wheel scrolls, in the tool's unit."""
BUTTONS = {Button.LEFT: "left", Button.RIGHT: "right", Button.MIDDLE: "wheel"}
WAYS = {
    Direction.UP: (0, -1),
    Direction.DOWN: (0, 1),
    Direction.LEFT: (-1, 0),
    Direction.RIGHT: (1, 0),
}


class Place(BaseModel):
    """A point."""

    x: float = Field(allow_inf_nan=False)
    y: float = Field(allow_inf_nan=False)

    @property
    def point(self) -> Point:
        """As ours."""
        return Point(self.x, self.y)


class ClickCall(Place):
    """Press and release once."""

    type: Literal["click"]
    button: Literal["left", "right", "wheel"] = "left"


class DoubleClickCall(Place):
    """Press and release twice."""

    type: Literal["double_click"]


class MoveCall(Place):
    """Move the pointer."""

    type: Literal["move"]


class DragCall(BaseModel):
    """Press at the first place, release at the last."""

    type: Literal["drag"]
    path: list[Place] = Field(min_length=2, max_length=1000)


class ScrollCall(Place):
    """Turn the wheel; positive is down and right."""

    type: Literal["scroll"]
    scroll_x: float = Field(default=0, allow_inf_nan=False)
    scroll_y: float = Field(default=0, allow_inf_nan=False)


class KeypressCall(BaseModel):
    """Press keys together."""

    type: Literal["keypress"]
    keys: list[str] = Field(min_length=1, max_length=10)


class TypeCall(BaseModel):
    """Type a text."""

    type: Literal["type"]
    text: str


class IdleCall(BaseModel):
    """Wait, or ask for a new screenshot."""

    type: Literal["wait", "screenshot"]


ComputerAction = Annotated[
    ClickCall
    | DoubleClickCall
    | MoveCall
    | DragCall
    | ScrollCall
    | KeypressCall
    | TypeCall
    | IdleCall,
    Field(discriminator="type"),
]


def calls(actions: Sequence[Action], middle: Point) -> list[dict[str, Any]] | None:
    """The tool's actions for ours, None when it has no word for one of them.

    Args:
        actions: in screen pixels.
        middle: where the wheel turns when the action does not say.
    """
    made: list[dict[str, Any]] = []
    for action in actions:
        said = _said(action, middle)
        if said is None:
            return None
        made += said
    return made


def _said(action: Action, middle: Point) -> list[dict[str, Any]] | None:
    match action:
        case Click(point, Button.LEFT, 2):
            return [{"type": "double_click", **_xy(point)}]
        case Click(point, button, count) if button in BUTTONS:
            return [{"type": "click", "button": BUTTONS[button], **_xy(point)}] * count
        case Drag(start, end, Button.LEFT) | Swipe(start, end):
            return [{"type": "drag", "path": [_xy(start), _xy(end)]}]
        case Move(point):
            return [{"type": "move", **_xy(point)}]
        case Scroll(direction, point, clicks):
            right, down = (way * clicks * NOTCH for way in WAYS[direction])
            place = _xy(point or middle)
            return [{"type": "scroll", "scroll_x": right, "scroll_y": down, **place}]
        case Hotkey(keys):
            return [{"type": "keypress", "keys": [key.upper() for key in keys]}]
        case Type(text, submit, point):
            first = [] if point is None else [{"type": "click", "button": "left", **_xy(point)}]
            last = [{"type": "keypress", "keys": ["ENTER"]}] if submit else []
            return [*first, {"type": "type", "text": text}, *last]
        case Wait():
            return [{"type": "wait"}]
        case _:
            return None


def _xy(point: Point) -> dict[str, int]:
    return {"x": round(point.x), "y": round(point.y)}


def action_of(call: Any) -> Action:
    """Our action for one of the tool's."""
    match call:
        case DoubleClickCall():
            return Click(call.point, count=2)
        case ClickCall():
            named = {name: button for button, name in BUTTONS.items()}
            return Click(call.point, named[call.button])
        case MoveCall():
            return Move(call.point)
        case DragCall():
            return Drag(call.path[0].point, call.path[-1].point)
        case ScrollCall():
            return _scrolled(call)
        case KeypressCall():
            return Hotkey(tuple(key.lower() for key in call.keys))
        case TypeCall():
            return Type(call.text)
        case _:
            return Wait()


def _scrolled(call: ScrollCall) -> Scroll:
    sideways = abs(call.scroll_x) > abs(call.scroll_y)
    amount = call.scroll_x if sideways else call.scroll_y
    ways = (Direction.RIGHT, Direction.LEFT) if sideways else (Direction.DOWN, Direction.UP)
    return Scroll(ways[amount < 0], call.point, min(max(round(abs(amount) / NOTCH), 1), 100))
