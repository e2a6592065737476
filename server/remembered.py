"""Conversations that clients continue with `previous_response_id`."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

from agent.policies.chat import Message
from server.errors import ApiError


@dataclass(frozen=True)
class Said:
    """What one response added to its conversation.

    Attributes:
        previous: the response before it, None for the first.
        messages: what the client sent and what was answered; empty once it is forgotten.
    """

    previous: str | None
    messages: tuple[Message, ...]

    @property
    def pixels(self) -> int:
        """Of its pictures."""
        return sum(f.width * f.height for m in self.messages for f in m.frames)


class Remembered:
    """The latest responses, by their ids. Any thread may use it.

    A response that is forgotten leaves a gap in its conversation; what came after it stays. UI-TARS
    clients delete the responses whose pictures should no longer be seen.

    Args:
        pixels: most pixels of all pictures; the oldest responses make room.
        count: most responses.
    """

    def __init__(self, pixels: int, count: int = 256) -> None:
        self._room = pixels
        self._count = count
        self._lock = threading.Lock()
        self._said: OrderedDict[str, Said] = OrderedDict()

    def until(self, name: str) -> tuple[Message, ...]:
        """The conversation up to a response, oldest first.

        Raises:
            ApiError: 404, nothing is known about it.
        """
        with self._lock:
            if name not in self._said:
                raise ApiError(
                    404, "no such response: send the whole input", "previous_response_id"
                )
            turns: list[tuple[Message, ...]] = []
            at: str | None = name
            while at is not None and (said := self._said.get(at)) is not None:
                turns.append(said.messages)
                at = said.previous
        return tuple(message for turn in reversed(turns) for message in turn)

    def add(self, name: str, said: Said) -> None:
        """Remember a response."""
        with self._lock:
            self._said[name] = said
            self._room -= said.pixels
            while len(self._said) > self._count:
                self._room += self._said.popitem(last=False)[1].pixels
            for oldest in list(self._said):
                if self._room >= 0:
                    break
                self._empty(oldest)

    def forget(self, name: str) -> None:
        """Drop what a response said.

        Raises:
            ApiError: 404, nothing is known about it.
        """
        with self._lock:
            if name not in self._said:
                raise ApiError(404, "no such response", "response_id")
            self._empty(name)

    def _empty(self, name: str) -> None:
        self._room += self._said[name].pixels
        self._said[name] = replace(self._said[name], messages=())
