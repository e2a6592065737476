"""Reads pyautogui code as actions, from its syntax tree; nothing is ever run.

Every statement must be a call of a listed function with literal arguments, or an import of one of
the modules that hold them.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from actions.dialects.errors import ParseError
from actions.dialects.points import describe, in_range
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
    MouseDown,
    MouseUp,
    Move,
    Scroll,
    Type,
    Wait,
)
from vision.geometry import Point, Size

Literal: TypeAlias = "str | int | float | list[str]"

_LINE_END = re.compile(r"\r\n|\r|\n")
_MODULES = frozenset({"pyautogui", "computer", "time"})
_MOST_PRESSES = 100
COMPUTER_WAIT = 20.0
"""Seconds that `computer.wait()` waits."""


@dataclass
class CodeReader:
    """One reading of one block of code.

    Attributes:
        text: the whole reply, for error messages.
        start: where the code begins in it.
        end: where the code ends in it.
        extent: the range of coordinates.
        actions: what was read so far.
        pointer: where the pointer is after them, None when the code does not say.
    """

    text: str
    start: int
    end: int
    extent: Size | None
    actions: list[Action] = field(default_factory=list)
    pointer: Point | None = None

    def read(self) -> tuple[Action, ...]:
        """All actions of the code, in order.

        Raises:
            ParseError: not Python, or something else than listed calls.
        """
        for node in self._tree().body:
            if isinstance(node, ast.Import) and _MODULES.issuperset(n.name for n in node.names):
                continue
            if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
                raise self.error("a call such as pyautogui.click(x=0.5, y=0.5)", node)
            if self.actions and isinstance(self.actions[-1], ENDING):
                raise self.error("no call behind computer.terminate", node)
            self._read_call(node.value)
        if not self.actions:
            raise ParseError("a call such as pyautogui.click(x=0.5, y=0.5)", self.text, self.start)
        return tuple(self.actions)

    def error(self, expected: str, node: ast.stmt | ast.expr) -> ParseError:
        """A complaint about a place in the code; the tree counts columns in bytes."""
        code = self.text[self.start : self.end]
        ends = [0, *(match.end() for match in _LINE_END.finditer(code))]
        line = ends[node.lineno - 1]
        column = len(code[line:].encode()[: node.col_offset].decode())
        return ParseError(expected, self.text, self.start + line + column)

    def _tree(self) -> ast.Module:
        try:
            with warnings.catch_warnings():  # a doubtful escape is no reason to write to stderr
                warnings.simplefilter("ignore")
                return ast.parse(self.text[self.start : self.end])
        except SyntaxError as error:
            fault = f"{error.msg} in line {error.lineno}"
        except (ValueError, RecursionError, MemoryError) as error:
            fault = type(error).__name__
        raise ParseError(f"valid Python ({fault})", self.text, self.start)

    def _read_call(self, call: ast.Call) -> None:
        name = _function_name(call.func)
        function = FUNCTIONS.get(name)
        if function is None:
            raise self.error(f"a call of one of {', '.join(FUNCTIONS)}", call)
        function.build(Args(self, call, self._bind(call, name, function)))

    def _bind(self, call: ast.Call, name: str, function: Function) -> dict[str, ast.expr]:
        """The argument expressions by parameter name."""
        if function.variadic:
            parameters = tuple(str(number) for number in range(len(call.args)))
        else:
            parameters = function.parameters
        if len(call.args) > len(parameters):
            raise self.error(f"at most {len(parameters)} arguments of {name}", call)
        bound = dict(zip(parameters, call.args, strict=False))
        for keyword in call.keywords:
            if keyword.arg not in function.parameters or keyword.arg in bound:
                wanted = f"{name} with each of {', '.join(function.parameters) or 'no'} once"
                raise self.error(wanted, keyword.value)
            bound[keyword.arg] = keyword.value
        return bound


def _function_name(node: ast.expr) -> str:
    """`module.function`, empty for any other expression."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return ""


