"""Every key and button of an X display, as its server tells them (the RECORD extension).

The listener has connections of its own and grabs nothing, so that nobody notices it.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from Xlib import XK, X
from Xlib.display import Display
from Xlib.error import ConnectionClosedError, DisplayError
from Xlib.ext import record
from Xlib.protocol import rq

from actions.backends.base import BackendError
from actions.backends.x11_keyboard import UNICODE
from actions.keys import UnknownKeyError, canonical

_HELD = {X.ShiftMask: "shift", X.ControlMask: "ctrl", X.Mod1Mask: "alt", X.Mod4Mask: "super"}
_KEYPAD = dict(zip(range(0xFFAA, 0xFFBA), "*+,-./0123456789", strict=True))


@dataclass(frozen=True)
class Raw:
    """An event as the server tells it.

    Attributes:
        kind: KeyPress, KeyRelease, ButtonPress or ButtonRelease of `Xlib.X`.
        detail: the button.
        time: milliseconds on the server's clock.
        x: pixels from the left of the whole desktop.
        y: pixels from its top.
        key: canonical name of the key; empty for a button and for a key that has none.
        text: what the key writes; empty when it writes nothing.
        held: modifiers that were down before.
    """

    kind: int
    detail: int
    time: int
    x: int
    y: int
    key: str
    text: str
    held: frozenset[str]


class Listener:
    """Calls `heard` for every event, in a thread of its own, inside a `with` block.

    Args:
        name: of the display, None means the one in $DISPLAY.
        heard: must not raise and not take long.

    Raises:
        BackendError: there is no such display, or it lacks the RECORD extension.
    """

    def __init__(self, name: str | None, heard: Callable[[Raw], None]) -> None:
        self._heard = heard
        self._control, self._data = _connect(name), _connect(name)
        if not self._control.has_extension("RECORD"):
            raise BackendError("the X server lacks the RECORD extension; people cannot be recorded")
        self._rows: dict[int, list[int]] = {}
        self._read_keyboard()
        self._context = self._control.record_create_context(
            0,
            [record.AllClients],
            [
                {
                    "core_requests": (0, 0), "core_replies": (0, 0), "ext_requests": (0, 0, 0, 0),
                    "ext_replies": (0, 0, 0, 0), "delivered_events": (0, 0),
                    "device_events": (X.KeyPress, X.ButtonRelease), "errors": (0, 0),
                    "client_started": False, "client_died": False,
                }
            ],
        )  # fmt: skip
        self._control.sync()  # the other connection may use it only then
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)

    def __enter__(self) -> Listener:
        self._thread.start()
        self._ready.wait(5)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(ConnectionClosedError, OSError):
            self._control.record_disable_context(self._context)
            self._control.sync()
            self._thread.join(5)
            self._control.record_free_context(self._context)
        for connection in (self._control, self._data):
            connection.display.close_internal("client")

    def _listen(self) -> None:
        with suppress(
            ConnectionClosedError, OSError
        ):  # the display is gone, and all events with it
            self._data.record_enable_context(self._context, self._reply)

    def _reply(self, reply: rq.DictWrapper) -> None:
        self._ready.set()
        if reply.category != record.FromServer or reply.client_swapped:
            return
        data = reply.data
        while data:
            event, data = rq.EventField(None).parse_binary_value(
                data, self._data.display, None, None
            )
            self._tell(event)

    def _tell(self, event: rq.Event) -> None:
        key = text = ""
        if event.type in (X.KeyPress, X.KeyRelease):
            key, text = self._key(event.detail, event.state)
        held = frozenset(name for mask, name in _HELD.items() if event.state & mask) - {key}
        self._heard(
            Raw(event.type, event.detail, event.time, event.root_x, event.root_y, key, text, held)
        )

    def _key(self, code: int, state: int) -> tuple[str, str]:
        """Name and text of a key under these modifiers."""
        self._follow_keyboard(code)
        row = self._rows.get(code, [])
        level = bool(state & X.ShiftMask) + (4 if state & X.Mod5Mask else 2 * (state >> 13 & 3))
        plain = next(iter(row), 0)
        keysym = row[level] if level < len(row) and row[level] else plain
        text = _text(keysym)
        if state & X.LockMask and text.isalpha() and not state & X.ShiftMask:
            text = text.upper()
        return _name(plain) or _name(keysym), text

    def _follow_keyboard(self, code: int) -> None:
        """Read the keyboard again when it was changed, as it is by programs that type Unicode."""
        changed = not any(self._rows.get(code, []))
        while self._control.pending_events():
            changed |= self._control.next_event().type == X.MappingNotify
        if changed:
            self._read_keyboard()

    def _read_keyboard(self) -> None:
        first = self._control.display.info.min_keycode
        count = self._control.display.info.max_keycode - first + 1
        rows = self._control.get_keyboard_mapping(first, count)
        self._rows = {code: list(row) for code, row in enumerate(rows, first)}


def _connect(name: str | None) -> Display:
    try:
        return Display(name)
    except (DisplayError, OSError) as error:
        raise BackendError(
            f"expected the X display {name or '$DISPLAY'}, actually: {error}; set DISPLAY"
        ) from error


def _text(keysym: int) -> str:
    """What a keysym writes; legacy keysyms of other scripts are not known and give nothing."""
    if keysym in _KEYPAD:
        return _KEYPAD[keysym]
    if keysym >= UNICODE:
        code = keysym - UNICODE
    elif 0x20 <= keysym <= 0x7E or 0xA0 <= keysym <= 0xFF:
        code = keysym
    elif keysym == 0x20AC:
        return "€"
    else:
        return ""
    char = chr(code) if code < 0x110000 else ""
    return char if char and unicodedata.category(char)[0] != "C" else ""


def _name(keysym: int) -> str:
    """The canonical name of a keysym's key, empty when it has none."""
    if text := _text(keysym):
        with suppress(UnknownKeyError):
            return canonical(text)
    with suppress(UnknownKeyError):
        return canonical(_NAMES.get(keysym, ""))
    return ""


_ODD = {0xFE20: "tab", 0xFFE7: "super", 0xFFE8: "super", 0xFE03: "", 0xFF7F: "numlock"}
_NAMES = {
    value: name.removeprefix("XK_")
    for name, value in vars(XK).items()
    if name.startswith("XK_") and isinstance(value, int)
} | _ODD
"""Keysym -> its name; shift turns Tab into ISO_Left_Tab, shift and Alt into Meta."""
