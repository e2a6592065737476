"""What a dialect is: a way to write a step as text, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from actions.dialects.errors import ParseError, RenderError
from actions.space import ENDING, Action, Step
from vision.geometry import Size


@dataclass(frozen=True)
class Dialect(ABC):
    """Writes a step as text and reads it back.

    Reading takes time linear in the length of the text, and text is never executed.

    Attributes:
        name: how the dialect is called in `actions.dialects`.
        extent: the coordinate of the far corner, both axes inclusive; None means absolute pixels
            of the image that the model saw (only negative and non-finite numbers are refused).
    """

    name: str
    extent: Size | None

    @abstractmethod
    def parse(self, text: str) -> Step:
        """The step that a model wrote; points as written, boxes as their centre.

        Raises:
            ParseError: anything else; never another exception.
        """

    @abstractmethod
    def write(self, step: Step) -> str:
        """The text of a step, not yet proven to read back the same.

        Raises:
            RenderError: this dialect has no words for one of the actions.
        """

    def render(self, step: Step) -> str:
        """The text of a step; `parse` of it gives an equal step.

        Raises:
            RenderError: this dialect cannot say it.
        """
        check_order(step.actions)
        text = self.write(step)
        try:
            back = self.parse(text)
        except ParseError as error:
            raise RenderError(f"{self.name} cannot say {step!r}: {error}") from error
        if back.thought != step.thought:
            raise RenderError(
                f"{self.name} reads the thought {step.thought!r} back as {back.thought!r}: "
                "remove white space at its ends and labels such as 'Thought:' inside it"
            )
        if back.actions != step.actions:
            raise RenderError(f"{self.name} reads {step.actions!r} back as {back.actions!r}")
        return text


def check_order(actions: Sequence[Action]) -> None:
    """Refuse a step without actions, or with an action after one that ends the run.

    Raises:
        RenderError: the step is not valid in any dialect.
    """
    if not actions:
        raise RenderError("expected a step with at least one action, actually: none")
    for action in actions[:-1]:
        if isinstance(action, ENDING):
            raise RenderError(f"expected {type(action).__name__} as the last action of the step")
