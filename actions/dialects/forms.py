"""From a call to an action: the vocabulary that the UI-TARS family reads."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from actions.dialects.errors import ParseError
from actions.dialects.points import read_point
from actions.dialects.scanner import Call, Value
from actions.keys import UnknownKeyError, canonical
from actions.space import (
    ENDING,
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
from vision.geometry import Point, Size

ROLES = {
    **dict.fromkeys(("start_box", "start_point", "start_position", "start"), "start"),
    **dict.fromkeys(("point", "position", "box", "coordinate"), "start"),
    **dict.fromkeys(("end_box", "end_point", "end_position", "end"), "end"),
    **dict.fromkeys(("content", "text", "input_text", "url"), "content"),
    **dict.fromkeys(("key", "keys", "hotkey", "keyname", "key_name"), "key"),
    **dict.fromkeys(("app_name", "name"), "name"),
    **dict.fromkeys(("time", "duration", "seconds"), "time"),
    **{"direction": "direction", "button": "button"},
}
"""What an argument means, by each name that models give it."""


# A plus sign separates keys, except where it stands last: `ctrl++` is Ctrl and plus.
_KEY = re.compile(r"[^+\s]++|\+(?=\s*+\Z)")


@dataclass(frozen=True)
class Args:
    """The arguments of one call by role, and how each kind of value is read.

    Attributes:
        source: the whole text, for error messages.
        call: the call.
        values: the argument of each role.
        extent: the dialect's range of coordinates.
    """

    source: str
    call: Call
    values: dict[str, Value]
    extent: Size | None

    def point(self, role: str = "start") -> Point:
        """A point that must be there."""
        return read_point(self.values[role], self.source, self.extent)

    def maybe_point(self) -> Point | None:
        """A point, None when it is not given."""
        return self.point() if "start" in self.values else None

    def text(self, role: str = "content") -> str:
        """Text exactly as written; empty when it is not given."""
        return self.values[role].text if role in self.values else ""

    def filled(self, role: str = "content") -> str:
        """Text that must not be empty."""
        if not self.text(role):
            raise self.error(role, f"{self.call.name} with a {role} that is not empty")
        return self.text(role)

    def seconds(self, default: float) -> float:
        """A duration; the default when it is not given or empty."""
        written = self.text("time").strip()
        if not written:
            return default
        try:
            seconds = float(written)
        except ValueError:
            seconds = math.nan
        if not (math.isfinite(seconds) and seconds >= 0):
            raise self.error("time", "a number of seconds of at least 0")
        return seconds

    def direction(self) -> Direction:
        """One of the four directions."""
        written = self.text("direction").strip().lower()
        if written not in list(Direction):
            raise self.error("direction", "one direction: up, down, left or right")
        return Direction(written)

    def button(self) -> Button:
        """A mouse button, by default the left one."""
        written = self.text("button").strip().lower() or Button.LEFT
        if written not in list(Button):
            raise self.error("button", "a button: left, middle or right")
        return Button(written)

    def keys(self) -> tuple[str, ...]:
        """Key names separated by blanks or plus signs."""
        try:
            keys = tuple(canonical(name) for name in _KEY.findall(self.text("key")))
        except UnknownKeyError as error:
            raise self.error("key", f"known keys ({error})") from error
        if not keys:
            raise self.error("key", "at least one key name such as 'enter' or 'ctrl c'")
        return keys

    def key(self) -> str:
        """Exactly one key name."""
        keys = self.keys()
        if len(keys) != 1:
            raise self.error("key", f"one key for {self.call.name}, not {len(keys)}")
        return keys[0]

    def error(self, role: str, expected: str) -> ParseError:
        """A complaint about the argument of that role, or about its absence."""
        offset = self.values[role].offset if role in self.values else self.call.end
        return ParseError(expected, self.source, offset)


@dataclass(frozen=True)
class Form:
    """How one kind of call becomes an action: the roles it must and may have, and the reading."""

    required: tuple[str, ...]
    optional: tuple[str, ...]
    build: Callable[[Args], Action]


def _type(args: Args) -> Action:
    """A trailing newline is the Enter key, not text."""
    content = args.filled()
    submit = content.endswith("\n")
    return Type(content[:-1] if submit else content, submit, args.maybe_point())


def _scroll(args: Args) -> Action:
    """With a direction it turns the wheel, from box to box it is the swipe of a finger."""
    if "end" not in args.values:
        return Scroll(args.direction(), args.maybe_point())
    if "start" not in args.values or "direction" in args.values:
        raise args.error("direction", "scroll with a direction, or with start_box and end_box only")
    return Swipe(args.point("start"), args.point("end"))


def _select(args: Args) -> Action:
    """From point to point it is a drag, at one point it chooses an option."""
    if "end" in args.values:
        return Drag(args.point("start"), args.point("end"))
    return Select(args.point(), args.text())


FORMS: dict[str, Form] = {
    "click": Form(("start",), (), lambda a: Click(a.point())),
    "left_double": Form(("start",), (), lambda a: Click(a.point(), Button.LEFT, 2)),
    "right_single": Form(("start",), (), lambda a: Click(a.point(), Button.RIGHT)),
    "middle_click": Form(("start",), (), lambda a: Click(a.point(), Button.MIDDLE)),
    "long_press": Form(("start",), ("time",), lambda a: LongPress(a.point(), a.seconds(1.0))),
    "drag": Form(("start", "end"), (), lambda a: Drag(a.point("start"), a.point("end"))),
    "swipe": Form(("start", "end"), (), lambda a: Swipe(a.point("start"), a.point("end"))),
    "move_to": Form(("start",), (), lambda a: Move(a.point())),
    "mouse_down": Form((), ("start", "button"), lambda a: MouseDown(a.maybe_point(), a.button())),
    "mouse_up": Form((), ("start", "button"), lambda a: MouseUp(a.maybe_point(), a.button())),
    "scroll": Form((), ("direction", "start", "end"), _scroll),
    "type": Form(("content",), ("start",), _type),
    "select": Form(("start",), ("end", "content"), _select),
    "hotkey": Form(("key",), (), lambda a: Hotkey(a.keys())),
    "press": Form(("key",), (), lambda a: KeyDown(a.key())),
    "release": Form(("key",), (), lambda a: KeyUp(a.key())),
    "wait": Form((), ("time",), lambda a: Wait(a.seconds(5.0))),
    "navigate": Form(("content",), (), lambda a: Navigate(a.filled())),
    "navigate_back": Form((), (), lambda a: NavigateBack()),
    "open_app": Form(("name",), (), lambda a: OpenApp(a.filled("name"))),
    "open_computer": Form((), (), lambda a: OpenComputer()),
    "press_home": Form((), (), lambda a: PressHome()),
    "press_back": Form((), (), lambda a: PressBack()),
    "finished": Form((), ("content",), lambda a: Finished(a.text())),
    "call_user": Form((), ("content",), lambda a: CallUser(a.text())),
}
"""How each call is read, by its first name."""

SYNONYMS = {
    **dict.fromkeys(("left_click", "left_single"), "click"),
    **{"double_click": "left_double", "right_click": "right_single"},
    **dict.fromkeys(("hover", "move", "moveto", "mouse_move"), "move_to"),
    **{"left_click_drag": "drag", "open": "open_app"},
}
"""Other names that models give the same calls."""

NAMES = (*FORMS, *SYNONYMS)
"""Every name that can begin a call."""


def read_actions(
    calls: Sequence[Call], source: str, extent: Size | None, offset: int
) -> tuple[Action, ...]:
    """The actions of one step, in order.

    Args:
        calls: the calls of the step.
        source: the whole text, for error messages.
        extent: the range of coordinates, None for absolute pixels.
        offset: where the first call should begin, for error messages.

    Raises:
        ParseError: no call, a call that is not an action, or a call behind one that ends the run.
    """
    if not calls:
        raise ParseError("at least one action such as wait()", source, offset)
    actions: list[Action] = []
    for call in calls:
        if actions and isinstance(actions[-1], ENDING):
            raise ParseError("no action behind finished or call_user", source, call.offset)
        actions.append(_read_action(call, source, extent))
    return tuple(actions)


def _read_action(call: Call, source: str, extent: Size | None) -> Action:
    form = FORMS.get(SYNONYMS.get(call.name, call.name))
    if form is None:
        near = get_close_matches(call.name[:40], NAMES, n=1) or ["click"]
        names = f"an action of {', '.join(FORMS)} (did you mean {near[0]}?)"
        raise ParseError(names, source, call.offset)
    values: dict[str, Value] = {}
    for name, value in call.args.items():
        role = ROLES.get(name)
        if role not in (*form.required, *form.optional):
            raise ParseError(f"{call.name} without the argument {name[:40]}", source, value.offset)
        if role in values:
            raise ParseError(f"{call.name} with one {role}, not two", source, value.offset)
        values[role] = value
    for role in form.required:
        if role not in values:
            wanted = f"{call.name} with the argument {_spelling(role)}"
            raise ParseError(wanted, source, call.end)
    return form.build(Args(source, call, values, extent))


def _spelling(role: str) -> str:
    """The first argument name of a role."""
    return next(name for name, meaning in ROLES.items() if meaning == role)
