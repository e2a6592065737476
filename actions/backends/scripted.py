"""The backend that writes down what it is told and touches nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from threading import RLock

from actions.backends.base import Backend, BackendError, Browsing, known_key, proceed
from actions.space import Action, Button, Direction
from vision.geometry import Point

_ORIGIN = Point(0, 0)


class Kind(StrEnum):
    """What a recorded event is."""

    MOVE = "move"
    BUTTON_DOWN = "button_down"
    BUTTON_UP = "button_up"
    SCROLL = "scroll"
    KEY_DOWN = "key_down"
    KEY_UP = "key_up"
    TEXT = "text"
    NAVIGATE = "navigate"
    BACK = "back"


@dataclass(frozen=True)
class Event:
    """One primitive event.

    Attributes:
        kind: what happened; it says which of the other fields are set.
        point: where the pointer was, in screen pixels.
        button: of BUTTON_DOWN and BUTTON_UP, else None.
        direction: of SCROLL, else None.
        clicks: of SCROLL, in notches, else 0.
        key: canonical name, of KEY_DOWN and KEY_UP, else empty.
        text: of TEXT, and the address of NAVIGATE; else empty.
    """

    kind: Kind
    point: Point
    button: Button | None = None
    direction: Direction | None = None
    clicks: int = 0
    key: str = ""
    text: str = ""


class ScriptedBackend(Backend, Browsing):
    """Records primitive events, for tests, replay and dry runs.

    Args:
        unsupported: action classes that it shall refuse; by default it does everything.
        pointer: where the pointer is at first.
        fail_at: index of the event that breaks off with `BackendError`; None means none does.
    """

    def __init__(
        self,
        unsupported: Sequence[type[Action]] = (),
        pointer: Point = _ORIGIN,
        fail_at: int | None = None,
    ) -> None:
        self._unsupported = tuple(unsupported)
        self._pointer = pointer
        self._fail_at = fail_at
        self._events: list[Event] = []
        self._buttons: dict[Button, None] = {}
        self._keys: dict[str, None] = {}
        self._lock = RLock()

    @property
    def events(self) -> tuple[Event, ...]:
        """Everything so far, in order."""
        return tuple(self._events)

    @property
    def held_buttons(self) -> tuple[Button, ...]:
        """Buttons that are pressed now, in the order of pressing."""
        return tuple(self._buttons)

    @property
    def held_keys(self) -> tuple[str, ...]:
        """Keys that are pressed now, in the order of pressing."""
        return tuple(self._keys)

    def supports(self, action: type[Action]) -> bool:
        """Everything but what the script excludes."""
        return not issubclass(action, self._unsupported)

    def pointer(self) -> Point:
        """Where the last move went."""
        return self._pointer

    def move(self, point: Point) -> None:
        """Record a move."""
        with self._lock:
            self._record(Event(Kind.MOVE, point))
            self._pointer = point

    def button_down(self, button: Button) -> None:
        """Record a press."""
        with self._lock:
            self._record(Event(Kind.BUTTON_DOWN, self._pointer, button=button))
            self._buttons[button] = None

    def button_up(self, button: Button) -> None:
        """Record a release."""
        with self._lock:
            self._record(Event(Kind.BUTTON_UP, self._pointer, button=button))
            self._buttons.pop(button, None)

    def scroll(self, direction: Direction, clicks: int) -> None:
        """Record a turn of the wheel, however many notches, as one event."""
        with self._lock:
            self._record(Event(Kind.SCROLL, self._pointer, direction=direction, clicks=clicks))

    def key_down(self, key: str) -> None:
        """Record a key press."""
        with self._lock:
            self._record(Event(Kind.KEY_DOWN, self._pointer, key=known_key(key)))
            self._keys[key] = None

    def key_up(self, key: str) -> None:
        """Record a key release."""
        with self._lock:
            self._record(Event(Kind.KEY_UP, self._pointer, key=known_key(key)))
            self._keys.pop(key, None)

    def type_text(self, text: str, checkpoint: Callable[[], None] = proceed) -> None:
        """Record the text, whatever its length, as one event."""
        checkpoint()
        with self._lock:
            self._record(Event(Kind.TEXT, self._pointer, text=text))

    def navigate(self, url: str) -> None:
        """Record an address."""
        with self._lock:
            self._record(Event(Kind.NAVIGATE, self._pointer, text=url))

    def back(self) -> None:
        """Record the way back."""
        with self._lock:
            self._record(Event(Kind.BACK, self._pointer))

    def release_all(self) -> None:
        """Record the releases, keys first, each in reverse order."""
        with self._lock:
            for key in reversed(self._keys):
                self._events.append(Event(Kind.KEY_UP, self._pointer, key=key))
            for button in reversed(self._buttons):
                self._events.append(Event(Kind.BUTTON_UP, self._pointer, button=button))
            self._keys.clear()
            self._buttons.clear()

    def _record(self, event: Event) -> None:
        """Append the event; the caller holds the lock."""
        if len(self._events) == self._fail_at:
            self._fail_at = None
            raise BackendError(f"the script breaks off at event {len(self._events)}, as told")
        self._events.append(event)
