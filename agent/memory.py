"""History -> chat messages, in an order that keeps a server's prefix cache warm.

Messages are only ever appended. When more pictures have gathered than the model may see, the
pictures of the oldest completed turns go, a whole block at once; their words stay. Between two
evictions every prompt therefore starts with the bytes of the one before it, and an eviction costs
one recomputation per block instead of one per step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agent.policies.base import Observation, Turn
from agent.policies.chat import Message, Role

Remember = Callable[[int, str], str]
"""(1-based step number, what the model wrote) -> what it is reminded of later."""


@dataclass(frozen=True)
class Window:
    """How many pictures a prompt may hold.

    Attributes:
        images: the most pictures in one prompt, the current one included; at least 1.
        block: how many turns lose their picture at once; 1..images.
    """

    images: int = 5
    block: int = 3

    def __post_init__(self) -> None:
        """Refuse a window that could not hold the current picture."""
        if not 1 <= self.block <= self.images:
            raise ValueError(
                f"expected 1 <= block <= images, actually: block {self.block}, images {self.images}"
            )

    def evicted(self, turns: int) -> int:
        """How many of the oldest of `turns` completed turns have lost their picture."""
        surplus = turns + 1 - self.images
        return min(turns, -(-surplus // self.block) * self.block) if surplus > 0 else 0


def verbatim(_number: int, text: str) -> str:
    """Remember the words as they were written."""
    return text


def messages(
    observation: Observation,
    opening: tuple[Message, ...],
    closing: str = "",
    window: Window | None = None,
    remember: Remember = verbatim,
) -> tuple[Message, ...]:
    """The prompt for one decision.

    Args:
        observation: what is known now.
        opening: what comes before the first picture; must not change during a run.
        closing: words after the current picture. They move from step to step, so they are not
            part of the stable prefix.
        window: how many pictures to keep; None means the default window.
        remember: shortens or decorates what the model wrote earlier; must be pure.
    """
    history = observation.history
    evicted = (window or Window()).evicted(len(history))
    chat = list(opening)
    feedback = ""
    for index, turn in enumerate(history):
        chat += _turn(turn, feedback, index >= evicted, remember(index + 1, turn.text))
        feedback = turn.feedback
    now = (feedback, observation.frame, closing)
    chat.append(Message(Role.USER, tuple(part for part in now if part != "")))
    return tuple(chat)


def _turn(turn: Turn, feedback: str, seen: bool, text: str) -> Iterator[Message]:
    """What was shown in one completed turn, then what the model wrote."""
    picture = turn.frame if seen else None
    parts = tuple(part for part in (feedback, picture) if part)
    if parts:
        yield Message(Role.USER, parts)
    yield Message(Role.ASSISTANT, (text,))
