"""The backend for Wayland compositors of the wlroots family, such as Sway.

It speaks wlr-virtual-pointer and virtual-keyboard. libei, the other way, asks the user in a portal
dialog, is unknown to wlroots compositors, and types on the keyboard that the compositor has, so
that most characters could not be typed at all; GNOME and KDE are refused, which offer only that.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Any

from pywayland.protocol.wayland import WlSeat

from actions.backends import sway_windows, wayland_watchdog
from actions.backends.base import Backend, BackendError, proceed
from actions.backends.watchdog import Watchdog
from actions.backends.wayland_keyboard import (
    MODIFIER_BITS,
    SHIFT,
    Stroke,
    runs,
    spare_stroke,
    stroke_of_key,
    text_keymap,
    us_keymap,
)
from actions.space import (
    Action,
    Button,
    Direction,
    Navigate,
    NavigateBack,
    OpenApp,
    OpenComputer,
    PressBack,
    PressHome,
    Swipe,
)
from vision.geometry import Point
from vision.wayland import Compositor, WaylandError
from vision.wlr import VIRTUAL_KEYBOARD, VIRTUAL_POINTER, Speaker

_UNSUPPORTED = (Navigate, NavigateBack, OpenApp, OpenComputer, PressBack, PressHome, Swipe)
_BUTTONS = {Button.LEFT: 0x110, Button.RIGHT: 0x111, Button.MIDDLE: 0x112}
_VERTICAL, _HORIZONTAL = 0, 1
_WHEEL = {
    Direction.UP: (_VERTICAL, -1),
    Direction.DOWN: (_VERTICAL, 1),
    Direction.LEFT: (_HORIZONTAL, -1),
    Direction.RIGHT: (_HORIZONTAL, 1),
}
_NOTCH_PIXELS = 15.0
"""What libinput reports for one notch of a wheel."""
_XKB_TEXT = 1

_CHARACTERS_AHEAD, _PAUSE_SECONDS = 8, 0.01
"""So many characters between two pauses, and how long those are: a compositor throws out a client
that reads slower than we write, and nobody can be asked whether it has caught up."""

_BINDING_SECONDS = 0.5
"""So long after a seat got its first pointer or keyboard, programs are taken to listen to it. What
is sent earlier is lost, and nobody can be asked; a seat with devices of its own needs no wait."""
_POINTER_AND_KEYBOARD = 1 | 2


class WaylandBackend(Backend):
    """Moves the pointer and presses the keys of one compositor, on two virtual devices.

    Points are logical pixels. The compositor stays the caller's to close.

    Args:
        compositor: where events go.

    Raises:
        BackendError: it lacks one of the two protocols.
    """

    def __init__(self, compositor: Compositor) -> None:
        self._compositor = compositor
        self._lock = RLock()
        self._buttons: dict[Button, None] = {}
        self._keys: dict[str, Stroke] = {}
        self._pointer = Point(0, 0)
        lefts, tops, rights, bottoms = zip(
            *(compositor.box_of(output) for output in compositor.outputs), strict=True
        )
        self._left, self._top = min(lefts), min(tops)
        self._width, self._height = max(rights) - self._left, max(bottoms) - self._top
        try:
            seat = compositor.bind(WlSeat, "wayland")
            pointers = compositor.bind(VIRTUAL_POINTER, "wlr-virtual-pointer-unstable-v1")
            keyboards = compositor.bind(VIRTUAL_KEYBOARD, "virtual-keyboard-unstable-v1")
        except WaylandError as error:
            raise BackendError(str(error)) from error
        self._watchdog = Watchdog(
            wayland_watchdog.SCRIPT, compositor.name or "", wayland_watchdog.NOTHING
        )
        known = self._devices(seat)
        self._watchdog.start()
        with self._sending():
            self._mouse: Speaker = pointers.make("create_virtual_pointer", seat)
            self._keyboard: Speaker = keyboards.make("create_virtual_keyboard", seat)
            self._typist: Speaker = keyboards.make("create_virtual_keyboard", seat)
            _set_keymap(self._keyboard, us_keymap())
        if known & _POINTER_AND_KEYBOARD != _POINTER_AND_KEYBOARD:
            time.sleep(_BINDING_SECONDS)

    def supports(self, action: type[Action]) -> bool:
        """Everything but what only a browser or a phone can do."""
        return not issubclass(action, _UNSUPPORTED)

    def window(self, point: Point | None) -> str:
        """Class and title of the window at a point, or of the one with the keyboard, in Sway."""
        with suppress(OSError, ValueError, KeyError):
            folder, process = self._compositor.folder_and_process()
            origin = self._compositor.origin
            native = None if point is None else Point(point.x + origin.x, point.y + origin.y)
            for ipc in folder.glob(f"sway-ipc.*.{process}.sock"):
                return sway_windows.describe(ipc, native)
        return ""

    def pointer(self) -> Point:
        """Where the last move went, for no client may ask; at first the corner."""
        return self._pointer

    def move(self, point: Point) -> None:
        """Put the pointer into the middle of that pixel."""
        with self._sending():
            self._pointer = point
            place = (int(2 * (point.x - self._left)) + 1, int(2 * (point.y - self._top)) + 1)
            extent = (int(2 * self._width), int(2 * self._height))
            self._mouse.send("motion_absolute", _now(), *place, *extent)
            self._mouse.send("frame")

    def button_down(self, button: Button) -> None:
        """Press a mouse button."""
        with self._sending():
            self._buttons[button] = None
            self._tell_watchdog()
            self._send_button(button, 1)

    def button_up(self, button: Button) -> None:
        """Release a mouse button."""
        with self._sending():
            self._send_button(button, 0)
            self._buttons.pop(button, None)

    def scroll(self, direction: Direction, clicks: int) -> None:
        """Turn the wheel at the pointer by that many notches."""
        axis, sign = _WHEEL[direction]
        with self._sending():
            for _ in range(clicks):
                self._mouse.send("axis_source", 0)  # a wheel
                self._mouse.send("axis_discrete", _now(), axis, sign * _NOTCH_PIXELS, sign)
                self._mouse.send("frame")

    def key_down(self, key: str) -> None:
        """Press a key; a character that a US keyboard lacks gets a key of its own."""
        stroke = stroke_of_key(key)
        with self._sending():
            if stroke is None:
                stroke = spare_stroke()
                _set_keymap(self._keyboard, us_keymap(key))
                self._keyboard.send("modifiers", 0, 0, 0, 0)  # programs forget what was held
            self._keys[key] = stroke
            self._send_modifiers()
            self._keyboard.send("key", _now(), stroke.code, 1)

    def key_up(self, key: str) -> None:
        """Release a key; one that was not pressed through this object is left alone."""
        stroke_of_key(key)
        with self._sending():
            self._send_key_up(key)

    def type_text(self, text: str, checkpoint: Callable[[], None] = proceed) -> None:
        """Type any Unicode text, on a keyboard that is made for it."""
        for run in runs(text):
            keymap, codes = text_keymap("".join(dict.fromkeys(run)))
            with self._sending():
                _set_keymap(self._typist, keymap)
            for start in range(0, len(run), _CHARACTERS_AHEAD):
                checkpoint()
                with self._sending():
                    for char in run[start : start + _CHARACTERS_AHEAD]:
                        self._typist.send("key", _now(), codes[char], 1)
                        self._typist.send("key", _now(), codes[char], 0)
                time.sleep(_PAUSE_SECONDS)

    def release_all(self) -> None:
        """Release every key and button that is still held. Never raises; safe to repeat."""
        with self._lock, suppress(BackendError), self._sending():
            for key in reversed(list(self._keys)):
                self._send_key_up(key)
            for button in reversed(list(self._buttons)):
                self._buttons.pop(button)
                self._send_button(button, 0)

    def close(self) -> None:
        """Release what is held and take the virtual devices away. Safe to repeat."""
        self.release_all()
        with suppress(BackendError), self._sending():
            for device in (self._mouse, self._keyboard, self._typist):
                if not device.destroyed:
                    device.send("destroy")
        self._watchdog.close()

    @contextmanager
    def _sending(self) -> Iterator[None]:
        """Hold the lock, send what the block asks for, wait until the compositor has it."""
        with self._lock, self._compositor.lock:
            try:
                yield
                self._compositor.roundtrip()
                self._tell_watchdog()
            except (WaylandError, ValueError) as error:  # a destroyed object is a ValueError
                raise BackendError(f"cannot send: {error}") from error

    def _devices(self, seat: Any) -> int:
        """What the seat has already, as bits of the protocol; a seat without anything says so."""
        told = [0]
        seat.dispatcher["capabilities"] = lambda _, capabilities: told.append(capabilities)
        with self._sending():
            pass
        return told[-1]

    def _send_button(self, button: Button, state: int) -> None:
        self._mouse.send("button", _now(), _BUTTONS[button], state)
        self._mouse.send("frame")

    def _tell_watchdog(self) -> None:
        """What is pressed: before a press, after a release."""
        self._watchdog.tell("buttons", [_BUTTONS[button] for button in self._buttons])

    def _send_key_up(self, key: str) -> None:
        stroke = self._keys.pop(key, None)
        if stroke is not None:
            self._keyboard.send("key", _now(), stroke.code, 0)
            self._send_modifiers()

    def _send_modifiers(self) -> None:
        """What is held on top of the keys; a compositor does not work it out itself."""
        held = sum(MODIFIER_BITS.get(key, 0) for key in self._keys)
        if any(stroke.shift for stroke in self._keys.values()):
            held |= SHIFT
        self._keyboard.send("modifiers", held, 0, 0, 0)


def _set_keymap(keyboard: Speaker, keymap: str) -> None:
    """Give a virtual keyboard its keymap, through a file in memory."""
    data = keymap.encode() + b"\0"
    descriptor = os.memfd_create("eyehand-keymap", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, data)
        keyboard.send("keymap", _XKB_TEXT, descriptor, len(data))
    finally:
        os.close(descriptor)


def _now() -> int:
    """Milliseconds, as the protocol counts them."""
    return int(time.monotonic() * 1000) & 0xFFFFFFFF
