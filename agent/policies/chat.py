"""What answers a chat: the contract between the inference API and a model that writes text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from agent.policies.base import PolicyError, Timing, Usage
from vision.frame import Frame


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True)
class Message:
    """One turn of a chat: texts and pictures in the order in which they were sent."""

    role: Role
    parts: tuple[str | Frame, ...]

    @property
    def text(self) -> str:
        """The texts, one per line; empty when there are only pictures."""
        return "\n".join(part for part in self.parts if isinstance(part, str))

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The pictures."""
        return tuple(part for part in self.parts if isinstance(part, Frame))


class Finish(StrEnum):
    """Why a text ended."""

    STOP = "stop"
    """The model was done, or a stop string came."""
    LENGTH = "length"
    """`max_tokens` or the context was used up."""


@dataclass(frozen=True)
class Reply:
    """A whole answer; `text` does not contain the stop string that ended it."""

    text: str
    finish: Finish = Finish.STOP
    usage: Usage = field(default_factory=Usage)
    timing: Timing = field(default_factory=Timing)


class PromptTooLong(PolicyError):
    """The prompt alone is longer than the context; the message gives both numbers in tokens."""


Emit = Callable[[str], None]
"""Takes the next piece of an answer. It raises when nobody waits any more: let that pass. An empty
piece adds nothing and only asks; a model that keeps its caller waiting sends some.
"""


class ChatModel(ABC):
    """Writes an answer to a chat.

    Messages come as clients send them: runs of the same role, with or without a system message,
    possibly no picture at all.

    Attributes:
        parallel: how many calls may run at once, each on a thread of its own.
    """

    parallel: int = 1

    @property
    @abstractmethod
    def context_tokens(self) -> int:
        """How many tokens prompt and answer may have together."""

    @abstractmethod
    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        stop: tuple[str, ...],
        seed: int | None,
        temperature: float,
        emit: Emit,
    ) -> Reply:
        """Answer, handing out the text piece by piece as it is written.

        Args:
            messages: at least one.
            max_tokens: most tokens to write, 1..context_tokens; where the prompt leaves less room,
                that room is the bound.
            stop: strings that end the answer; they are neither emitted nor returned.
            seed: makes sampling repeatable; None leaves it open.
            temperature: 0..2, 0 is greedy.
            emit: called with every piece; the pieces joined are the reply's text.

        Raises:
            PromptTooLong: the messages do not fit the context.
            PolicyError: no answer can be had; the message names the fix.
        """
