"""The function-call dialect of UI-TARS-2 and Seed models.

    <think>...</think>
    <seed:tool_call>
    <function=click>
    <parameter=point><point>x y</point></parameter>
    </function>
    </seed:tool_call>

It only looks like XML: values are raw text up to `</parameter>`, without entities or escapes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from actions.dialects.base import Dialect
from actions.dialects.errors import ParseError
from actions.dialects.forms import read_actions
from actions.dialects.labels import thought
from actions.dialects.phrases import phrase
from actions.dialects.scanner import Call, Value
from actions.dialects.uitars import POINT_TAGS
from actions.space import Action, Step
from vision.geometry import Point

_OPEN, _CLOSE = "<seed:tool_call>", "</seed:tool_call>"
_SPACE = re.compile(r"\s*+")
_FUNCTION = re.compile(r"<function(?:=|\s++name=)\"?(\w++)\"?\s*+>")
_PARAMETER = re.compile(r"<parameter(?:=|\s++name=)\"?(\w++)\"?[^<>]*+>")
_THINK = re.compile(r"\s*+<(think\w*+)>")
_END_PARAMETER, _END_FUNCTION = "</parameter>", "</function>"


@dataclass(frozen=True)
class Seed(Dialect):
    """Thought tags, then functions in tool-call blocks."""

    def parse(self, text: str) -> Step:
        """See `Dialect.parse`."""
        start = text.find(_OPEN, end_of_thinking(text))
        if start < 0:
            raise ParseError(f"{_OPEN} with a function", text, len(text))
        calls: list[Call] = []
        position = start
        while position < len(text):
            if not text.startswith(_OPEN, position):
                raise ParseError(f"{_OPEN} or the end of the text", text, position)
            position = _scan_block(text, position + len(_OPEN), calls)
        actions = read_actions(calls, text, self.extent, start + len(_OPEN))
        return Step(thought(text[:start]), actions)

    def write(self, step: Step) -> str:
        """See `Dialect.write`."""
        head = f"<think>{step.thought}</think>\n" if step.thought else ""
        functions = "\n".join(self._write_function(action) for action in step.actions)
        return f"{head}{_OPEN}\n{functions}\n{_CLOSE}"

    def _write_function(self, action: Action) -> str:
        name, args = phrase(action, self.extent)
        lines = "".join(
            f"<parameter={POINT_TAGS.argument(role, args)}>"
            f"{POINT_TAGS.point(value) if isinstance(value, Point) else value}</parameter>\n"
            for role, value in args.items()
        )
        return f"<function={name}>\n{lines}</function>"


def end_of_thinking(text: str) -> int:
    """Where the `<think...>` block that a reply begins with is closed; 0 when there is none."""
    opening = _THINK.match(text)
    if opening is None:
        return 0
    return max(text.find(f"</{opening[1]}>", opening.end()), opening.end())


def _scan_block(text: str, position: int, calls: list[Call]) -> int:
    """Add the functions of one block; the offset of what follows it."""
    position = skip_space(text, position)
    while not text.startswith(_CLOSE, position):
        call = _scan_function(text, position)
        calls.append(call)
        position = skip_space(text, call.end + len(_END_FUNCTION))
    return skip_space(text, position + len(_CLOSE))


def _scan_function(text: str, offset: int) -> Call:
    """One function; `end` is where its closing tag begins."""
    head = _FUNCTION.match(text, offset)
    if head is None:
        raise ParseError(f"<function=NAME> or {_CLOSE}", text, offset)
    args: dict[str, Value] = {}
    position = skip_space(text, head.end())
    while not text.startswith(_END_FUNCTION, position):
        key = _PARAMETER.match(text, position)
        if key is None:
            raise ParseError(f"<parameter=NAME> or {_END_FUNCTION}", text, position)
        if key[1] in args:
            raise ParseError(f"the parameter {key[1][:40]} only once", text, position)
        end = text.find(_END_PARAMETER, key.end())
        if end < 0:
            raise ParseError(_END_PARAMETER, text, len(text))
        args[key[1]] = Value(text[key.end() : end], key.end())
        position = skip_space(text, end + len(_END_PARAMETER))
    return Call(head[1], args, offset, position)


def skip_space(text: str, position: int) -> int:
    """Where the white space that begins here ends."""
    match = _SPACE.match(text, position)
    return match.end() if match else position
