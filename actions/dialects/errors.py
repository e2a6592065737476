"""The errors of the dialects.

ValueError
├── DialectError          no dialect has this name
├── ParseError            a text is not a step: what was expected, where, what stood there
└── RenderError           a dialect has no words for a step
"""

from __future__ import annotations

_EXCERPT = 40
"""How many characters of the model's text an error message shows."""


class DialectError(ValueError):
    """No dialect has this name."""


class ParseError(ValueError):
    """A text is not a step. The message is written for the model that wrote the text.

    Attributes:
        expected: what should have stood at the offset.
        offset: where, in characters from the start of the text.
        found: what stood there (quoted, shortened), or `the end of the text`.
    """

    def __init__(self, expected: str, text: str, offset: int) -> None:
        excerpt = text[offset : offset + _EXCERPT]
        self.expected = expected
        self.offset = offset
        self.found = repr(excerpt) if excerpt else "the end of the text"
        super().__init__(f"expected {expected} at character {offset}, found {self.found}")


class RenderError(ValueError):
    """A dialect has no words for a step; the message says which part and why."""
