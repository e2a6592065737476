"""The keyboard of a page: what a US keyboard reports to the DOM for each key and character."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from actions.backends.base import known_key

ALT, CTRL, META, SHIFT = 1, 2, 4, 8
"""The protocol's bits for modifiers that are down."""

MODIFIER_BITS = {"alt": ALT, "ctrl": CTRL, "super": META, "shift": SHIFT}


@dataclass(frozen=True)
class PageKey:
    """One key as KeyboardEvent describes it.

    Attributes:
        key: what it means, such as "Enter" or "a".
        code: where it is, such as "KeyA"; empty when no US keyboard has it.
        number: the Windows virtual-key code, 0 when there is none.
        text: what it writes, empty when nothing.
        shift: whether a person would need Shift for it.
    """

    key: str
    code: str
    number: int
    text: str = ""
    shift: bool = False

    def params(self, modifiers: int) -> dict[str, Any]:
        """Parameters of Input.dispatchKeyEvent that press and release have in common."""
        return {
            "key": self.key,
            "code": self.code,
            "windowsVirtualKeyCode": self.number,
            "modifiers": modifiers | (SHIFT if self.shift else 0),
        }


_NAMED = {
    "enter": PageKey("Enter", "Enter", 13, "\r"),
    "space": PageKey(" ", "Space", 32, " "),
    "esc": PageKey("Escape", "Escape", 27),
    "tab": PageKey("Tab", "Tab", 9),
    "backspace": PageKey("Backspace", "Backspace", 8),
    "delete": PageKey("Delete", "Delete", 46),
    "insert": PageKey("Insert", "Insert", 45),
    "left": PageKey("ArrowLeft", "ArrowLeft", 37),
    "up": PageKey("ArrowUp", "ArrowUp", 38),
    "right": PageKey("ArrowRight", "ArrowRight", 39),
    "down": PageKey("ArrowDown", "ArrowDown", 40),
    "home": PageKey("Home", "Home", 36),
    "end": PageKey("End", "End", 35),
    "pageup": PageKey("PageUp", "PageUp", 33),
    "pagedown": PageKey("PageDown", "PageDown", 34),
    "capslock": PageKey("CapsLock", "CapsLock", 20),
    "numlock": PageKey("NumLock", "NumLock", 144),
    "scrolllock": PageKey("ScrollLock", "ScrollLock", 145),
    "printscreen": PageKey("PrintScreen", "PrintScreen", 44),
    "pause": PageKey("Pause", "Pause", 19),
    "menu": PageKey("ContextMenu", "ContextMenu", 93),
    "ctrl": PageKey("Control", "ControlLeft", 17),
    "shift": PageKey("Shift", "ShiftLeft", 16),
    "alt": PageKey("Alt", "AltLeft", 18),
    "super": PageKey("Meta", "MetaLeft", 91),
    **{f"f{n}": PageKey(f"F{n}", f"F{n}", 111 + n) for n in range(1, 25)},
}

# plain character, the same key with Shift, code, virtual-key code
_PRINTABLE = (
    *((c, c.upper(), f"Key{c.upper()}", ord(c.upper())) for c in "abcdefghijklmnopqrstuvwxyz"),
    *((c, s, f"Digit{c}", ord(c)) for c, s in zip("0123456789", ")!@#$%^&*(", strict=True)),
    *(("`", "~", "Backquote", 192), ("-", "_", "Minus", 189), ("=", "+", "Equal", 187)),
    *(("[", "{", "BracketLeft", 219), ("]", "}", "BracketRight", 221)),
    *(("\\", "|", "Backslash", 220), (";", ":", "Semicolon", 186), ("'", '"', "Quote", 222)),
    *((",", "<", "Comma", 188), (".", ">", "Period", 190), ("/", "?", "Slash", 191)),
)
_CHARACTERS = {
    **{plain: PageKey(plain, code, number, plain) for plain, _, code, number in _PRINTABLE},
    **{up: PageKey(up, code, number, up, shift=True) for _, up, code, number in _PRINTABLE},
}
_SHIFTED = {plain: up for plain, up, _, _ in _PRINTABLE}
_WHITE = {"\n": _NAMED["enter"], "\t": _NAMED["tab"], " ": _NAMED["space"]}


def key_named(name: str, shifted: bool) -> PageKey:
    """The key with a canonical name; with Shift held it may mean another character.

    Raises:
        BackendError: the name is not canonical.
    """
    if known_key(name) in _NAMED:
        return _NAMED[name]
    return key_of_char(_SHIFTED.get(name, name) if shifted else name)


def key_of_char(char: str) -> PageKey:
    """The key that writes a character; one that no US keyboard has is a key without a place."""
    return _WHITE.get(char) or _CHARACTERS.get(char) or PageKey(char, "", 0, char)
