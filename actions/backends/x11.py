"""The backend for X11: XTEST events on any display, several displays in one process.

PyAutoGUI binds to one display when it is imported and types ASCII only, so it serves where there is
one display by nature (`actions.backends.desktop`), and python-xlib speaks to X servers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from threading import RLock

from Xlib import X
from Xlib.display import Display
from Xlib.error import ConnectionClosedError, DisplayError, XError
from Xlib.ext import xtest

from actions.backends import x11_watchdog
from actions.backends.base import Backend, BackendError, known_key, proceed
from actions.backends.watchdog import Watchdog
from actions.backends.x11_keyboard import (
    BorrowedKeys,
    Layout,
    Stroke,
    keysym_of_char,
    keysym_of_key,
)
from actions.backends.x11_ping import Ping
from actions.backends.x11_windows import describe
from actions.backends.xkb import Keyboard
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
from vision.capture import CaptureError, Screen
from vision.geometry import Point

_BUTTONS = {Button.LEFT: 1, Button.MIDDLE: 2, Button.RIGHT: 3}
_WHEEL = {Direction.UP: 4, Direction.DOWN: 5, Direction.LEFT: 6, Direction.RIGHT: 7}
_UNSUPPORTED = (Navigate, NavigateBack, OpenApp, OpenComputer, PressBack, PressHome, Swipe)

_FEWEST_AHEAD, _MOST_AHEAD = 5, 40
_BACKLOG_SECONDS = 0.02
"""So many characters are sent before the application must have caught up, the fewer the longer it
takes: after a stop hardly anything trickles."""
_CATCH_UP_SECONDS = 0.5
_BLIND_SECONDS = 0.03
"""Waited instead where the application does not tell whether it has caught up."""

_HOLD_UP_SECONDS = 1.0

_LOST = (ConnectionClosedError, DisplayError, XError, OSError)


class X11Backend(Backend):
    """Moves the pointer and presses the keys of one X display.

    Args:
        display: its name, such as ":1"; None means the one in $DISPLAY.

    Raises:
        BackendError: there is no such display, or it lacks the XTEST extension.
    """

    def __init__(self, display: str | None = None) -> None:
        try:
            with Screen(display) as screen:
                self._origin = screen.origin
        except CaptureError as error:
            raise BackendError(str(error)) from error
        with ExitStack() as held:
            self._display = _connect(display, held)
            self._ping = Ping(_connect(display, held))
            self._keyboard = Keyboard(self._display)
            self._aside: Display | None = _connect(display, held)
            self._held = held.pop_all()
        self._name = self._display.get_display_name()
        self._watchdog = Watchdog(x11_watchdog.SCRIPT, self._name, x11_watchdog.NOTHING)
        self._watchdog.start()
        self._borrowed = BorrowedKeys(self._tell_rows)
        self._lock = RLock()
        self._buttons: dict[int, None] = {}
        self._keycodes: dict[int, None] = {}
        self._strokes: dict[str, Stroke] = {}
        self._ahead = 2 * _FEWEST_AHEAD
        self._lost = False
        self._closed = False

    def supports(self, action: type[Action]) -> bool:
        """Everything but what only a browser or a phone can do."""
        return not issubclass(action, _UNSUPPORTED)

    def window(self, point: Point | None) -> str:
        """Class and title of the window at a point, or of the one with the keyboard."""
        with suppress(BackendError), self._sending():
            return describe(self._display, None if point is None else self._native(point))
        return ""

    def pointer(self) -> Point:
        """Where the pointer is."""
        with self._sending():
            place = self._display.screen().root.query_pointer()
        return Point(place.root_x - self._origin.x, place.root_y - self._origin.y)

    def move(self, point: Point) -> None:
        """Put the pointer there; the server keeps it on the screen."""
        x, y = self._native(point)
        with self._sending():
            xtest.fake_input(self._display, X.MotionNotify, x=int(x), y=int(y))

    def button_down(self, button: Button) -> None:
        """Press a mouse button, whichever hand the mouse is set up for."""
        with self._sending():
            self._press_button(self._physical(_BUTTONS[button]))
        self._await_button(button, is_down=True)

    def button_up(self, button: Button) -> None:
        """Release a mouse button."""
        with self._sending():
            self._release_button(self._physical(_BUTTONS[button]))
        self._await_button(button, is_down=False)

    def scroll(self, direction: Direction, clicks: int) -> None:
        """Turn the wheel at the pointer by that many notches."""
        with self._sending():
            wheel = self._physical(_WHEEL[direction])
            for _ in range(clicks):
                self._press_button(wheel)
                self._release_button(wheel)

    def key_down(self, key: str) -> None:
        """Press a key, and the Shift or AltGr that this keyboard needs for it.

        A character that the layout lacks is put on a borrowed key, until text is typed or `close`.
        """
        keysym = keysym_of_key(known_key(key))
        with self._sending():
            layout = Layout.read(self._display)
            stroke = layout.strokes.get(keysym)
            if stroke is None:
                stroke = self._borrowed.lend([keysym], layout.spare, self._keyboard)[keysym]
            # What is down already stays down when this key goes up.
            modifiers = tuple(code for code in stroke.modifiers if code not in self._keycodes)
            self._strokes[key] = Stroke(stroke.keycode, modifiers)
            self._press_keys(*modifiers, stroke.keycode)

    def key_up(self, key: str) -> None:
        """Release a key; one that was not pressed through this object is left alone."""
        known_key(key)
        with self._sending():
            stroke = self._strokes.pop(key, None)
            if stroke is not None:
                self._release_keys(stroke.keycode, *stroke.modifiers)

    def type_text(self, text: str, checkpoint: Callable[[], None] = proceed) -> None:
        """Type any Unicode text; characters that the layout lacks go through borrowed keys."""
        with self._sending():
            layout = Layout.read(self._display)
            if layout.caps:
                self._watchdog.tell("caps", True)
                self._keyboard.lock_caps(False)
        try:
            for run in _runs(text, layout):
                self._type_run(run, layout, checkpoint)
        finally:
            self._restore_keyboard(layout.caps)

    def release_all(self) -> None:
        """Release every key and button that is still held. Never raises; safe to repeat."""
        with self._lock:
            if (self._keycodes or self._buttons) and not self._lost:
                with suppress(BackendError, *_LOST), self._apart() as display:
                    for code in reversed(self._keycodes):
                        xtest.fake_input(display, X.KeyRelease, code)
                    for button in reversed(self._buttons):
                        xtest.fake_input(display, X.ButtonRelease, button)
                    display.sync()
            self._keycodes.clear()
            self._buttons.clear()
            self._strokes.clear()
            self._tell_held()

    def close(self) -> None:
        """Release what is held and let go of the display. Safe to repeat."""
        if self._closed:
            return
        self._closed = True
        self.release_all()
        self._restore_keyboard(caps=False)
        self._watchdog.close()
        if self._aside is not None:
            self._aside.display.socket.close()
        self._held.close()

    def _restore_keyboard(self, caps: bool) -> None:
        """Give back borrowed keys and, when it was on, switch Caps Lock on again; never raises."""
        with self._lock:
            if self._lost or not (caps or self._borrowed):
                return
            with suppress(BackendError, *_LOST), self._apart() as display:
                keyboard = Keyboard(display)
                self._borrowed.give_back(keyboard)
                if caps:
                    keyboard.lock_caps(True)
                    self._watchdog.tell("caps", False)

    @contextmanager
    def _apart(self) -> Iterator[Display]:
        """A connection for cleaning up only, made beforehand: making one takes 10 ms or more.

        Ctrl-C in the middle of a request leaves the other one's locks taken for ever, and from a
        thread that is not waiting for them anything can be released at once. This one is not used
        again either, once something has broken it off.
        """
        display, self._aside = self._aside, None
        with ExitStack() as held:
            if display is None:
                display = _connect(self._name, held)
            else:
                held.callback(display.display.socket.close)
            yield display
            while display.pending_events():  # nobody reads what else happened
                display.next_event()
            held.pop_all()
        self._aside = display

    @contextmanager
    def _sending(self) -> Iterator[None]:
        """Hold the lock, send what the block asks for, wait until the server has it."""
        with self._lock:
            try:
                yield
                self._display.sync()
                self._tell_held()
            except _LOST as error:
                self._lost = True
                raise BackendError(
                    f"the display is gone: {error}; restart it and open the backend again"
                ) from error

    def _type_run(self, run: str, layout: Layout, checkpoint: Callable[[], None]) -> None:
        """Type characters that need no more borrowed keys than there are."""
        keysyms = [keysym_of_char(char) for char in run]
        foreign = {keysym for keysym in keysyms if keysym not in layout.strokes}
        with self._sending():
            lent = self._borrowed.lend(foreign, layout.spare, self._keyboard) if foreign else {}
        sent = 0
        for keysym in keysyms:
            checkpoint()
            stroke = layout.strokes.get(keysym) or lent[keysym]
            with self._sending():
                self._press_keys(*stroke.modifiers, stroke.keycode)
                self._release_keys(stroke.keycode, *reversed(stroke.modifiers))
            sent += 1
            if sent >= self._ahead:
                sent = 0
                self._catch_up(checkpoint)
        self._catch_up(checkpoint)

    def _catch_up(self, checkpoint: Callable[[], None]) -> None:
        """Wait until the application has handled what was typed, as far as it can be known."""
        begun = time.monotonic()
        try:
            answered = self._ping.answered(_CATCH_UP_SECONDS, checkpoint)
        except _LOST as error:
            raise BackendError(f"the display is gone while typing: {error}") from error
        is_late = time.monotonic() - begun > _BACKLOG_SECONDS
        wished = self._ahead // 2 if is_late else 2 * self._ahead
        self._ahead = min(_MOST_AHEAD, max(_FEWEST_AHEAD, wished))
        if not answered:
            time.sleep(_BLIND_SECONDS)

    def _await_button(self, button: Button, is_down: bool) -> None:
        """Wait until the press or release has gone through.

        A window manager may hold the pointer's events, but not the keyboard's, until it has looked
        at a click; keys that are sent meanwhile would arrive first, and in the wrong window.
        """
        bit = X.Button1Mask << (_BUTTONS[button] - 1)
        deadline = time.monotonic() + _HOLD_UP_SECONDS
        while time.monotonic() < deadline:
            with self._sending():
                mask = self._display.screen().root.query_pointer().mask
            if bool(mask & bit) == is_down:
                return
            time.sleep(0.001)

    def _native(self, point: Point) -> Point:
        """The point in the server's own pixels."""
        return Point(point.x + self._origin.x, point.y + self._origin.y)

    def _physical(self, logical: int) -> int:
        """The button that the server reports as this one (they may be swapped)."""
        mapping = list(self._display.get_pointer_mapping())
        return mapping.index(logical) + 1 if logical in mapping else logical

    def _tell_held(self) -> None:
        """What is pressed: before a press, after a release."""
        self._watchdog.tell("held", [list(self._keycodes), list(self._buttons)])

    def _tell_rows(self, before: Mapping[int, bytes]) -> None:
        """What keys that are about to be remapped were; none after giving them back."""
        self._watchdog.tell("rows", {str(code): row.hex() for code, row in before.items()})

    def _press_button(self, button: int) -> None:
        self._buttons[button] = None
        self._tell_held()
        xtest.fake_input(self._display, X.ButtonPress, button)

    def _release_button(self, button: int) -> None:
        xtest.fake_input(self._display, X.ButtonRelease, button)
        self._buttons.pop(button, None)

    def _press_keys(self, *keycodes: int) -> None:
        self._keycodes |= dict.fromkeys(keycodes)
        self._tell_held()
        for code in keycodes:
            xtest.fake_input(self._display, X.KeyPress, code)

    def _release_keys(self, *keycodes: int) -> None:
        for code in keycodes:
            xtest.fake_input(self._display, X.KeyRelease, code)
            self._keycodes.pop(code, None)


def _connect(name: str | None, held: ExitStack) -> Display:
    """A connection that can send events; `held` closes it."""
    try:
        display = Display(name)
    except (DisplayError, OSError) as error:
        raise BackendError(
            f"expected the X display {name or '$DISPLAY'}, actually: {error}; set DISPLAY, and "
            "XAUTHORITY (by default ~/.Xauthority) when the server wants a cookie"
        ) from error
    # Not `close`: it flushes first, which a lost display answers with an error, and takes locks,
    # which Ctrl-C may have left taken.
    held.callback(display.display.socket.close)
    if not display.has_extension("XTEST"):
        raise BackendError("the X server lacks the XTEST extension; start it without `-tst`")
    display.set_error_handler(lambda *_: None)  # late errors, such as a window that just closed
    return display


def _runs(text: str, layout: Layout) -> Iterator[str]:
    """Pieces of the text, as long as the spare keycodes allow."""
    room = max(1, len(layout.spare))
    start, foreign = 0, set[int]()
    for index, char in enumerate(text):
        keysym = keysym_of_char(char)
        if keysym in layout.strokes or keysym in foreign:
            continue
        if len(foreign) == room:
            yield text[start:index]
            start, foreign = index, set()
        foreign.add(keysym)
    yield text[start:]
