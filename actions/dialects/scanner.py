r"""The tokenizer of `name(key='value', ...)` calls, which knows quotes and escapes.

Escapes are `\'`, `\"`, `\n` and `\\`; any other backslash stands for itself. Models forget to
escape quotes, so a quote ends a string only where a call goes on as a call does: before
`, key=`, or before `)` and the end of the line, the next call or a closing tag. A text with
correct escapes reads the same under both rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from actions.dialects.errors import ParseError

# No group is possessive: before Python 3.11.5 one that fails does not give back what it has read.
_GAP = re.compile(r"(?:[\s;]++|```(?:[A-Za-z]*+(?=\s|\Z))?|Action[ \t]*+[:\uff1a])*")
_HEAD = re.compile(r"([A-Za-z_]\w*+)\s*+\(\s*+")
_KEY = re.compile(r"([A-Za-z_]\w*+)\s*+=\s*+")
_SPACE = re.compile(r"\s*+")
_SPECIAL = re.compile(r"\\.|['\"\n]", re.DOTALL)
_CLOSES = re.compile(
    r"\s*+(?:,\s*+(?:[A-Za-z_]\w*+\s*+=|\))"
    r"|\)(?=[ \t;]*+(?:\Z|[\r\n]|</|```|[A-Za-z_]\w*+\()))"
)
_MAY_CLOSE = re.compile(r"\s*+\)")
_BARE = re.compile(r"[()\[\],\n]")
_ESCAPES = {"\\n": "\n", "\\'": "'", '\\"': '"', "\\\\": "\\"}

EXAMPLE = "an action such as click(start_box='(x,y)')"


@dataclass(frozen=True)
class Value:
    """One argument: its text after unescaping, and where that begins in the source."""

    text: str
    offset: int


@dataclass(frozen=True)
class Call:
    """One call; `offset` is where its name begins, `end` where its last character stands."""

    name: str
    args: Mapping[str, Value]
    offset: int
    end: int


def scan_calls(text: str, start: int) -> tuple[list[Call], int]:
    """All calls from `start` to the end of the text or to a closing tag `</`.

    Between calls may stand white space, code fences, semicolons and further `Action:` labels.

    Returns:
        The calls, and the offset at which reading stopped.

    Raises:
        ParseError: something else stands there.
    """
    calls = []
    position = _skip(_GAP, text, start)
    while position < len(text) and not text.startswith("</", position):
        call = _scan_call(text, position)
        calls.append(call)
        position = _skip(_GAP, text, call.end + 1)
    return calls, position


def escape(text: str) -> str:
    """The text as it stands between single quotes."""
    return text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")


def _skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    """The end of a pattern that may match nothing."""
    match = pattern.match(text, position)
    return match.end() if match else position


def _scan_call(text: str, offset: int) -> Call:
    head = _HEAD.match(text, offset)
    if head is None:
        raise ParseError(EXAMPLE, text, offset)
    args: dict[str, Value] = {}
    position = head.end()
    while not text.startswith(")", position):
        key = _KEY.match(text, position)
        if key is None:
            raise ParseError("an argument such as start_box='...', or )", text, position)
        if key[1] in args:
            raise ParseError(f"the argument {key[1][:40]} only once", text, position)
        args[key[1]], position = _scan_value(text, key.end())
        position = _skip(_SPACE, text, position)
        if text.startswith(",", position):
            position = _skip(_SPACE, text, position + 1)
        elif not text.startswith(")", position):
            raise ParseError(f", or ) after the value of {key[1][:40]}", text, position)
    return Call(head[1], args, offset, position)


def _scan_value(text: str, start: int) -> tuple[Value, int]:
    """A value and the offset behind it."""
    if text[start : start + 1] in ("'", '"'):
        return _scan_string(text, start)
    depth = 0
    for match in _BARE.finditer(text, start):
        char = match[0]
        if char == "\n" or (depth == 0 and char in ",)]"):
            return Value(text[start : match.start()].rstrip(), start), match.start()
        depth += 1 if char in "([" else -1 if char in ")]" else 0
    raise ParseError("a value and )", text, len(text))


def _scan_string(text: str, start: int) -> tuple[Value, int]:
    """A quoted value; `fallback` is the first quote that only a `)` with rubbish behind follows."""
    quote = text[start]
    parts: list[str] = []
    done = start + 1
    fallback: tuple[Value, int] | None = None
    for match in _SPECIAL.finditer(text, start + 1):
        found = match[0]
        if found in _ESCAPES:
            parts += (text[done : match.start()], _ESCAPES[found])
            done = match.end()
        elif found == "\n" and fallback:
            return fallback
        elif found == quote:
            closes = _CLOSES.match(text, match.end())
            if closes or (fallback is None and _MAY_CLOSE.match(text, match.end())):
                value = Value("".join(parts) + text[done : match.start()], start + 1)
                if closes:
                    return value, match.end()
                fallback = value, match.end()
    if fallback:
        return fallback
    raise ParseError(f"a closing {quote} and )", text, len(text))
