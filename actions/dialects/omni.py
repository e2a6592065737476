"""The dialect of UI-TARS-2's omni agents: thinking, then a computer block or an answer.

    <think>...</think>
    <computer_env>
    Action: click(point='<point>x y</point>')
    </computer_env>

`<answer>` holds plain text and ends the run; it becomes `Finished`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from actions.dialects.base import Dialect
from actions.dialects.errors import ParseError
from actions.dialects.forms import read_actions
from actions.dialects.labels import thought
from actions.dialects.scanner import Call, Value, scan_calls
from actions.dialects.seed import end_of_thinking, skip_space
from actions.dialects.uitars import POINT_TAGS, write_calls
from actions.space import Finished, Step

_BLOCK = re.compile(r"<(computer_env|answer|code_env|mcp_env)>")
_EXPECTED = "<computer_env> or <answer> (there is no code_env or mcp_env here)"


@dataclass(frozen=True)
class Omni(Dialect):
    """Thought tags, then computer blocks and at most one answer."""

    def parse(self, text: str) -> Step:
        """See `Dialect.parse`."""
        first = _BLOCK.search(text, end_of_thinking(text))
        if first is None:
            raise ParseError(_EXPECTED, text, len(text))
        calls: list[Call] = []
        position = first.start()
        while position < len(text):
            position = _scan_block(text, position, calls)
        actions = read_actions(calls, text, self.extent, first.end())
        return Step(thought(text[: first.start()]), actions)

    def write(self, step: Step) -> str:
        """See `Dialect.write`."""
        parts = [f"<think>{step.thought}</think>"] if step.thought else []
        last = step.actions[-1]
        acting = step.actions[:-1] if isinstance(last, Finished) else step.actions
        if acting:
            calls = write_calls(acting, self.extent, POINT_TAGS)
            parts.append(f"<computer_env>\nAction: {calls}\n</computer_env>")
        if isinstance(last, Finished):
            parts.append(f"<answer>\n{last.text}\n</answer>")
        return "\n".join(parts)


def _scan_block(text: str, position: int, calls: list[Call]) -> int:
    """Add the calls of one block; the offset of what follows it."""
    head = _BLOCK.match(text, position)
    if head is None or head[1] in ("code_env", "mcp_env"):
        raise ParseError(_EXPECTED, text, position)
    closing = f"</{head[1]}>"
    if head[1] == "computer_env":
        found, end = scan_calls(text, head.end())
        calls += found
    else:
        end = text.find(closing, head.end())
        end = len(text) if end < 0 else end
        calls.append(_answer(text, head.start(), head.end(), end))
    if not text.startswith(closing, end):
        raise ParseError(closing, text, end)
    return skip_space(text, end + len(closing))


def _answer(text: str, offset: int, start: int, end: int) -> Call:
    """An answer as the call of `finished`; the newlines next to its tags are not part of it."""
    content = text[start:end].removeprefix("\n").removesuffix("\n")
    return Call("finished", {"content": Value(content, start)}, offset, end)
