"""What became of earlier answers, as far as pictures show: for a model that reads no feedback."""

from __future__ import annotations

from collections.abc import Sequence

from actions.dialects import ParseError, parse
from actions.space import Action, Hotkey, Wait
from agent.policies.base import Observation


def copies(action: Action) -> bool:
    """Whether an action has its effect where no picture shows it: on the clipboard."""
    return isinstance(action, Hotkey) and action.keys == ("ctrl", "c")


def effective(observation: Observation) -> list[str]:
    """What was written, was carried out and changed the picture in any pixel, as in training.

    A button that only looks hovered over after a click was clicked all the same, though the loop
    saw no effect and said so.
    """
    turns = observation.history
    after = [*(turn.frame for turn in turns[1:]), observation.frame]
    return [
        turn.text
        for turn, then in zip(turns, after, strict=False)
        if turn.performed
        and (
            not turn.feedback
            or (turn.frame and then and turn.frame.digest != then.digest)
            or any(copies(action) for action in _first(turn.text))
        )
    ]


def vain(observation: Observation) -> list[Action]:
    """What was carried out on this very picture before, in model space: it led back to it.

    Waiting is never in vain.
    """
    actions: list[Action] = []
    for turn in observation.history:
        frame = turn.frame
        if turn.performed and frame is not None and frame.digest == observation.frame.digest:
            actions += _first(turn.text)
    return [action for action in actions if not isinstance(action, Wait)]


def _first(text: str) -> Sequence[Action]:
    """The first action of an answer, if it can be read."""
    try:
        return parse(text, "uitars").actions[:1]
    except ParseError:
        return ()
