"""Splits a reply of the UI-TARS family into its thought and the place where its actions begin.

Labels are split before any argument is read, so nothing inside a quoted value can be a label.
The actions begin behind the first `Action:` at the start of a line that a call follows; if there
is none, behind the first one anywhere; if there is none, at the first line that starts with the
call of a known action. The colon may be full-width.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from actions.dialects.errors import ParseError
from actions.dialects.scanner import EXAMPLE

_LABEL = r"Action[ \t]*+[:\uff1a]"
# Plain `?`: before Python 3.11.5 a possessive group that fails does not give back what it has read.
_CALL = r"\s*+(?:```(?:[A-Za-z]*+[ \t]*+\n)?)?\s*+[A-Za-z_]\w*+\s*+\("
_LINE = re.compile(rf"^[ \t]*+(?P<label>{_LABEL})(?={_CALL})", re.MULTILINE)
_INLINE = re.compile(rf"(?<!\w)(?P<label>{_LABEL})(?={_CALL})")
_ANY = re.compile(rf"(?<!\w){_LABEL}[ \t]*+")

_MARKS = re.compile(
    r"^[ \t]*+(?:Thought|Reflection|Action_Summary)[ \t]*+[:\uff1a]"
    r"|^[ \t]*+<(?:Thought|think\w*+|Output)>"
    r"|</(?:Thought|think\w*+|Output)>[ \t]*+$",
    re.MULTILINE,
)
_OPENING_FENCE = re.compile(r"\A\s*+```[A-Za-z]*+[ \t]*+(?:\n|\Z)")
_LAST_FENCE = re.compile(r"\n[ \t]*+```[A-Za-z]*+\s*+\Z")


def split(text: str, names: Iterable[str]) -> tuple[str, int]:
    """The thought of a reply, and the offset at which its first action begins.

    Args:
        text: the whole reply.
        names: action names that may begin a line without a label.

    Raises:
        ParseError: there is no action.
    """
    label = _LINE.search(text) or _INLINE.search(text)
    if label is not None:
        return thought(text[: label.start("label")]), label.end()
    bare = re.compile(rf"^[ \t]*+(?:{'|'.join(names)})\s*+\(", re.MULTILINE).search(text)
    if bare is not None:
        return thought(text[: bare.start()]), bare.start()
    empty = _ANY.search(text)
    if empty is not None:
        raise ParseError(EXAMPLE, text, empty.end())
    raise ParseError(f"a line 'Action: ...' with {EXAMPLE}", text, len(text))


def thought(head: str) -> str:
    """What the model thought: the text before its actions without labels, tags and fences.

    Several labelled parts (reflection, summary) are joined by newlines.
    """
    head = _LAST_FENCE.sub("", _OPENING_FENCE.sub("", head))
    parts = (part.strip() for part in _MARKS.split(head))
    return "\n".join(part for part in parts if part)
