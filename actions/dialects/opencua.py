"""The dialect of OpenCUA and Kimi-VL: pyautogui code, read as a syntax tree and never run.

    ## Thought:
    ...
    ## Code:
    ```python
    pyautogui.click(x=0.5, y=0.25)
    ```

The last fenced block counts. Coordinates are 0..1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from actions.dialects.base import Dialect
from actions.dialects.code_reader import CodeReader
from actions.dialects.code_writer import write_code
from actions.dialects.errors import ParseError
from actions.space import Step

_FENCE = re.compile(r"```[A-Za-z]*+[ \t]*+\n(?P<code>.*?)\n?```", re.DOTALL)
_HEADINGS = re.compile(
    r"^[ \t]*+(?:#++[ \t]*+)?(?:Thought|Action|Code|Step \d++)[ \t]*+[:\uff1a][ \t]*+", re.MULTILINE
)
_BARE_CODE = re.compile(r"^(?:import[ ]|pyautogui\.|computer\.|time\.)", re.MULTILINE)


@dataclass(frozen=True)
class OpenCua(Dialect):
    """Markdown headings and one block of pyautogui code."""

    def parse(self, text: str) -> Step:
        """See `Dialect.parse`."""
        head, start, end = _split(text)
        actions = CodeReader(text, start, end, self.extent).read()
        parts = (part.strip() for part in _HEADINGS.split(head))
        return Step("\n".join(part for part in parts if part), actions)

    def write(self, step: Step) -> str:
        """See `Dialect.write`."""
        head = f"## Thought:\n{step.thought}\n\n" if step.thought else ""
        code = "\n".join(write_code(action, self.extent) for action in step.actions)
        return f"{head}## Code:\n```python\n{code}\n```"


def _split(text: str) -> tuple[str, int, int]:
    """The words before the code, and where the code begins and ends."""
    fences = list(_FENCE.finditer(text))
    if not fences:
        code = _BARE_CODE.search(text)
        if code is None:
            raise ParseError("a fenced block of pyautogui code", text, len(text))
        return text[: code.start()], code.start(), len(text)
    last = fences[-1]
    if text[last.end() :].strip():
        raise ParseError("the end of the text behind the code", text, last.end())
    return text[: last.start()], last.start("code"), last.end("code")
