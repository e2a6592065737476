"""What became of earlier answers, as far as pictures show: for a model that reads no feedback."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from actions.dialects import ParseError, parse
from actions.space import Action, Hotkey, Wait
from agent.policies.base import Observation


def copies(action: Action) -> bool:
    """Whether an action has its effect where no picture shows it: on the clipboard."""
    return isinstance(action, Hotkey) and action.keys == ("ctrl", "c")


def remembered_as_done(
    actions: Iterable[Action], performed: bool, feedback: str, changed: bool
) -> bool:
    """Whether an answer is told to the embedded model later on, at run time as in training.

    A button that only looks hovered over after a click was clicked all the same, though the loop
    saw no effect and said so.

    Args:
        actions: of the answer.
        performed: whether they were carried out.
        feedback: what the loop said about them.
        changed: whether the next picture differs in any pixel.
    """
    return performed and (not feedback or changed or any(map(copies, actions)))


def effective(observation: Observation) -> list[str]:
    """What was written and is remembered, see `remembered_as_done`."""
    turns = observation.history
    after = [*(turn.frame for turn in turns[1:]), observation.frame]
    return [
        turn.text
        for turn, then in zip(turns, after, strict=False)
        if remembered_as_done(
            _first(turn.text),
            turn.performed,
            turn.feedback,
            turn.frame is not None and then is not None and turn.frame.digest != then.digest,
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
