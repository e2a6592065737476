"""What keys write and whether Caps Lock is on, through the X keyboard extension.

The core protocol changes keycode by keycode, and every change makes every program reload its
keyboard; a window manager can be busy with that for seconds. XkbSetMap changes any number of keys
in one go, and restores them exactly. python-xlib (0.33) lacks the extension.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from Xlib import X
from Xlib.display import Display
from Xlib.protocol import rq

from actions.backends.base import BackendError

_CORE_KEYBOARD = 0x100
_KEY_SYMS = 1 << 1
_HEADER = struct.Struct("=4BBBH")  # type index of each group, group info, width, symbol count


class _UseExtension(rq.ReplyRequest):  # type: ignore[misc]
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(0),
        rq.RequestLength(),
        rq.Card16("wanted_major"),
        rq.Card16("wanted_minor"),
    )
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Bool("supported"),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Pad(24),
    )


class _GetMap(rq.ReplyRequest):  # type: ignore[misc]
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(8),
        rq.RequestLength(),
        rq.Card16("device"),
        rq.Card16("full"),
        rq.Card16("partial"),
        rq.Pad(18),
    )
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Card8("device"),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Pad(2),
        rq.Card8("min_keycode"),
        rq.Card8("max_keycode"),
        rq.Card16("present"),
        rq.Pad(3),
        rq.Card8("first"),
        rq.Card16("total"),
        rq.Card8("count"),
        rq.Pad(19),
        rq.Binary("rows"),
    )


class _SetMap(rq.Request):  # type: ignore[misc]
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(9),
        rq.RequestLength(),
        rq.Card16("device"),
        rq.Card16("present"),
        rq.Card16("flags"),
        rq.Card8("min_keycode"),
        rq.Card8("max_keycode"),
        rq.Pad(2),
        rq.Card8("first"),
        rq.Card8("count"),
        rq.Card16("total"),
        rq.Pad(18),
        rq.Binary("rows"),
    )


class _LatchLockState(rq.Request):  # type: ignore[misc]
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(5),
        rq.RequestLength(),
        rq.Card16("device"),
        rq.Card8("affected"),
        rq.Card8("locked"),
        rq.Pad(8),
    )


class Keyboard:
    """The keyboard of a display.

    A row is one key in the extension's wire format: which group and level writes which symbol.

    Args:
        display: the connection to use; errors of it are passed on.

    Raises:
        BackendError: the server lacks the extension.
    """

    def __init__(self, display: Display) -> None:
        self._display = display
        answer = display.query_extension("XKEYBOARD")
        if answer is None or not answer.present:
            raise BackendError("the X server lacks the XKEYBOARD extension; start it without `-kb`")
        self._opcode = answer.major_opcode
        _UseExtension(display=display.display, opcode=self._opcode, wanted_major=1, wanted_minor=0)

    def read(self) -> dict[int, bytes]:
        """The row of every keycode."""
        reply = _GetMap(
            display=self._display.display,
            opcode=self._opcode,
            device=_CORE_KEYBOARD,
            full=_KEY_SYMS,
            partial=0,
        )
        rows, start = {}, 0
        for keycode in range(reply.first, reply.first + reply.count):
            count = _HEADER.unpack_from(reply.rows, start)[-1]
            end = start + _HEADER.size + 4 * count
            rows[keycode] = bytes(reply.rows[start:end])
            start = end
        return rows

    def write(self, changed: Mapping[int, bytes]) -> None:
        """Change the rows of some keycodes, all at once; the others stay as they are."""
        if not changed:
            return
        rows = self.read() | dict(changed)
        first, last = min(changed), max(changed)
        between = [rows[keycode] for keycode in range(first, last + 1)]
        _SetMap(
            display=self._display.display,
            opcode=self._opcode,
            device=_CORE_KEYBOARD,
            present=_KEY_SYMS,
            flags=0,
            min_keycode=min(rows),
            max_keycode=max(rows),
            first=first,
            count=len(between),
            total=sum(_HEADER.unpack_from(row)[-1] for row in between),
            rows=b"".join(between),
        )
        self._display.sync()

    def lock_caps(self, on: bool) -> None:
        """Switch Caps Lock."""
        _LatchLockState(
            display=self._display.display,
            opcode=self._opcode,
            device=_CORE_KEYBOARD,
            affected=X.LockMask,
            locked=X.LockMask if on else 0,
        )
        self._display.sync()


def row_of(keysym: int) -> bytes:
    """A key that writes one symbol, whatever Shift says."""
    one_level, one_group = 0, 1
    return _HEADER.pack(one_level, 0, 0, 0, one_group, 1, 1) + struct.pack("=I", keysym)