@dataclass(frozen=True)
class Args:
    """The arguments of one call, and how each kind of value is read."""

    reader: CodeReader
    call: ast.Call
    bound: dict[str, ast.expr]

    def add(self, action: Action, pointer: Point | None = None) -> None:
        """Append an action; `pointer` is where it leaves the pointer, None when it stays."""
        self.reader.actions.append(action)
        self.reader.pointer = pointer or self.reader.pointer

    def maybe_point(self) -> Point | None:
        """The point (x, y), None when neither is given."""
        if "x" not in self.bound and "y" not in self.bound:
            return None
        point = Point(self.number("x"), self.number("y"))
        if not in_range(point, self.reader.extent):
            raise self.error(f"coordinates in {describe(self.reader.extent)}")
        return point

    def point(self) -> Point:
        """The point (x, y); by default where the pointer is."""
        point = self.maybe_point() or self.reader.pointer
        if point is None:
            raise self.error("the arguments x and y")
        return point

    def number(self, name: str, default: float | None = None) -> float:
        """A number, finite as a float."""
        value = self.literal(name) if name in self.bound else default
        try:
            if isinstance(value, int | float) and float(value) - value == 0:
                return value
        except OverflowError:
            pass
        raise self.error(f"a number for {name}", name)

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number."""
        value = self.number(name, default)
        if value != int(value):
            raise self.error(f"a whole number for {name}", name)
        return int(value)

    def seconds(self, default: float | None = None) -> float:
        """A duration of at least 0."""
        value = self.number("seconds", default)
        if value < 0:
            raise self.error("seconds of at least 0", "seconds")
        return float(value)

    def text(self, name: str, default: str | None = None) -> str:
        """A string."""
        value = self.literal(name) if name in self.bound else default
        if not isinstance(value, str):
            raise self.error(f"a string for {name}", name)
        return value

    def button(self) -> Button:
        """A mouse button, by default the left one."""
        value = self.text("button", "left").lower()
        if value not in list(Button):
            raise self.error("a button: 'left', 'middle' or 'right'", "button")
        return Button(value)

    def keys(self, *names: str) -> tuple[str, ...]:
        """Canonical key names from these parameters, each a name or a list of names."""
        written: list[str] = []
        for name in names:
            value = self.literal(name)
            if not isinstance(value, str | list):
                raise self.error(f"a key name for {name}", name)
            written += [value] if isinstance(value, str) else value
        try:
            keys = tuple(canonical(key) for key in written)
        except UnknownKeyError as error:
            raise self.error(f"known keys ({error})") from error
        if not keys:
            raise self.error("at least one key")
        return keys

    def literal(self, name: str) -> Literal:
        """The value of a literal: a string, a number with or without a sign, a list of strings."""
        node = self.bound.get(name)
        if isinstance(node, ast.List | ast.Tuple):
            values = [e.value for e in node.elts if isinstance(e, ast.Constant)]
            strings = [value for value in values if isinstance(value, str)]
            if len(strings) == len(node.elts):
                return strings
        sign = 1
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            sign = -1 if isinstance(node.op, ast.USub) else 1
            node = node.operand
            if not (isinstance(node, ast.Constant) and isinstance(node.value, int | float)):
                raise self.error(f"a literal value for {name}", name)
        if isinstance(node, ast.Constant) and not isinstance(node.value, bool):
            if isinstance(node.value, str):
                return node.value
            if isinstance(node.value, int | float):
                return sign * node.value
        raise self.error(f"a literal value for {name}", name)

    def error(self, expected: str, name: str = "") -> ParseError:
        """A complaint about the argument of that name, or about the call."""
        return self.reader.error(expected, self.bound.get(name, self.call))


@dataclass(frozen=True)
class Function:
    """A function that code may call: its parameters in order, and what a call adds.

    Attributes:
        parameters: the names of the parameters.
        build: appends the actions of one call to the reader.
        variadic: whether positional arguments are a list of their own (`hotkey`).
    """

    parameters: tuple[str, ...]
    build: Callable[[Args], None]
    variadic: bool = False


def _clicks(button: Button | None, count: int | None) -> Callable[[Args], None]:
    """The builder of clicks; None means that the call says it."""

    def build(args: Args) -> None:
        number = args.whole("clicks", 1) if count is None else count
        if not 1 <= number <= 3:
            raise args.error("1 to 3 clicks", "clicks")
        point = args.point()
        args.add(Click(point, button or args.button(), number), point)

    return build


def _move(args: Args) -> None:
    args.add(Move(args.point()), args.point())


def _drag(args: Args) -> None:
    """A drag starts where the pointer is; the move that brought it there becomes part of it."""
    start = args.reader.pointer
    end = args.maybe_point()
    if start is None or end is None:
        raise args.error("pyautogui.moveTo(x, y) before pyautogui.dragTo(x, y)")
    if args.reader.actions[-1:] == [Move(start)]:
        args.reader.actions.pop()
    args.add(Drag(start, end, args.button()), end)


def _mouse(kind: type[MouseDown] | type[MouseUp]) -> Callable[[Args], None]:
    def build(args: Args) -> None:
        point = args.maybe_point()
        args.add(kind(point, args.button()), point)

    return build


def _scroll(positive: Direction, negative: Direction) -> Callable[[Args], None]:
    def build(args: Args) -> None:
        clicks = args.whole("clicks")
        if clicks == 0:
            raise args.error("a number of clicks that is not 0", "clicks")
        point = args.maybe_point()
        args.add(Scroll(positive if clicks > 0 else negative, point, abs(clicks)), point)

    return build


def _write(args: Args) -> None:
    """A trailing newline is the Enter key, not text."""
    text = args.text("message")
    if not text:
        raise args.error("a text that is not empty", "message")
    args.add(Type(text.removesuffix("\n"), text.endswith("\n")))


def _press(args: Args) -> None:
    """Each key is pressed and released by itself."""
    presses = args.whole("presses", 1)
    if not 1 <= presses <= _MOST_PRESSES:
        raise args.error(f"1 to {_MOST_PRESSES} presses", "presses")
    for _ in range(presses):
        for key in args.keys("keys"):
            args.add(Hotkey((key,)))


def _hotkey(args: Args) -> None:
    args.add(Hotkey(args.keys(*(name for name in args.bound if name != "interval"))))


def _key(kind: type[KeyDown] | type[KeyUp]) -> Callable[[Args], None]:
    def build(args: Args) -> None:
        keys = args.keys("key")
        if len(keys) != 1:
            raise args.error("one key", "key")
        args.add(kind(keys[0]))

    return build


def _wait(default: float | None) -> Callable[[Args], None]:
    return lambda args: args.add(Wait(args.seconds(default)))


def _terminate(args: Args) -> None:
    """Success is the end; failure hands over to the user."""
    status, answer = args.text("status", "success"), args.text("answer", "")
    if status not in ("success", "failure"):
        raise args.error("the status 'success' or 'failure'", "status")
    args.add(Finished(answer) if status == "success" else CallUser(answer))


_AT, _CLICK = ("x", "y"), ("x", "y", "interval", "button", "duration")

FUNCTIONS: dict[str, Function] = {
    "pyautogui.click": Function(("x", "y", "clicks", *_CLICK[2:]), _clicks(None, None)),
    "pyautogui.leftClick": Function(_CLICK, _clicks(Button.LEFT, 1)),
    "pyautogui.doubleClick": Function(_CLICK, _clicks(None, 2)),
    "pyautogui.tripleClick": Function(_CLICK, _clicks(None, 3)),
    "pyautogui.rightClick": Function(_CLICK, _clicks(Button.RIGHT, 1)),
    "pyautogui.middleClick": Function(_CLICK, _clicks(Button.MIDDLE, 1)),
    "pyautogui.moveTo": Function((*_AT, "duration"), _move),
    "pyautogui.dragTo": Function((*_AT, "duration", "tween", "button"), _drag),
    "pyautogui.mouseDown": Function((*_AT, "button"), _mouse(MouseDown)),
    "pyautogui.mouseUp": Function((*_AT, "button"), _mouse(MouseUp)),
    "pyautogui.scroll": Function(("clicks", *_AT), _scroll(Direction.UP, Direction.DOWN)),
    "pyautogui.vscroll": Function(("clicks", *_AT), _scroll(Direction.UP, Direction.DOWN)),
    "pyautogui.hscroll": Function(("clicks", *_AT), _scroll(Direction.RIGHT, Direction.LEFT)),
    "pyautogui.write": Function(("message", "interval"), _write),
    "pyautogui.typewrite": Function(("message", "interval"), _write),
    "pyautogui.press": Function(("keys", "presses", "interval"), _press),
    "pyautogui.hotkey": Function(("interval",), _hotkey, variadic=True),
    "pyautogui.keyDown": Function(("key",), _key(KeyDown)),
    "pyautogui.keyUp": Function(("key",), _key(KeyUp)),
    "pyautogui.sleep": Function(("seconds",), _wait(None)),
    "time.sleep": Function(("seconds",), _wait(None)),
    "computer.wait": Function(("seconds",), _wait(COMPUTER_WAIT)),
    "computer.triple_click": Function(_AT, _clicks(Button.LEFT, 3)),
    "computer.terminate": Function(("status", "answer"), _terminate),
}
"""Every function that code may call."""
