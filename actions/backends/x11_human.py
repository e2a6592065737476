"""Notices the real mouse and keyboard of an X display, beside our own events.

XInput 2 tells of every raw event which device it comes from. What we send comes from the server's
XTEST devices; everything else is a person. A remote desktop that itself sends through XTEST (such
as x11vnc) cannot be told apart; there the corners of the screen and the stop command remain.
"""

from __future__ import annotations

import select
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any

from Xlib import X
from Xlib.display import Display
from Xlib.error import DisplayError
from Xlib.ext import ge, xinput

from actions.backends.base import BackendError, known_key
from actions.backends.x11_keyboard import keysym_of_key
from actions.backends.x11_listener import listening

STOP_KEYS = ("ctrl", "alt", "esc")
"""The global hotkey, unless another one is given."""

IDLE_SECONDS = 2.0
"""So long after their last move a person is taken to be away again."""

_RAW = (
    xinput.RawKeyPressMask
    | xinput.RawKeyReleaseMask
    | xinput.RawButtonPressMask
    | xinput.RawButtonReleaseMask
    | xinput.RawMotionMask
)
_HEAD = struct.Struct("=HIIH")  # device, time, detail, source; the rest is how far it moved
_MODIFIER_ROWS = {"shift": X.ShiftMapIndex, "ctrl": X.ControlMapIndex, "alt": X.Mod1MapIndex}


class X11Human:
    """Watches on a thread of its own, from `__enter__` to `__exit__`.

    Args:
        display: name of the X display; None means the one in $DISPLAY.
        on_hotkey: called on the watching thread when the person presses the stop keys together.
        stop_keys: canonical names.
        idle: seconds without input after which nobody is at work.

    Raises:
        BackendError: on entering: no such display or key, or the server lacks XInput 2.2.
    """

    def __init__(
        self,
        display: str | None,
        on_hotkey: Callable[[], None],
        stop_keys: Sequence[str] = STOP_KEYS,
        idle: float = IDLE_SECONDS,
    ) -> None:
        self._name = display
        self._on_hotkey = on_hotkey
        self._stop_keys = tuple(known_key(key) for key in stop_keys)
        self._idle = idle
        self._last_input = float("-inf")
        self._visits = 0
        self._held = ExitStack()

    def at_work(self) -> bool:
        """Whether a person has just used mouse or keyboard. Any thread."""
        return time.monotonic() - self._last_input < self._idle

    def visits(self) -> int:
        """How often a person has come back to them. Any thread."""
        return self._visits

    def __enter__(self) -> X11Human:
        with ExitStack() as stack:
            display = _connect(self._name, stack)
            wanted = [_keycodes(display, key) for key in self._stop_keys]
            ours = _select_raw_events(display)
            watch = partial(self._watch, display, wanted, ours)
            stack.enter_context(listening("human", watch))
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def _watch(
        self, display: Display, wanted: list[frozenset[int]], ours: frozenset[int], over: int
    ) -> None:
        """Read events until `over` is readable."""
        pressed: set[int] = set()
        while True:
            while display.pending_events():
                self._note(display.next_event(), pressed, wanted, ours)
            if over in select.select([display.fileno(), over], [], [])[0]:
                return

    def _note(
        self, event: Any, pressed: set[int], wanted: list[frozenset[int]], ours: frozenset[int]
    ) -> None:
        """One event: it counts unless it is our own."""
        if event.type != ge.GenericEventCode:
            return
        _, _, keycode, source = _HEAD.unpack_from(event.data)
        if source in ours:
            return
        self._visits += not self.at_work()
        self._last_input = time.monotonic()
        if event.evtype == xinput.RawKeyRelease:
            pressed.discard(keycode)
        elif event.evtype == xinput.RawKeyPress:
            pressed.add(keycode)
            if all(pressed & codes for codes in wanted):
                self._on_hotkey()


def _connect(name: str | None, held: ExitStack) -> Display:
    try:
        display = Display(name)
    except (DisplayError, OSError) as error:
        raise BackendError(f"cannot watch the X display {name or '$DISPLAY'}: {error}") from error
    held.callback(display.display.close_internal, "client")
    return display


def _select_raw_events(display: Display) -> frozenset[int]:
    """Ask for all raw events; the XTEST devices, from which our own events come."""
    if not (display.has_extension("XInputExtension") and display.has_extension(ge.extname)):
        raise BackendError("the X server lacks XInput 2, which tells people and programs apart")
    opcode = display.display.get_extension_major(xinput.extname)
    # From 2.1 on raw events come even while another program has grabbed the keyboard.
    version = xinput.XIQueryVersion(
        display=display.display, opcode=opcode, major_version=2, minor_version=2
    )
    if (version.major_version, version.minor_version) < (2, 2):
        raise BackendError(
            f"expected XInput 2.2, actually: {version.major_version}.{version.minor_version}; "
            "use an X server of 2012 or later"
        )
    devices = display.xinput_query_device(xinput.AllDevices).devices
    display.screen().root.xinput_select_events([(xinput.AllMasterDevices, _RAW)])
    display.sync()
    return frozenset(device.deviceid for device in devices if "XTEST" in str(device.name))


def _keycodes(display: Display, key: str) -> frozenset[int]:
    """Every key that counts as this one: of a modifier the left and the right one."""
    if key in _MODIFIER_ROWS:
        row = display.get_modifier_mapping()[_MODIFIER_ROWS[key]]
        return frozenset(code for code in row if code)
    codes = frozenset(code for code, _ in display.keysym_to_keycodes(keysym_of_key(key)))
    if not codes:
        raise BackendError(f"this keyboard has no key {key!r}; choose other stop keys")
    return codes
