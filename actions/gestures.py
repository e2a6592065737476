"""How each action is played: a sequence of primitive events."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import singledispatch

from actions.backends.base import Backend, BackendError, Browsing
from actions.space import (
    Action,
    Button,
    Click,
    Drag,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NavigateBack,
    Scroll,
    Select,
    Swipe,
    Type,
    Wait,
)
from vision.geometry import Point

_DOUBLE_CLICK_SECONDS = 0.5
_DOUBLE_CLICK_PIXELS = 5
"""Two clicks nearer than that in time and place would become one double click."""
_POINTER_LAG_SECONDS = 1.0
_DRAG_STEP_SECONDS = 0.008
_DRAG_STEP_PIXELS = 16


class Hands:
    """A backend whose every event may be held up by a stop.

    Args:
        backend: where events go.
        checkpoint: called before every event; it may raise to break off.
        pause: sleeps for some seconds; it may raise to break off.
    """

    def __init__(
        self, backend: Backend, checkpoint: Callable[[], None], pause: Callable[[float], None]
    ) -> None:
        self.backend = backend
        self.checkpoint = checkpoint
        self.pause = pause
        self._places = deque([(time.monotonic(), backend.pointer())], maxlen=100)
        self._clicked: tuple[float, Point, Button] | None = None

    def move(self, point: Point) -> None:
        """Put the pointer on a whole pixel."""
        self.checkpoint()
        pixel = Point(math.floor(point.x), math.floor(point.y))
        self._places.append((time.monotonic(), pixel))
        self.backend.move(pixel)

    def recent_places(self) -> Iterator[Point]:
        """Where the pointer may be by our doing, the newest first.

        The server may report an earlier place for a moment, while a window manager looks at a
        click before the application does.
        """
        now = time.monotonic()
        for age, (when, place) in enumerate(reversed(self._places)):
            if age == 0 or now - when < _POINTER_LAG_SECONDS:
                yield place

    def down(self, button: Button) -> None:
        """Press a button."""
        self.checkpoint()
        self.backend.button_down(button)

    def up(self, button: Button) -> None:
        """Release a button."""
        self.checkpoint()
        self.backend.button_up(button)

    def click(self, point: Point, button: Button = Button.LEFT, count: int = 1) -> None:
        """Click there, as a click of its own even right after another one."""
        self.pause(self._until_separate(point, button))
        self.move(point)
        for _ in range(count):
            self.down(button)
            self.up(button)
        self._clicked = (time.monotonic(), point, button)

    def _until_separate(self, point: Point, button: Button) -> float:
        """Seconds until a click there is not taken for the second half of a double click."""
        if self._clicked is None:
            return 0.0
        when, where, which = self._clicked
        near = which == button and math.dist(where, point) <= _DOUBLE_CLICK_PIXELS
        return max(0.0, when + _DOUBLE_CLICK_SECONDS - time.monotonic()) if near else 0.0

    def drag(self, start: Point, end: Point, button: Button = Button.LEFT) -> None:
        """Press, move in small steps as a hand does, release."""
        self.move(start)
        self.down(button)
        steps = min(40, max(8, round(math.dist(start, end) / _DRAG_STEP_PIXELS)))
        for step in range(1, steps + 1):
            self.pause(_DRAG_STEP_SECONDS)
            part = step / steps
            self.move(Point(*(a + (b - a) * part for a, b in zip(start, end, strict=True))))
        self.pause(_DRAG_STEP_SECONDS)
        self.up(button)

    def key_down(self, key: str) -> None:
        """Press a key."""
        self.checkpoint()
        self.backend.key_down(key)

    def key_up(self, key: str) -> None:
        """Release a key."""
        self.checkpoint()
        self.backend.key_up(key)


@singledispatch
def play(action: Action, hands: Hands) -> None:
    """Send the events of one action; whoever calls releases what an exception leaves pressed.

    Raises:
        BackendError: sending broke off, or no sequence of events amounts to this action; see
            `playable`.
    """
    raise BackendError(f"{type(action).__name__} is not made of mouse and keyboard events")


def playable(action: type[Action]) -> bool:
    """Whether mouse and keyboard events can amount to an action of this class."""
    return play.dispatch(action) is not play.dispatch(Action)


@play.register
def _click(action: Click, hands: Hands) -> None:
    hands.click(action.point, action.button, action.count)


@play.register
def _select(action: Select, hands: Hands) -> None:
    hands.click(action.point)


@play.register
def _long_press(action: LongPress, hands: Hands) -> None:
    hands.move(action.point)
    hands.down(Button.LEFT)
    hands.pause(action.seconds)
    hands.up(Button.LEFT)


@play.register
def _drag(action: Drag, hands: Hands) -> None:
    hands.drag(action.start, action.end, action.button)


@play.register
def _swipe(action: Swipe, hands: Hands) -> None:
    hands.drag(action.start, action.end)


@play.register
def _move(action: Move, hands: Hands) -> None:
    hands.move(action.point)


@play.register
def _mouse_down(action: MouseDown, hands: Hands) -> None:
    if action.point is not None:
        hands.move(action.point)
    hands.down(action.button)


@play.register
def _mouse_up(action: MouseUp, hands: Hands) -> None:
    if action.point is not None:
        hands.move(action.point)
    hands.up(action.button)


@play.register
def _scroll(action: Scroll, hands: Hands) -> None:
    if action.point is not None:
        hands.move(action.point)
    hands.checkpoint()
    hands.backend.scroll(action.direction, action.clicks)


@play.register
def _type(action: Type, hands: Hands) -> None:
    if action.point is not None:
        hands.click(action.point)
    text = action.text.replace("\r\n", "\n").replace("\r", "\n")
    if text:
        hands.backend.type_text(text, hands.checkpoint)
    if action.submit:
        hands.key_down("enter")
        hands.key_up("enter")


@play.register
def _hotkey(action: Hotkey, hands: Hands) -> None:
    for key in action.keys:
        hands.key_down(key)
    for key in reversed(action.keys):
        hands.key_up(key)


@play.register
def _key_down(action: KeyDown, hands: Hands) -> None:
    hands.key_down(action.key)


@play.register
def _key_up(action: KeyUp, hands: Hands) -> None:
    hands.key_up(action.key)


@play.register
def _wait(action: Wait, hands: Hands) -> None:
    hands.pause(action.seconds)


@play.register
def _navigate(action: Navigate, hands: Hands) -> None:
    hands.checkpoint()
    _browser(hands).navigate(action.url)


@play.register
def _navigate_back(action: NavigateBack, hands: Hands) -> None:
    hands.checkpoint()
    _browser(hands).back()


def _browser(hands: Hands) -> Browsing:
    if not isinstance(hands.backend, Browsing):
        raise BackendError("this is no browser; use its window with mouse and keyboard")
    return hands.backend
