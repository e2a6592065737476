"""The backend for the one desktop of macOS and Windows, through PyAutoGUI.

It works on the default X display too, which is how it is tested; macOS and Windows themselves are
not covered by tests. PyAutoGUI takes its display once per process and types ASCII only; on X11
`actions.backends.x11` does better in both.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import RLock
from typing import Any

from actions.backends.base import Backend, BackendError, known_key, proceed
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

_UNSUPPORTED = (Navigate, NavigateBack, OpenApp, OpenComputer, PressBack, PressHome, Swipe)
_KEYS = {"super": "command" if sys.platform == "darwin" else "win", "menu": "apps"}
_NOTCH = 120 if sys.platform == "win32" else 1
"""What PyAutoGUI calls one click of the wheel there."""


class DesktopBackend(Backend):
    """Moves the pointer and presses the keys of the desktop that this process runs on.

    Raises:
        BackendError: PyAutoGUI cannot work here; the message names the fix.
    """

    def __init__(self) -> None:
        self._gui = _pyautogui()
        self._lock = RLock()
        self._buttons: dict[Button, None] = {}
        self._keys: dict[str, None] = {}

    def supports(self, action: type[Action]) -> bool:
        """Everything but what only a browser or a phone can do."""
        return not issubclass(action, _UNSUPPORTED)

    def pointer(self) -> Point:
        """Where the pointer is."""
        x, y = self._gui.position()
        return Point(x, y)

    def move(self, point: Point) -> None:
        """Put the pointer there."""
        with self._lock:
            self._gui.moveTo(int(point.x), int(point.y))

    def button_down(self, button: Button) -> None:
        """Press a mouse button."""
        with self._lock:
            self._buttons[button] = None
            self._gui.mouseDown(button=str(button))

    def button_up(self, button: Button) -> None:
        """Release a mouse button."""
        with self._lock:
            self._gui.mouseUp(button=str(button))
            self._buttons.pop(button, None)

    def scroll(self, direction: Direction, clicks: int) -> None:
        """Turn the wheel at the pointer by that many notches."""
        sideways = direction in (Direction.LEFT, Direction.RIGHT)
        sign = 1 if direction in (Direction.UP, Direction.RIGHT) else -1
        with self._lock:
            (self._gui.hscroll if sideways else self._gui.vscroll)(sign * clicks * _NOTCH)

    def key_down(self, key: str) -> None:
        """Press a key.

        Raises:
            BackendError: PyAutoGUI has no such key.
        """
        name = self._name_of(key)
        with self._lock:
            self._keys[key] = None
            self._gui.keyDown(name)

    def key_up(self, key: str) -> None:
        """Release a key."""
        name = self._name_of(key)
        with self._lock:
            self._gui.keyUp(name)
            self._keys.pop(key, None)

    def type_text(self, text: str, checkpoint: Callable[[], None] = proceed) -> None:
        """Type ASCII text on a US keyboard.

        Raises:
            BackendError: the text has other characters; nothing was typed.
        """
        foreign = next((char for char in text if not char.isascii()), None)
        if foreign is not None:
            raise BackendError(
                f"expected ASCII text, actually it has {foreign!r}, which PyAutoGUI cannot type; "
                "on X11 use the x11 backend"
            )
        for char in text:
            checkpoint()
            with self._lock:
                self._gui.press(char)

    def release_all(self) -> None:
        """Release every key and button that is still held. Never raises; safe to repeat."""
        with self._lock:
            for key in reversed(list(self._keys)):
                with suppress(Exception):
                    self.key_up(key)
            for button in reversed(list(self._buttons)):
                with suppress(Exception):
                    self.button_up(button)
            self._keys.clear()
            self._buttons.clear()

    def _name_of(self, key: str) -> str:
        """PyAutoGUI's name of a canonical key."""
        name = _KEYS.get(known_key(key), key)
        if not self._gui.isValidKey(name):
            raise BackendError(f"this keyboard has no key {key!r}")
        return name


def _pyautogui() -> Any:
    """PyAutoGUI without its pauses and its fail-safe (the executor has its own).

    On Linux its import fails in three ways of its own, each of which needs another fix.
    """
    try:
        gui: Any = importlib.import_module("pyautogui")
    except SystemExit as error:
        raise BackendError(
            "PyAutoGUI needs tkinter, and it is missing; install it, as with "
            "`apt-get install python3-tk`"
        ) from error
    except KeyError as error:
        raise BackendError("PyAutoGUI needs a display, and $DISPLAY is not set; set it") from error
    except Exception as error:
        raise BackendError(
            f"PyAutoGUI cannot open the display: {error}; check $DISPLAY, and that the file "
            "$XAUTHORITY (by default ~/.Xauthority) exists and lets you in"
        ) from error
    gui.PAUSE = 0
    gui.FAILSAFE = False
    return gui
