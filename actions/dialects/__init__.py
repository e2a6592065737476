"""Text dialects: how a model writes actions, and how we read them without ever running them.

parse(text, "uitars") -> Step          ParseError when the text is not a step
render(step, "uitars") -> str          RenderError when the dialect has no words for it
"""

from __future__ import annotations

from actions.dialects.base import Dialect
from actions.dialects.errors import DialectError, ParseError, RenderError
from actions.dialects.omni import Omni
from actions.dialects.opencua import OpenCua
from actions.dialects.seed import Seed
from actions.dialects.uitars import BOX_TOKENS, PARENTHESES, POINT_TAGS, UiTars
from actions.space import Step
from vision.geometry import THOUSAND, UNIT

__all__ = ["DIALECTS", "Dialect", "DialectError", "ParseError", "RenderError", "find", "parse"]
__all__ += ["render"]

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        UiTars("uitars", THOUSAND, PARENTHESES),
        UiTars("uitars-box", THOUSAND, BOX_TOKENS),
        UiTars("uitars-point", THOUSAND, POINT_TAGS),
        UiTars("uitars-absolute", None, PARENTHESES),
        Seed("uitars-xml", THOUSAND),
        Omni("uitars-omni", THOUSAND),
        OpenCua("opencua", UNIT),
        OpenCua("opencua-absolute", None),
    )
}
"""Every dialect by its name."""


def find(name: str) -> Dialect:
    """The dialect of that name.

    Raises:
        DialectError: there is none; the message lists the names.
    """
    if name not in DIALECTS:
        raise DialectError(f"expected a dialect of {', '.join(DIALECTS)}, actually: {name!r}")
    return DIALECTS[name]


def parse(text: str, dialect: str = "uitars") -> Step:
    """The step that a model wrote in a dialect, points in that dialect's own coordinates.

    Raises:
        ParseError: the text is not a step; the message can be shown to the model.
        DialectError: no dialect has this name.
    """
    return find(dialect).parse(text)


def render(step: Step, dialect: str = "uitars") -> str:
    """The text of a step in a dialect; parsing it gives an equal step.

    Raises:
        RenderError: the dialect has no words for the step.
        DialectError: no dialect has this name.
    """
    return find(dialect).render(step)
