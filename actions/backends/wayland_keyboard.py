"""Keyboards made to measure: which key writes what, told to the compositor as XKB keymaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from actions.backends.base import known_key
from actions.backends.x11_keyboard import keysym_of_char

SHIFT, CTRL, ALT, SUPER = 1, 4, 8, 64
MODIFIER_BITS = {"shift": SHIFT, "ctrl": CTRL, "alt": ALT, "super": SUPER}
"""Bits of modifiers, in every keymap made of the "complete" types and the "pc" symbols."""

_XKB_OFFSET = 8
"""XKB counts keys from 8 on, the kernel (evdev) from 0."""

# Kernel key codes: <linux/input-event-codes.h>.
_ROWS = ((2, "1234567890-=", "!@#$%^&*()_+"), (16, "qwertyuiop[]", "QWERTYUIOP{}"),
         (30, "asdfghjkl;'`", 'ASDFGHJKL:"~'), (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"))  # fmt: skip
_NAMED = {
    "esc": 1, "backspace": 14, "tab": 15, "enter": 28, "space": 57, "capslock": 58,
    "ctrl": 29, "shift": 42, "alt": 56, "super": 125, "menu": 127,
    "numlock": 69, "scrolllock": 70, "printscreen": 99, "pause": 119,
    "home": 102, "up": 103, "pageup": 104, "left": 105, "right": 106,
    "end": 107, "down": 108, "pagedown": 109, "insert": 110, "delete": 111,
    **{f"f{number}": 58 + number for number in range(1, 11)}, "f11": 87, "f12": 88,
    **{f"f{number}": 170 + number for number in range(13, 25)},
}  # fmt: skip
_SPARE = 240
"""KEY_UNKNOWN: it writes the character that a US keyboard lacks, when such a key is pressed."""


@dataclass(frozen=True)
class Stroke:
    """How to press a key.

    Attributes:
        code: the kernel's key code.
        shift: whether it needs Shift.
    """

    code: int
    shift: bool = False


_CHARACTERS = {
    char: Stroke(first + index, shifted)
    for first, plain, upper in _ROWS
    for shifted, row in ((False, plain), (True, upper))
    for index, char in enumerate(row)
}
_PLACES = (*(first + i for first, row, _ in _ROWS for i in range(len(row))), 86)
"""Keys that write characters on every keyboard; text goes through these, whatever it is."""


def stroke_of_key(key: str) -> Stroke | None:
    """Where a US keyboard has a key; None when it lacks this character.

    Raises:
        BackendError: the name is not canonical.
    """
    name = known_key(key)
    return Stroke(_NAMED[name]) if name in _NAMED else _CHARACTERS.get(name)


def spare_stroke() -> Stroke:
    """The key that `us_keymap` gives the extra character to."""
    return Stroke(_SPARE)


def us_keymap(extra: str = "") -> str:
    """A US keyboard, and one more key for a character that it lacks.

    The symbols that it includes are those of the compositor's own XKB data.
    """
    keysym = f"0x{keysym_of_char(extra):x}" if extra else "NoSymbol"
    return _keymap(
        'include "evdev"',
        f'include "pc+us+inet(evdev)" key <I{_SPARE + _XKB_OFFSET}> {{ [ {keysym} ] }};',
    )


def text_keymap(characters: str) -> tuple[str, dict[str, int]]:
    """A keyboard on which every character has a key of its own, and the kernel codes of those.

    Args:
        characters: at most `len(_PLACES)` different ones.
    """
    codes = {"\n": _NAMED["enter"], "\t": _NAMED["tab"], " ": _NAMED["space"]}
    codes |= dict(zip((c for c in characters if c not in codes), _PLACES, strict=False))
    names = " ".join(f"<K{code}> = {code + _XKB_OFFSET};" for code in codes.values())
    symbols = " ".join(
        f"key <K{code}> {{ [ 0x{keysym_of_char(char):x} ] }};" for char, code in codes.items()
    )
    return _keymap(names, symbols), codes


def runs(text: str) -> Iterator[str]:
    """Pieces of a text, as long as one keyboard can write them."""
    start, used = 0, set[str]()
    for index, char in enumerate(text):
        if char not in used and len(used) == len(_PLACES):
            yield text[start:index]
            start, used = index, set()
        used.add(char)
    yield text[start:]


def _keymap(keycodes: str, symbols: str) -> str:
    """A keymap in the format of XKB."""
    return (
        "xkb_keymap {\n"
        f'xkb_keycodes "eyehand" {{ {keycodes} }};\n'
        'xkb_types "eyehand" { include "complete" };\n'
        'xkb_compatibility "eyehand" { include "complete" };\n'
        f'xkb_symbols "eyehand" {{ {symbols} }};\n'
        "};\n"
    )
