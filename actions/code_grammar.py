"""The grammar of the dialect `opencua`: pyautogui code with coordinates in 0..1.

What is written under it is read back by `actions.dialects.code_reader`: one fenced block, listed
calls only, every string closed, nothing behind a call that ends the run.
"""

from __future__ import annotations

from collections.abc import Collection

from actions.codec import NAMES
from actions.dialects.code_writer import string_literal
from actions.grammar_rules import choice, sequence
from actions.keys import NAMED
from actions.space import (
    Action,
    CallUser,
    Click,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Scroll,
    Type,
    Wait,
)

CODE_CLOSERS = (
    *("\n\n## Code:\n```python\n", "```", "')", "'", ")", ", ", "y=0"),
    *("computer.wait()", "computer.terminate(status='failure'"),
)
"""What brings a step nearer to its end, best first; see `agent.model.constraint.CLOSERS`."""

_AT = '"x=" UNIT ", y=" UNIT'
_BUTTON = '"button=\'" BUTTON "\'"'


def _click(function: str) -> str:
    return f'"{function}(" {_AT} ")"'


def _mouse(function: str) -> str:
    return f'"pyautogui.{function}(" ({_AT} ", ")? {_BUTTON} ")"'


def _terminate(status: str) -> str:
    return f'"computer.terminate(status=\'{status}\'" (", answer=" STRING)? ")"'


# Every literal ends where another one may begin: the lexer takes the longest and never goes back.
_RULES: dict[type[Action], str] = {
    Click: " | ".join(
        (
            *map(_click, ("pyautogui.click", "pyautogui.doubleClick", "pyautogui.rightClick")),
            *map(_click, ("pyautogui.middleClick", "computer.triple_click")),
            f'"pyautogui.click(" {_AT} ", clicks=" /[1-3]/ ", " {_BUTTON} ")"',
        )
    ),
    Drag: f'"pyautogui.moveTo(" {_AT} ")" "\\n" "pyautogui.dragTo(" {_AT} ", " {_BUTTON} ")"',
    Move: _click("pyautogui.moveTo"),
    MouseDown: _mouse("mouseDown"),
    MouseUp: _mouse("mouseUp"),
    Scroll: f'("pyautogui.scroll(" | "pyautogui.hscroll(") /-?[1-9][0-9]{{0,2}}/ (", " {_AT})? ")"',
    Type: '"pyautogui.write(message=" STRING ")"',
    Hotkey: '"pyautogui.press(" KEY ")" | "pyautogui.hotkey(" KEY ", " KEY (", " KEY)? ")"',
    KeyDown: '"pyautogui.keyDown(" KEY ")"',
    KeyUp: '"pyautogui.keyUp(" KEY ")"',
    Wait: '"computer.wait()" | "time.sleep(" SECONDS ")"',
    Finished: _terminate("success"),
    CallUser: _terminate("failure"),
}
"""The right-hand side of each action's rule; pyautogui has no words for the others."""

CODE_KINDS = frozenset(_RULES)
"""The classes of action that this dialect can write."""

# Back quotes stand in the fence only, so that no word before it can open a block of its own.
_HEAD = r"HEAD: /([^`]+\n)?## Code:\n/"
_STRING = r"STRING: /'([^\\'`\x00-\x1f\x7f-\x9f]|\\[\\'nt]|\\x60)+'/"
_KEYS = (*sorted(NAMED), *(chr(c) for c in range(0x21, 0x7F) if not chr(c).isupper()))
_TERMINALS = (
    _HEAD,
    r"UNIT: /0(\.[0-9]{1,4})?|1(\.0)?/",
    r"SECONDS: /(0|[1-9][0-9]{0,2})(\.[0-9])?/",
    'BUTTON: "left" | "right" | "middle"',
    _STRING,
    f"KEY: {choice(map(string_literal, _KEYS))}",
)


def code_grammar(kinds: Collection[type[Action]], brief: bool) -> str:
    """The grammar of one step; see `actions.grammar.lark_grammar`.

    Args:
        kinds: at least one, all of `CODE_KINDS`.
        brief: whether a step is one action without a thought.
    """
    wanted = sorted(kinds, key=NAMES.__getitem__)
    head = '"## Code:\\n"' if brief else "HEAD"
    return "\n".join(
        (
            "%llguidance {}",
            f'start: {head} "```python\\n" body "\\n```"',
            *sequence(wanted, "\\n", single=brief),
            *(f"{NAMES[kind]}: {_RULES[kind]}" for kind in wanted),
            *_TERMINALS,
        )
    )
