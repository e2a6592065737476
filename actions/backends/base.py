"""The contract of every executor backend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType

from actions.keys import UnknownKeyError, canonical
from actions.space import Action, Button, Direction
from vision.geometry import Point


class BackendError(RuntimeError):
    """Events could not be sent: no display, lost connection, no such key."""


def proceed() -> None:
    """The checkpoint that never breaks off."""


def known_key(key: str) -> str:
    """The key itself, when its name is canonical.

    Raises:
        BackendError: it is not.
    """
    try:
        name = canonical(key)
    except UnknownKeyError as error:
        raise BackendError(str(error)) from error
    if name != key:
        raise BackendError(f"expected the canonical key name {name!r}, actually: {key!r}")
    return key


class Backend(ABC):
    """Sends primitive input events to one display.

    Points are whole, signed screen pixels. Keys are the canonical names of `actions.keys`.
    Not thread-safe: one caller at a time, except `release_all`, which any thread may call. Every
    method returns after the events were handed to the display server (synced), so that a grab
    that follows sees their effect as soon as the application has drawn it. Whatever was pressed
    through this object is released by `release_all` and by `close`.
    """

    @abstractmethod
    def supports(self, action: type[Action]) -> bool:
        """Whether this backend can perform actions of this class at all."""

    def window(self, point: Point | None) -> str:
        """Class and title of the window at a point, or of the one with the keyboard.

        Returns:
            An empty text where the backend does not know about windows; never raises.
        """
        return ""

    @abstractmethod
    def pointer(self) -> Point:
        """Where the pointer is."""

    @abstractmethod
    def move(self, point: Point) -> None:
        """Put the pointer there."""

    @abstractmethod
    def button_down(self, button: Button) -> None:
        """Press a mouse button."""

    @abstractmethod
    def button_up(self, button: Button) -> None:
        """Release a mouse button."""

    @abstractmethod
    def scroll(self, direction: Direction, clicks: int) -> None:
        """Turn the wheel at the pointer by that many notches."""

    @abstractmethod
    def key_down(self, key: str) -> None:
        """Press a key.

        Raises:
            BackendError: this keyboard has no such key.
        """

    @abstractmethod
    def key_up(self, key: str) -> None:
        """Release a key."""

    @abstractmethod
    def type_text(self, text: str, checkpoint: Callable[[], None] = proceed) -> None:
        """Type any Unicode text; a newline presses Enter, a tab presses Tab.

        Args:
            text: what to type.
            checkpoint: called at least every 20 ms of typing; it may raise to break off.
        """

    @abstractmethod
    def release_all(self) -> None:
        """Release every key and button that is still held. Never raises; safe to repeat."""

    def close(self) -> None:
        """Release what is held and let go of the display. Safe to repeat."""
        self.release_all()

    def __enter__(self) -> Backend:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Browsing(ABC):
    """What a backend can do besides when it drives a browser."""

    @abstractmethod
    def navigate(self, url: str) -> None:
        """Open an address; returns when the page has loaded.

        Raises:
            BackendError: it cannot be opened.
        """

    @abstractmethod
    def back(self) -> None:
        """Go back in the browser's history.

        Raises:
            BackendError: there is nothing to go back to.
        """
