"""The backend for one page of Chromium: input events through the DevTools Protocol, no display."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Any

from actions.backends import cdp_watchdog
from actions.backends.base import Backend, BackendError, Browsing, proceed
from actions.backends.cdp_keys import (
    CTRL,
    META,
    MODIFIER_BITS,
    PageKey,
    key_named,
    key_of_char,
)
from actions.backends.watchdog import Watchdog
from actions.space import (
    Action,
    Button,
    Direction,
    OpenApp,
    OpenComputer,
    PressBack,
    PressHome,
    Swipe,
)
from vision.cdp import CdpError, CdpPage, Command
from vision.geometry import Point

_UNSUPPORTED = (OpenApp, OpenComputer, PressBack, PressHome, Swipe)
_BUTTON_BITS = {Button.LEFT: 1, Button.RIGHT: 2, Button.MIDDLE: 4}
_NOTCH = 120
"""CSS pixels that one notch of a wheel scrolls."""
_WHEEL = {
    Direction.UP: (0, -_NOTCH),
    Direction.DOWN: (0, _NOTCH),
    Direction.LEFT: (-_NOTCH, 0),
    Direction.RIGHT: (_NOTCH, 0),
}
_REPEATED_SECONDS = 0.5
_REPEATED_PIXELS = 5
"""A press nearer than that to the last one, in time and place, is the second of a double click."""
_EVENTS_AHEAD = 32
"""So many may be unanswered while typing: after a stop, hardly anything trickles."""
_RELEASE_SECONDS = 1.0


class CdpBackend(Backend, Browsing):
    """Moves a pointer and presses keys of its own in one page; the user's stay where they are.

    Points are CSS pixels of the viewport. The page stays the caller's to close.

    Args:
        page: where events go.
    """

    def __init__(self, page: CdpPage) -> None:
        self._page = page
        self._lock = RLock()
        self._pointer = Point(0, 0)
        self._buttons: dict[Button, None] = {}
        self._keys: dict[str, PageKey] = {}
        self._pressed: tuple[float, Point, Button] | None = None
        self._presses = 0
        self._watchdog = Watchdog(cdp_watchdog.SCRIPT, page.socket_url, cdp_watchdog.NOTHING)
        self._watchdog.start()

    def supports(self, action: type[Action]) -> bool:
        """Everything but what needs a desktop or a finger."""
        return not issubclass(action, _UNSUPPORTED)

    def window(self, point: Point | None) -> str:
        """Title and address of the page, that without its query."""
        with suppress(CdpError):
            title, url = self._page.title_and_url()
            return f"{title} {url.partition('?')[0]}"
        return ""

    def pointer(self) -> Point:
        """Where the last move went; at first the corner."""
        return self._pointer

    def move(self, point: Point) -> None:
        """Put the pointer there."""
        with self._lock:
            self._pointer = point
            button = next(reversed(self._buttons), "none")
            self._send(self._mouse("mouseMoved", button=button))

    def button_down(self, button: Button) -> None:
        """Press a mouse button."""
        with self._lock:
            self._presses = self._count(button)
            self._buttons[button] = None
            self._tell_watchdog()
            self._pressed = (time.monotonic(), self._pointer, button)  # after waiting for that
            self._send(self._mouse("mousePressed", button=button, clickCount=self._presses))

    def button_up(self, button: Button) -> None:
        """Release a mouse button."""
        with self._lock:
            self._buttons.pop(button, None)
            self._send(self._mouse("mouseReleased", button=button, clickCount=self._presses))

    def scroll(self, direction: Direction, clicks: int) -> None:
        """Turn the wheel at the pointer by that many notches."""
        across, down = _WHEEL[direction]
        with self._lock:
            for _ in range(clicks):
                self._send(self._mouse("mouseWheel", deltaX=across, deltaY=down))

    def key_down(self, key: str) -> None:
        """Press a key."""
        with self._lock:
            pressed = key_named(key, shifted="shift" in self._keys)
            self._keys[key] = pressed
            self._tell_watchdog()
            self._send(self._key_down(pressed))

    def key_up(self, key: str) -> None:
        """Release a key."""
        with self._lock:
            released = self._keys.pop(key, None) or key_named(key, shifted=False)
            self._send(_key_up(released, self._modifiers))

    def type_text(self, text: str, checkpoint: Callable[[], None] = proceed) -> None:
        """Type any Unicode text; each character is a key of its own, whatever the keyboard."""
        with _reported():
            self._page.call_all(self._strokes(text, checkpoint), _EVENTS_AHEAD)
        with self._lock:
            self._tell_watchdog()

    def navigate(self, url: str) -> None:
        """Open an address; returns when the page has loaded.

        Raises:
            BackendError: it cannot be opened.
        """
        with _reported():
            self._page.navigate(url)

    def back(self) -> None:
        """Go back in the page's history.

        Raises:
            BackendError: there is nothing to go back to.
        """
        with _reported():
            history = self._page.call("Page.getNavigationHistory")
            index = history["currentIndex"] - 1
            if index < 0:
                raise BackendError("there is no page to go back to; this is the first one")
            entry = history["entries"][index]["id"]
            self._page.call("Page.navigateToHistoryEntry", entryId=entry)
            self._page.wait_until_loaded()

    def release_all(self) -> None:
        """Release every key and button that is still held. Never raises; safe to repeat."""
        with self._lock:
            releases = self._releases()
            self._keys.clear()
            self._buttons.clear()
            with suppress(CdpError):
                self._page.call_all(releases, patience=_RELEASE_SECONDS)
                self._tell_watchdog()

    def close(self) -> None:
        """Release what is held; the page stays as it is. Safe to repeat."""
        self.release_all()
        self._watchdog.close()

    @property
    def _modifiers(self) -> int:
        return _modifiers(self._keys)

    def _send(self, command: Command) -> None:
        with _reported():
            self._page.call_all([command])
            self._tell_watchdog()

    def _tell_watchdog(self, *typed: Command) -> None:
        """What would release everything: before a press, and after every move and release."""
        held = cdp_watchdog.NOTHING["held"]
        if releases := [*typed, *self._releases()]:
            with _reported():
                held = [self._page.target, releases, self._pointer]
        self._watchdog.tell("held", held)

    def _releases(self) -> list[Command]:
        """What releases everything, the last pressed first."""
        keys, buttons = list(self._keys.items()), list(self._buttons)
        releases = [
            _key_up(keys[at][1], _modifiers(name for name, _ in keys[:at]))
            for at in reversed(range(len(keys)))
        ]
        for at in reversed(range(len(buttons))):
            more = {"clickCount": self._presses, "modifiers": 0, "buttons": _bits(buttons[:at])}
            releases.append(self._mouse("mouseReleased", button=buttons[at], **more))
        return releases

    def _mouse(self, kind: str, **more: Any) -> Command:
        params = {
            "type": kind,
            "x": self._pointer.x,
            "y": self._pointer.y,
            "modifiers": self._modifiers,
            "buttons": _bits(self._buttons),
        }
        return "Input.dispatchMouseEvent", params | more

    def _key_down(self, key: PageKey) -> Command:
        """The press of a key; with Ctrl or Super held it writes nothing."""
        modifiers = self._modifiers
        text = "" if modifiers & (CTRL | META) else key.text
        kind = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
        return "Input.dispatchKeyEvent", key.params(modifiers) | kind

    def _strokes(self, text: str, checkpoint: Callable[[], None]) -> Iterator[Command]:
        for key in map(key_of_char, text):
            checkpoint()
            release = _key_up(key, self._modifiers)
            with self._lock:
                self._tell_watchdog(release)
            yield self._key_down(key)
            yield release

    def _count(self, button: Button) -> int:
        """Which press in a row this one is: 2 makes a double click."""
        if self._pressed is None:
            return 1
        when, where, which = self._pressed
        soon = time.monotonic() - when < _REPEATED_SECONDS
        near = math.dist(where, self._pointer) <= _REPEATED_PIXELS
        return self._presses + 1 if soon and near and which == button else 1


def _bits(buttons: Iterable[Button]) -> int:
    return sum(_BUTTON_BITS[button] for button in buttons)


def _modifiers(keys: Iterable[str]) -> int:
    return sum(MODIFIER_BITS.get(key, 0) for key in keys)


def _key_up(key: PageKey, modifiers: int) -> Command:
    return "Input.dispatchKeyEvent", key.params(modifiers) | {"type": "keyUp"}


@contextmanager
def _reported() -> Iterator[None]:
    """Errors of the page as errors of the backend."""
    try:
        yield
    except CdpError as error:
        raise BackendError(str(error)) from error
