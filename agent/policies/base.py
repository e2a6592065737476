"""What decides: the policy contract and the records that cross it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

from actions.space import Step
from vision.frame import Frame
from vision.geometry import CoordinateMap


@dataclass(frozen=True)
class Turn:
    """One earlier step as the model should remember it.

    Attributes:
        frame: the screenshot of that step, None when it is not known (API history).
        text: what the model wrote.
        feedback: receipts or the parse error as text; empty when there is nothing to tell.
        performed: whether it was carried out to its end, with an effect or without.
    """

    frame: Frame | None
    text: str
    feedback: str = ""
    performed: bool = True


def still_wanted() -> None:
    """The check of a decision that is waited for to its end."""


@dataclass(frozen=True)
class Observation:
    """All that a policy may look at: pixels and words, never the DOM.

    Attributes:
        instruction: the task.
        frame: the screen now.
        history: earlier steps, oldest first.
        max_tokens: most tokens to write, None leaves it to the policy.
        check: called now and then while a model in this process decides, from any thread; what it
            raises ends the decision. It is no part of what is seen.
    """

    instruction: str
    frame: Frame
    history: tuple[Turn, ...] = ()
    max_tokens: int | None = None
    check: Callable[[], None] = field(default=still_wanted, compare=False, repr=False)


@dataclass(frozen=True)
class Usage:
    """Token counts of one decision; `cached_tokens` of the prompt were not computed again."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one decision."""

    encode_ms: float = 0.0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0
    total_ms: float = 0.0


@dataclass(frozen=True)
class Decision:
    """What a policy decided.

    Attributes:
        text: the model's words, verbatim.
        map: converts this decision's model space to the screen.
        step: the parsed text, None when it did not parse.
        error: why it did not parse (for the model to read), None when it did.
        confidence: 0..1, None when the policy cannot tell.
    """

    text: str
    map: CoordinateMap
    step: Step | None = None
    error: str | None = None
    confidence: float | None = None
    usage: Usage = field(default_factory=Usage)
    timing: Timing = field(default_factory=Timing)


class PolicyError(RuntimeError):
    """The policy cannot decide at all: unreachable server, refused request, broken checkpoint."""


class Policy(ABC):
    """Decides the next step from one observation.

    A text that does not parse is a `Decision` with `error` set, not an exception.

    Attributes:
        parallel: how many calls of `decide` may run at once, each on a thread of its own.
    """

    parallel: int = 1

    @abstractmethod
    def decide(self, observation: Observation) -> Decision:
        """Look and decide.

        Raises:
            PolicyError: no decision can be had; the message names the fix.
        """

    @abstractmethod
    def describe(self) -> dict[str, str]:
        """Name, version and weight hash, for the episode's manifest.

        `dialect` is in it when the policy writes another one than "uitars".
        """

    def close(self) -> None:  # noqa: B027  # most policies hold nothing
        """Let go of connections and memory. Safe to repeat."""
