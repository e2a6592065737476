"""Key names: one canonical spelling for every key, whatever a model or a toolkit calls it.

Canonical names are lowercase: the members of `NAMED` and every single character that is not white
space (letters in lower case; Shift is a key of its own). `UnknownKeyError` is a `ValueError`.
"""

from __future__ import annotations

from difflib import get_close_matches

MODIFIERS = frozenset({"ctrl", "shift", "alt", "super"})
"""Keys that change the meaning of the key pressed with them."""

NAMED = MODIFIERS | {
    *("enter", "esc", "tab", "space", "backspace", "delete", "insert"),
    *("up", "down", "left", "right", "home", "end", "pageup", "pagedown"),
    *("capslock", "numlock", "scrolllock", "printscreen", "pause", "menu"),
    *(f"f{number}" for number in range(1, 25)),
}
"""Every canonical name that is longer than one character."""

SYNONYMS = {
    **dict.fromkeys(("return", "newline", "kpenter", "numpadenter"), "enter"),
    **dict.fromkeys(("escape",), "esc"),
    **dict.fromkeys(("spacebar",), "space"),
    **dict.fromkeys(("bksp", "backspc"), "backspace"),
    **dict.fromkeys(("del", "forwarddelete"), "delete"),
    **dict.fromkeys(("ins",), "insert"),
    **dict.fromkeys(("pgup", "prior"), "pageup"),
    **dict.fromkeys(("pgdn", "pgdown", "next"), "pagedown"),
    **dict.fromkeys(("caps",), "capslock"),
    **dict.fromkeys(("print", "prtsc", "prtscr", "prtscn", "prntscrn"), "printscreen"),
    **dict.fromkeys(("apps", "contextmenu"), "menu"),
    **dict.fromkeys(("break",), "pause"),
    **dict.fromkeys(("control", "ctl"), "ctrl"),
    **dict.fromkeys(("option", "opt", "altgr"), "alt"),
    **dict.fromkeys(("cmd", "command", "win", "windows", "meta", "gui"), "super"),
    **{f"arrow{way}": way for way in ("up", "down", "left", "right")},
    **{f"{way}arrow": way for way in ("up", "down", "left", "right")},
    **{f"{key}{side}": key for key in MODIFIERS for side in ("left", "right")},
    **{f"control{side}": "ctrl" for side in ("left", "right", "l", "r")},
    **{f"{key}{side}": key for key in MODIFIERS for side in ("l", "r")},
    **{f"{name}{side}": "super" for name in ("win", "meta") for side in ("left", "right")},
    **{"plus": "+", "minus": "-", "hyphen": "-", "equal": "=", "equals": "=", "underscore": "_"},
    **{"comma": ",", "period": ".", "dot": ".", "slash": "/", "backslash": "\\"},
    **{"semicolon": ";", "colon": ":", "apostrophe": "'", "quote": "'", "asterisk": "*"},
    **{"grave": "`", "backtick": "`", "bracketleft": "[", "bracketright": "]"},
}
"""Other spellings -> canonical name, without separators."""

_WHITE_SPACE = {" ": "space", "\n": "enter", "\r": "enter", "\t": "tab", "\b": "backspace"}


class UnknownKeyError(ValueError):
    """No key has this name."""


def canonical(name: str) -> str:
    """The canonical name of a key.

    Upper case, and `_`, `-` or blanks inside a name, do not matter: `Page_Down` is `pagedown`.

    Raises:
        UnknownKeyError: no key is called so; the message offers names that are spelled alike.
    """
    if len(name) == 1:
        return _character(name)
    plain = name.strip().lower()
    if len(plain) == 1:
        return _character(plain)
    plain = plain.translate(str.maketrans("", "", "_- "))
    if plain in NAMED:
        return plain
    if plain in SYNONYMS:
        return SYNONYMS[plain]
    near = get_close_matches(plain[:40], sorted(NAMED | SYNONYMS.keys()), n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UnknownKeyError(
        f"expected a key name such as enter, ctrl, f5 or a single character, "
        f"actually: {name[:40]!r}{hint}"
    )


def _character(char: str) -> str:
    """The name of the key that writes this character."""
    if char in _WHITE_SPACE:
        return _WHITE_SPACE[char]
    if not char.isprintable() or char.isspace():
        raise UnknownKeyError(f"expected a printable character, actually: {char!r}")
    lower = char.lower()
    return lower if len(lower) == 1 else char
