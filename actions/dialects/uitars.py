"""The label dialects of UI-TARS: `Thought: ...` and `Action: click(start_box='(x,y)')`.

They read every notation of the family and differ in what they write and in their extent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from actions.dialects.base import Dialect
from actions.dialects.errors import ParseError
from actions.dialects.forms import NAMES, read_actions
from actions.dialects.labels import split
from actions.dialects.phrases import Phrase, phrase
from actions.dialects.points import write_number
from actions.dialects.scanner import escape, scan_calls
from actions.space import Action, Step
from vision.geometry import Point, Size


class Notation(NamedTuple):
    """How points are written: a template of x and y, and the argument names.

    Attributes:
        template: a format string with {x} and {y}.
        single: the argument of the only point of a call.
        start: the first of two points.
        end: the second of two points.
    """

    template: str
    single: str
    start: str
    end: str

    def point(self, point: Point) -> str:
        """One point as text."""
        return self.template.format(x=write_number(point.x), y=write_number(point.y))

    def argument(self, role: str, args: Mapping[str, object]) -> str:
        """How the argument of that role is called among these arguments."""
        if role == "start":
            return self.start if "end" in args else self.single
        return {"end": self.end, "name": "app_name"}.get(role, role)


PARENTHESES = Notation("({x},{y})", "start_box", "start_box", "end_box")
BOX_TOKENS = Notation("<|box_start|>({x},{y})<|box_end|>", "start_box", "start_box", "end_box")
POINT_TAGS = Notation("<point>{x} {y}</point>", "point", "start_point", "end_point")


@dataclass(frozen=True)
class UiTars(Dialect):
    """`Thought:` and `Action:` with one call per paragraph.

    Attributes:
        notation: how it writes points.
    """

    notation: Notation

    def parse(self, text: str) -> Step:
        """See `Dialect.parse`."""
        thought, start = split(text, NAMES)
        calls, end = scan_calls(text, start)
        if text[end:].strip() not in ("", "</Output>"):
            raise ParseError("another action or the end of the text", text, end)
        return Step(thought, read_actions(calls, text, self.extent, start))

    def write(self, step: Step) -> str:
        """See `Dialect.write`."""
        head = f"Thought: {step.thought}\n" if step.thought else ""
        return f"{head}Action: {write_calls(step.actions, self.extent, self.notation)}"


def write_calls(actions: tuple[Action, ...], extent: Size | None, notation: Notation) -> str:
    """The calls of these actions, separated by blank lines."""
    return "\n\n".join(_write_call(phrase(action, extent), notation) for action in actions)


def _write_call(phrase: Phrase, notation: Notation) -> str:
    args = ", ".join(
        f"{notation.argument(role, phrase.args)}="
        f"'{notation.point(value) if isinstance(value, Point) else escape(value)}'"
        for role, value in phrase.args.items()
    )
    return f"{phrase.name}({args})"
