"""The grammar of a dialect, for constrained decoding with `llguidance`.

Whatever a model writes under the grammar is read by the dialect's parser: coordinates lie in
0..1000, strings are escaped, keys exist, and nothing follows an action that ends the run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from actions.code_grammar import CODE_KINDS, code_grammar
from actions.codec import NAMES
from actions.dialects import find
from actions.dialects.opencua import OpenCua
from actions.dialects.phrases import spell_key
from actions.dialects.scanner import escape
from actions.dialects.uitars import Notation, UiTars
from actions.grammar_rules import choice, quote, sequence
from actions.keys import NAMED
from actions.space import (
    Action,
    CallUser,
    Click,
    Direction,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NavigateBack,
    OpenApp,
    OpenComputer,
    PressBack,
    PressHome,
    Scroll,
    Select,
    Swipe,
    Type,
    Wait,
)
from vision.geometry import THOUSAND, UNIT


class GrammarError(ValueError):
    """There is no grammar for this dialect or these actions."""


# A thought ends at the first line `Action: `. Its later lines begin neither with white space nor
# with "Ac", so that no line before can be taken for that label.
_LINE = r"([^\sA][^\n]*|A([^c\n][^\n]*)?)?"
_TERMINALS = rf"""
THOUGHT: /Thought: [^\n]+(\n{_LINE})*\nAction: /
NUMBER: /0|[1-9][0-9]{{0,2}}|1000/
SECONDS: /(0|[1-9][0-9]{{0,2}})(\.[0-9])?/
TEXT: /([^\\'\x00-\x08\x0a-\x1f\x7f-\x9f]|\\[\\'"n])+/
"""


def lark_grammar(
    dialect: str,
    kinds: Iterable[type[Action]],
    *,
    brief: bool = False,
    special: bool = False,
) -> str:
    """The grammar of one step, in the Lark notation that llguidance reads.

    A step is an optional thought and one or more actions of these kinds.

    Args:
        dialect: `uitars`, `uitars-box` or `opencua`.
        kinds: the classes of action that may be written; those that the dialect has no words for
            are left out.
        brief: whether a step is one action without a thought.
        special: whether box tokens are special tokens of the vocabulary; else they are text.

    Raises:
        GrammarError: another dialect, or no kinds.
    """
    spoken = find(dialect)
    if isinstance(spoken, OpenCua) and spoken.extent == UNIT:
        return code_grammar(_some(CODE_KINDS.intersection(kinds)), brief)
    if not isinstance(spoken, UiTars) or spoken.extent != THOUSAND:
        raise GrammarError(f"expected uitars, uitars-box or opencua, actually: {dialect!r}")
    wanted = sorted(_some(frozenset(kinds)), key=NAMES.__getitem__)
    words = _Words(spoken.notation, special)
    rules = [f"{NAMES[kind]}: {_RULES[kind](words)}" for kind in wanted]
    return "\n".join(
        (
            "%llguidance {}",
            'start: "Action: " body' if brief else 'start: (THOUGHT | "Action: ") body',
            *sequence(wanted, r"\n\n", single=brief),
            *rules,
            'keys: KEY (" " KEY)? (" " KEY)?',
            f"KEY: {choice(_KEYS)}",
            f"direction: {choice(Direction)}",
            'button: "right" | "middle"',
            _TERMINALS,
        )
    )


def _some(kinds: frozenset[type[Action]]) -> frozenset[type[Action]]:
    if not kinds:
        raise GrammarError("expected at least one kind of action, actually: none")
    return kinds


_KEYS = (
    *sorted(NAMED),
    *(escape(spell_key(chr(c))) for c in range(0x21, 0x7F) if not chr(c).isupper()),
)


_PARTS = re.compile(r"(\{[xy]\}|<\|\w+\|>)")


class _Words:
    """Right-hand sides of rules in one notation."""

    def __init__(self, notation: Notation, special: bool) -> None:
        parts = [part for part in _PARTS.split(notation.template) if part]
        numbers = " ".join(
            "NUMBER"
            if part in ("{x}", "{y}")
            else part
            if special and part.startswith("<|")
            else quote(part)
            for part in parts
        )
        self.notation = notation
        self.values = {
            **dict.fromkeys(("start", "end"), numbers),
            **dict.fromkeys(("content", "name"), "TEXT"),
            **{"key": "keys", "one_key": "KEY", "time": "SECONDS"},
            **{"direction": "direction", "button": "button"},
        }

    def call(self, name: str, *roles: str) -> str:
        """`name(role='value', ...)`; a role that ends in `?` may be left out."""
        parts = [quote(f"{name}(")]
        first = True
        for role in roles:
            bare = role.rstrip("?")
            key = self.notation.argument("key" if bare == "one_key" else bare, dict.fromkeys(roles))
            argument = f"{quote(f'{key}=' + chr(39))} {self.values[bare]} {quote(chr(39))}"
            comma = "" if first else f"{quote(', ')} "
            parts.append(f"({comma}{argument})?" if role.endswith("?") else comma + argument)
            first = False
        return " ".join((*parts, quote(")")))

    def calls(self, *options: tuple[str, ...]) -> str:
        """Any of several calls."""
        return " | ".join(self.call(*option) for option in options)


def _plain(name: str, *roles: str) -> Callable[[_Words], str]:
    return lambda words: words.call(name, *roles)


def _clicks(words: _Words) -> str:
    names = ("click", "left_double", "right_single", "middle_click")
    return words.calls(*((name, "start") for name in names))


def _button(name: str) -> Callable[[_Words], str]:
    """The left button goes without saying, and so does the place of the pointer."""
    return lambda words: words.calls(
        (name,), (name, "start"), (name, "button"), (name, "start", "button")
    )


def _with_place(name: str, role: str) -> Callable[[_Words], str]:
    """A call with an optional point."""
    pair = (role, "start") if name == "type" else ("start", role)
    return lambda words: words.calls((name, role), (name, *pair))


_RULES: dict[type[Action], Callable[[_Words], str]] = {
    Click: _clicks,
    LongPress: _plain("long_press", "start", "time?"),
    Drag: _plain("drag", "start", "end"),
    Swipe: _plain("swipe", "start", "end"),
    Move: _plain("move_to", "start"),
    MouseDown: _button("mouse_down"),
    MouseUp: _button("mouse_up"),
    Scroll: _with_place("scroll", "direction"),
    Type: _with_place("type", "content"),
    Select: _plain("select", "start", "content?"),
    Hotkey: _plain("hotkey", "key"),
    KeyDown: _plain("press", "one_key"),
    KeyUp: _plain("release", "one_key"),
    Wait: _plain("wait", "time?"),
    Navigate: _plain("navigate", "content"),
    NavigateBack: _plain("navigate_back"),
    OpenApp: _plain("open_app", "name"),
    OpenComputer: _plain("open_computer"),
    PressHome: _plain("press_home"),
    PressBack: _plain("press_back"),
    Finished: _plain("finished", "content?"),
    CallUser: _plain("call_user", "content?"),
}
"""The right-hand side of each action's rule."""
