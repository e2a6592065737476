"""Which primitive events an action amounts to, found by playing it on a backend without a screen.

The events of an action are the same on every machine, so an episode pins them down: replaying it
with a later version of this program shows every one that is different.
"""

from __future__ import annotations

from actions.backends.base import BackendError, proceed
from actions.backends.scripted import Event, Kind, ScriptedBackend
from actions.gestures import Hands, play, playable
from actions.objections import objections
from actions.space import Action


class Refusal(Exception):
    """The hands do not perform this action; the text says why."""


class Rehearsal:
    """Plays actions one after the other, in no time; keys and buttons stay held in between."""

    def __init__(self) -> None:
        self._backend = ScriptedBackend()
        self._hands = Hands(self._backend, checkpoint=proceed, pause=_no_time)

    def perform(self, action: Action) -> tuple[str, ...]:
        """The events of an action in screen pixels, one per text.

        Raises:
            Refusal: the executor would refuse it, or sending its events would break off.
        """
        if not playable(type(action)):
            raise Refusal(f"{type(action).__name__} is not made of mouse and keyboard events")
        faults = "; ".join(objections(action, None))
        if faults:
            raise Refusal(faults)
        before = len(self._backend.events)
        try:
            play(action, self._hands)
        except BackendError as error:
            self._backend.release_all()
            raise Refusal(str(error)) from error
        return tuple(words(event) for event in self._backend.events[before:])

    def release(self) -> None:
        """What the executor does when an action fails."""
        self._backend.release_all()


def words(event: Event) -> str:
    """A primitive event as one line, such as `move 12 -3`, `scroll down 5` or `text grüße`."""
    match event.kind:
        case Kind.MOVE:
            return f"move {event.point.x:.0f} {event.point.y:.0f}"
        case Kind.BUTTON_DOWN | Kind.BUTTON_UP:
            return f"{event.kind} {event.button}"
        case Kind.SCROLL:
            return f"scroll {event.direction} {event.clicks}"
        case Kind.KEY_DOWN | Kind.KEY_UP:
            return f"{event.kind} {event.key}"
        case Kind.TEXT | Kind.NAVIGATE:
            return f"{event.kind} {event.text}"
        case Kind.BACK:
            return "back"


def _no_time(seconds: float) -> None:
    """Pauses are for real screens."""
