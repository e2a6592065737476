"""From events to actions as a person means them: clicks, drags, typed text, hotkeys, scrolls.

Pure and without a clock of its own: events go in with their times, finished deeds come out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from actions.keys import MODIFIERS
from actions.space import (
    Action,
    Click,
    Drag,
    Hotkey,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Scroll,
    Type,
    Wait,
)
from agent.recording.inputs import Input, What

DOUBLE_CLICK_SECONDS = 0.5
DOUBLE_CLICK_PIXELS = 5
DRAG_PIXELS = 6
"""A press that travels less before its release is a click by an unsteady hand."""
LONG_PRESS_SECONDS = 0.8
SCROLL_SECONDS = 1.0
TYPING_SECONDS = 2.0
"""A pause that ends a text, a scroll: the person looked before going on."""

_ORDER = ("ctrl", "alt", "shift", "super")
_COMMANDS = MODIFIERS - {"shift"}


@dataclass(frozen=True)
class Deed:
    """One thing that a person did.

    Attributes:
        actions: in screen pixels.
        first: the event that it began with; its frame is what the person saw.
        secret: the text of its `Type` must not be recorded.
    """

    actions: tuple[Action, ...]
    first: Input
    secret: bool = False


@dataclass
class Composer:
    """Gathers events into deeds.

    Attributes:
        patience: seconds of silence that end a text.
    """

    patience: float = TYPING_SECONDS
    _pressed: Input | None = None
    _clicks: list[Input] = field(default_factory=list)
    _wheel: list[Input] = field(default_factory=list)
    _typed: list[Input] = field(default_factory=list)
    _text: str = ""
    _alone: Input | None = None

    def feed(self, event: Input) -> Iterator[Deed]:
        """The deeds that are over with this event."""
        yield from self.wait(event.time)
        match event.what:
            case What.PRESS:
                yield from self._end_all(but_clicks=True)
                yield from self._unless_again(event)
                self._alone, self._pressed = None, event
            case What.RELEASE:
                yield from self._release(event)
            case What.WHEEL:
                yield from self._roll(event)
            case What.KEY_DOWN:
                yield from self._key(event)
            case What.KEY_UP:
                yield from self._key_up(event)

    def wait(self, now: float) -> Iterator[Deed]:
        """The deeds that are over because nothing followed them."""
        if self._clicks and now - self._clicks[-1].time > DOUBLE_CLICK_SECONDS:
            yield from self._end_clicks()
        if self._wheel and now - self._wheel[-1].time > SCROLL_SECONDS:
            yield from self._end_wheel()
        if self._typed and now - self._typed[-1].time > self.patience:
            yield from self._end_typing()

    def end(self) -> Iterator[Deed]:
        """What is left; a button that is still pressed counts for nothing."""
        yield from self._end_all()
        self._pressed = self._alone = None

    def _end_all(self, but_clicks: bool = False) -> Iterator[Deed]:
        if not but_clicks:
            yield from self._end_clicks()
        yield from self._end_wheel()
        yield from self._end_typing()

    def _unless_again(self, event: Input) -> Iterator[Deed]:
        """End the clicks before, unless this press goes on with them."""
        if self._clicks and (len(self._clicks) == 3 or not _again(self._clicks[-1], event)):
            yield from self._end_clicks()

    def _release(self, event: Input) -> Iterator[Deed]:
        """A click, a long press or a drag, as far and as long as the button was down."""
        start = self._pressed
        if start is None or start.button != event.button or start.button is None:
            return
        self._pressed = None
        if math.dist(start.point, event.point) >= DRAG_PIXELS:
            yield from self._end_clicks()
            yield _deed(start, Drag(start.point, event.point, start.button))
        elif event.time - start.time >= LONG_PRESS_SECONDS:
            yield from self._end_clicks()
            held = Wait(round(event.time - start.time, 1))
            down = MouseDown(start.point, start.button)
            yield _deed(start, down, held, MouseUp(None, start.button))
        else:
            self._clicks.append(start)

    def _end_clicks(self) -> Iterator[Deed]:
        clicks, self._clicks = self._clicks, []
        if clicks and clicks[0].button is not None:
            yield _deed(clicks[0], Click(clicks[0].point, clicks[0].button, len(clicks)))

    def _roll(self, event: Input) -> Iterator[Deed]:
        """One more notch, or the first one in another direction or place."""
        yield from self._end_clicks()
        yield from self._end_typing()
        last = self._wheel[-1] if self._wheel else event
        far = math.dist(last.point, event.point) > 10 * DRAG_PIXELS
        if last.direction != event.direction or last.held != event.held or far:
            yield from self._end_wheel()
        self._alone = None
        self._wheel.append(event)

    def _end_wheel(self) -> Iterator[Deed]:
        wheel, self._wheel = self._wheel, []
        if wheel and wheel[0].direction is not None:
            yield _deed(wheel[0], Scroll(wheel[0].direction, wheel[0].point, len(wheel)))

    def _key(self, event: Input) -> Iterator[Deed]:
        yield from self._end_clicks()
        yield from self._end_wheel()
        if event.key in MODIFIERS:
            self._alone = event if not event.held else None
            return
        self._alone = None
        if event.text and not event.held & _COMMANDS and event.text.isprintable():
            if self._typed and self._typed[-1].secret != event.secret:
                yield from self._end_typing()
            self._typed.append(event)
            self._text += event.text
        elif self._typed and event.key == "backspace" and not event.held:
            self._typed.append(event)
            self._text = self._text[:-1]
        elif self._typed and event.key == "enter" and not event.held:
            yield from self._end_typing(submit=True)
        elif event.key:
            yield from self._end_typing()
            yield Deed((Hotkey((*_sorted(event.held), event.key)),), event)

    def _key_up(self, event: Input) -> Iterator[Deed]:
        """A modifier that was pressed for its own sake, such as super for the menu."""
        alone, self._alone = self._alone, None
        if alone is not None and alone.key == event.key and event.key in ("super", "alt"):
            yield from self._end_typing()
            yield Deed((Hotkey((event.key,)),), alone)

    def _end_typing(self, submit: bool = False) -> Iterator[Deed]:
        typed, text = self._typed, self._text
        self._typed, self._text = [], ""
        if typed and text:
            yield Deed((Type(text, submit),), typed[0], typed[0].secret)
        elif typed and submit:
            yield Deed((Hotkey(("enter",)),), typed[0])


def _again(click: Input, event: Input) -> bool:
    """Whether a press makes one more click of the same series."""
    near = math.dist(click.point, event.point) <= DOUBLE_CLICK_PIXELS
    soon = event.time - click.time <= DOUBLE_CLICK_SECONDS
    return near and soon and click.button == event.button and click.held == event.held


def _deed(first: Input, *actions: Action) -> Deed:
    """What the mouse did, between presses of the modifiers that were held meanwhile."""
    held = _sorted(first.held)
    down, up = (KeyDown(key) for key in held), (KeyUp(key) for key in reversed(held))
    return Deed((*down, *actions, *up), first)


def _sorted(keys: frozenset[str]) -> tuple[str, ...]:
    return tuple(key for key in _ORDER if key in keys)
