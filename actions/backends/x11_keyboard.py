"""An X11 keyboard as typing needs it: which keys write which character, and keys to borrow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from Xlib import XK, X
from Xlib.display import Display

from actions.backends.base import BackendError
from actions.backends.xkb import Keyboard, row_of

UNICODE = 0x01000000
"""Added to a code point, this gives the keysym of any character beyond Latin-1."""

_KEYSYM_NAMES = {
    **{"enter": "Return", "esc": "Escape", "tab": "Tab", "space": "space"},
    **{"backspace": "BackSpace", "delete": "Delete", "insert": "Insert"},
    **{"up": "Up", "down": "Down", "left": "Left", "right": "Right"},
    **{"home": "Home", "end": "End", "pageup": "Prior", "pagedown": "Next"},
    **{"ctrl": "Control_L", "shift": "Shift_L", "alt": "Alt_L", "super": "Super_L"},
    **{"capslock": "Caps_Lock", "numlock": "Num_Lock", "scrolllock": "Scroll_Lock"},
    **{"printscreen": "Print", "pause": "Pause", "menu": "Menu"},
    **{f"f{number}": f"F{number}" for number in range(1, 25)},
}
_ISO_LEVEL3_SHIFT = 0xFE03
_EURO = 0x20AC
_GROUP_SHIFT = 13  # where the state mask has the active layout group (XKB)


@dataclass(frozen=True)
class Stroke:
    """One key to press.

    Attributes:
        keycode: the key.
        modifiers: keycodes to hold meanwhile.
    """

    keycode: int
    modifiers: tuple[int, ...] = ()


def keysym_of_key(key: str) -> int:
    """The keysym of a canonical key name."""
    if len(key) == 1:
        return keysym_of_char(key)
    return int(XK.string_to_keysym(_KEYSYM_NAMES[key]))


def keysym_of_char(char: str) -> int:
    """The keysym that writes a character; a newline is Return, a tab is Tab."""
    code = ord(char)
    if char == "\n":
        return int(XK.XK_Return)
    if char == "\t":
        return int(XK.XK_Tab)
    if 0x20 <= code <= 0x7E or 0xA0 <= code <= 0xFF:
        return code
    return _EURO if char == "€" else UNICODE + code


@dataclass(frozen=True)
class Layout:
    """A snapshot of the keyboard.

    Attributes:
        strokes: how to produce each keysym, with the fewest modifiers.
        spare: keycodes that produce nothing and may be borrowed.
        caps: Caps Lock is on; it would turn letters into capitals.
    """

    strokes: Mapping[int, Stroke]
    spare: tuple[int, ...]
    caps: bool

    @classmethod
    def read(cls, display: Display) -> Layout:
        """Ask the server; about a millisecond."""
        first = display.display.info.min_keycode
        count = display.display.info.max_keycode - first + 1
        rows = list(enumerate(display.get_keyboard_mapping(first, count), first))
        state = display.screen().root.query_pointer().mask
        modifiers = {code for row in display.get_modifier_mapping() for code in row}
        spare = tuple(code for code, row in rows if not any(row) and code not in modifiers)
        strokes = _strokes(rows, state >> _GROUP_SHIFT & 3)
        return cls(strokes, spare, bool(state & X.LockMask))


def _strokes(rows: list[tuple[int, list[int]]], group: int) -> dict[int, Stroke]:
    """How to produce each keysym in the active group.

    The core protocol lists levels 1 and 2 of group 1, then of group 2, then levels 3 and 4 of
    group 1. The further levels of other groups have no fixed place; they are left to borrowing.
    """
    codes: dict[int, int] = {}
    for code, row in rows:
        codes.setdefault(row[0], code)
    shift, altgr = codes.get(XK.XK_Shift_L), codes.get(_ISO_LEVEL3_SHIFT)
    levels = [(2 * group, ()), (2 * group + 1, (shift,))]
    if group == 0:
        levels += [(4, (altgr,)), (5, (altgr, shift))]
    strokes: dict[int, Stroke] = {}
    for level, needed in levels:
        held = tuple(code for code in needed if code is not None)
        if len(held) < len(needed):
            continue
        for code, row in rows:
            if level < len(row) and row[level]:
                strokes.setdefault(row[level], Stroke(code, held))
    return strokes


class BorrowedKeys:
    """Spare keycodes that write other characters for a while.

    Not thread-safe. Applications look a key up when they handle it, so whoever lends a keycode
    again, or gives it back, first lets them handle what was sent.

    Args:
        note: is told which keys, by keycode, will have to be given back as which rows: before any
            are lent, and none after they were given back.
    """

    def __init__(self, note: Callable[[Mapping[int, bytes]], None]) -> None:
        self._note = note
        self._lent: dict[int, int] = {}
        self._before: dict[int, bytes] = {}

    def __bool__(self) -> bool:
        """Whether any keycode is lent."""
        return bool(self._lent)

    def lend(
        self, keysyms: Iterable[int], spare: Iterable[int], keyboard: Keyboard
    ) -> dict[int, Stroke]:
        """Make each keysym typable, at most as many as there are spare keycodes.

        Keysyms that have a keycode already keep it, others take the place of unwanted ones.

        Raises:
            BackendError: the keyboard has no spare keycode at all.
        """
        wanted = dict.fromkeys(keysyms)
        kept = {code: keysym for code, keysym in self._lent.items() if keysym in wanted}
        free = dict.fromkeys(code for code in (*spare, *self._lent) if code not in kept)
        if wanted and not (free or kept):
            raise BackendError(
                "expected an unused keycode to type characters that the keyboard layout lacks, "
                "actually every keycode is in use; add the layout of this script with setxkbmap"
            )
        missing = [keysym for keysym in wanted if keysym not in kept.values()]
        new = dict(zip(free, missing, strict=False))
        now = keyboard.read()
        self._before = {code: now[code] for code in new} | self._before
        self._lent |= new
        self._note(self._before)
        keyboard.write({code: row_of(keysym) for code, keysym in new.items()})
        return {keysym: Stroke(code) for code, keysym in self._lent.items()}

    def give_back(self, keyboard: Keyboard) -> None:
        """Leave the keycodes as they were."""
        keyboard.write(self._before)
        self._lent.clear()
        self._before.clear()
        self._note({})
