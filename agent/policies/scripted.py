"""A policy that says what it was told to say: for tests, replay and demonstrations."""

from __future__ import annotations

from collections.abc import Iterable

from actions.dialects import ParseError, find
from agent.policies.base import Decision, Observation, Policy, PolicyError
from vision.geometry import CoordinateMap, Size


class ScriptedPolicy(Policy):
    """Gives prepared texts in order, whatever it sees; model space is that of their dialect.

    Attributes:
        seen: every observation so far, oldest first.
    """

    def __init__(self, texts: Iterable[str], dialect: str = "uitars") -> None:
        self._texts = tuple(texts)
        self._dialect = find(dialect)
        self.seen: list[Observation] = []

    def decide(self, observation: Observation) -> Decision:
        """The next text.

        Raises:
            PolicyError: the script is at its end.
        """
        number = len(self.seen)
        if number >= len(self._texts):
            raise PolicyError(f"the script ended after {number} texts; add one or stop earlier")
        self.seen.append(observation)
        frame, text = observation.frame, self._texts[number]
        size = Size(frame.width, frame.height)
        space = CoordinateMap(frame.box, size, self._dialect.extent or size)
        try:
            return Decision(text, space, step=self._dialect.parse(text))
        except ParseError as error:
            return Decision(text, space, error=str(error))

    def describe(self) -> dict[str, str]:
        """Its kind, dialect and length."""
        return {
            "policy": "scripted",
            "dialect": self._dialect.name,
            "texts": str(len(self._texts)),
        }
