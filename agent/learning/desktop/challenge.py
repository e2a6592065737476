"""What a task asks for, and how it is known to be done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from actions.space import Action
from agent.learning.desktop.room import Room


def never() -> bool:
    """Of what only the policy or a limit ends."""
    return False


@dataclass(frozen=True)
class Challenge:
    """One episode of a task, in a room where everything is set up.

    Attributes:
        instruction: what the agent is told.
        solved: judges the end by the programs' files, output and exit status; False at first.
        oracle: actions in screen pixels that solve it, each made when the one before is done.
        over: whether there is nothing left to act on.
    """

    instruction: str
    solved: Callable[[], bool]
    oracle: Callable[[], Iterator[Action]]
    over: Callable[[], bool] = never


@dataclass(frozen=True)
class DesktopTask:
    """A kind of challenge.

    Attributes:
        needs: programs that must be installed, each with the way to get it.
        begin: sets an episode up in an empty room; the random numbers decide what it asks.
    """

    needs: tuple[tuple[str, str], ...]
    begin: Callable[[Room, Random], Challenge]
