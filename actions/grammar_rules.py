"""Pieces that the grammars of all dialects have in common, in llguidance's Lark notation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from actions.codec import NAMES
from actions.space import ENDING, Action


def quote(text: str) -> str:
    """A string literal."""
    return json.dumps(text)


def choice(words: Iterable[str]) -> str:
    """Any of several fixed texts."""
    return " | ".join(quote(word) for word in words)


def sequence(kinds: Sequence[type[Action]], separator: str, single: bool) -> list[str]:
    """The rules of `body`: actions one after the other; one that ends the run can only be last.

    Args:
        kinds: what may be written, by the names of their own rules; at least one.
        separator: what stands between two actions, as the inside of a string literal.
        single: whether there is exactly one action.
    """
    if single:
        return [f"body: {_any(kinds)}"]
    acting = [kind for kind in kinds if kind not in ENDING]
    ending = [kind for kind in kinds if kind in ENDING]
    if not acting:
        return [f"body: {_any(ending)}"]
    end = f' ("{separator}" ending)? | ending' if ending else ""
    rules = [f"acting: {_any(acting)}", f'body: acting ("{separator}" acting)*{end}']
    return [*rules, f"ending: {_any(ending)}"] if ending else rules


def _any(kinds: Sequence[type[Action]]) -> str:
    return " | ".join(NAMES[kind] for kind in kinds)
