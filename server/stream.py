"""An answer as server-sent events, while the model still writes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from agent.policies.base import PolicyError
from agent.policies.chat import Reply
from server.completion import Heading
from server.errors import ApiError, body_of
from server.queue import Ticket, while_connected

DONE = "data: [DONE]\n\n"


class Stream:
    """Carries pieces of text from the model's thread to one client.

    Create it on the event loop; `emit` is for the model's thread.

    Args:
        heading: shared by all events.
        with_usage: whether the last event holds the usage.
    """

    def __init__(self, heading: Heading, with_usage: bool) -> None:
        self._heading = heading
        self._with_usage = with_usage
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()

    def emit(self, text: str) -> None:
        """Hand over a piece."""
        self._loop.call_soon_threadsafe(self._pieces.put_nowait, text)

    async def response(self, ticket: Ticket[Reply], request: Request) -> StreamingResponse:
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

    async def _events(self, ticket: Ticket[Reply], piece: str | None) -> AsyncIterator[str]:
        try:
            yield _event(self._heading.chunk({"role": "assistant", "content": ""}))
            while piece is not None:
                yield _event(self._heading.chunk({"content": piece}))
                piece = await self._pieces.get()
            reply = ticket.future.result()
            yield _event(self._heading.chunk({}, reply.finish))
            if self._with_usage:
                yield _event(self._heading.usage(reply.usage))
            yield DONE
        except PolicyError as error:
            yield _event(body_of(error))
        except Exception:
            yield _event(body_of(ApiError(500, "the server failed; its log says where")))
            raise
        finally:
            ticket.leave()


def _event(body: BaseModel) -> str:
    return f"data: {body.model_dump_json()}\n\n"
