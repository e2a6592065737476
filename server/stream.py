"""An answer as server-sent events, while the model still writes it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from typing import Any, Generic, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from agent.policies.base import PolicyError
from server.errors import ApiError
from server.queue import Ticket, while_connected

R = TypeVar("R")

STREAMED: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}
"""For the document of an endpoint whose answer may be streamed."""


class Script(ABC, Generic[R]):
    """The events of one answer, in some API's form; each is the text of one event."""

    @abstractmethod
    def begin(self) -> Iterator[str]:
        """Before the first piece."""

    @abstractmethod
    def piece(self, text: str) -> Iterator[str]:
        """For a piece of text."""

    @abstractmethod
    def end(self, result: R) -> Iterator[str]:
        """After the last piece."""

    @abstractmethod
    def fail(self, error: HTTPException | PolicyError) -> Iterator[str]:
        """Instead of `end`."""


class Stream(Generic[R]):
    """Carries pieces of text from the model's thread to one client.

    Create it on the event loop; `emit` is for the model's thread.

    Args:
        script: the form of the events.
    """

    def __init__(self, script: Script[R]) -> None:
        self._script = script
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()

    def emit(self, text: str) -> None:
        """Hand over a piece."""
        self._loop.call_soon_threadsafe(self._pieces.put_nowait, text)

    async def response(self, ticket: Ticket[R], request: Request) -> StreamingResponse:
        """The response, as soon as there is a first piece: until then errors have a status.

        Raises:
            ApiError: 499, the client has gone.
            PolicyError: the model failed before it wrote anything.
        """
        ticket.future.add_done_callback(self._end)
        try:
            first = await while_connected(self._pieces.get(), request)
            if first is None:
                ticket.future.result()
        except BaseException:
            ticket.leave()
            raise
        return StreamingResponse(
            self._events(ticket, first),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )

    def _end(self, _: object) -> None:
        self._loop.call_soon_threadsafe(self._pieces.put_nowait, None)

    async def _events(self, ticket: Ticket[R], piece: str | None) -> AsyncIterator[str]:
        script = self._script
        try:
            for event in script.begin():
                yield event
            while piece is not None:
                for event in script.piece(piece):
                    yield event
                piece = await self._pieces.get()
            for event in script.end(ticket.future.result()):
                yield event
        except (HTTPException, PolicyError) as error:
            for event in script.fail(error):
                yield event
        except Exception:
            for event in script.fail(ApiError(500, "the server failed; its log says where")):
                yield event
            raise
        finally:
            ticket.leave()
