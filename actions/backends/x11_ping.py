"""Learning whether an application has handled the input that was sent to it."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Any

from Xlib import X
from Xlib.display import Display
from Xlib.error import XError
from Xlib.protocol.event import ClientMessage

_POLL_SECONDS = 0.004


class Ping:
    """Asks the focused application for a sign of life (_NET_WM_PING).

    Window managers use this to find hung programs, so nearly every toolkit answers. The question
    queues up behind the key events in the application's own event stream; hence its answer says
    that those have been handled. Not thread-safe.

    Args:
        display: a connection that nothing else uses.
    """

    def __init__(self, display: Display) -> None:
        self._display = display
        self._root = display.screen().root
        self._protocols = display.intern_atom("WM_PROTOCOLS")
        self._ping = display.intern_atom("_NET_WM_PING")
        self._serial = int(time.monotonic() * 1000) & 0x7FFFFFFF

    def answered(self, seconds: float, checkpoint: Callable[[], None]) -> bool:
        """Whether the application handled everything sent before this call.

        Args:
            seconds: how long to wait for the answer at most.
            checkpoint: called every few milliseconds of waiting; it may raise to break off.

        Returns:
            False when the time is over, or when the focused window does not take part.
        """
        window = self._focused()
        if window is None:
            return False
        self._root.change_attributes(event_mask=X.SubstructureNotifyMask)  # where answers go
        try:
            self._ask(window)
            return self._await_answer(time.monotonic() + seconds, checkpoint)
        finally:
            self._root.change_attributes(event_mask=X.NoEventMask)
            self._display.sync()
            self._drop_events()

    def _focused(self) -> Any:
        """The focused application's window that takes part, None when there is none."""
        window = self._display.get_input_focus().focus
        if isinstance(window, int):  # no window at all, or whichever is under the pointer
            window = self._root.query_pointer().child
        try:
            while window and window != self._root:
                if self._ping in (window.get_wm_protocols() or ()):
                    return window
                window = window.query_tree().parent
        except XError:  # the window was closed meanwhile
            pass
        return None

    def _ask(self, window: Any) -> None:
        self._serial = (self._serial + 1) & 0x7FFFFFFF
        data = (32, [self._ping, self._serial, window.id, 0, 0])
        question = ClientMessage(window=window, client_type=self._protocols, data=data)
        window.send_event(question, event_mask=X.NoEventMask, onerror=lambda *_: None)
        self._display.flush()

    def _await_answer(self, deadline: float, checkpoint: Callable[[], None]) -> bool:
        while True:
            while self._display.pending_events():
                if self._is_answer(self._display.next_event()):
                    return True
            if time.monotonic() > deadline:
                return False
            checkpoint()
            select.select([self._display.fileno()], [], [], _POLL_SECONDS)

    def _is_answer(self, event: Any) -> bool:
        return (
            event.type == X.ClientMessage
            and event.client_type == self._protocols
            and list(event.data[1][:2]) == [self._ping, self._serial]
        )

    def _drop_events(self) -> None:
        """Nobody reads what else happened; it must not pile up."""
        while self._display.pending_events():
            self._display.next_event()
