"""A refusal that also arrives: read on for a moment before the connection is closed.

Closing while the client still sends makes the system answer with a reset, and the client may then
lose the response that it has not read yet (curl and Node do; measured with 150 MB bodies).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = 1.0
"""How long an unwanted body is thrown away."""


class Linger:
    """ASGI middleware that holds back the end of a response with `Connection: close`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; the client gets all of the response before the wait begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        closing = False

        async def lingering(message: Message) -> None:
            nonlocal closing
            if message["type"] == "http.response.start":
                closing = Headers(raw=message["headers"]).get("connection") == "close"
            elif closing and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await _throw_away(receive)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app(scope, receive, lingering)


async def _throw_away(receive: Receive) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            while (await receive()).get("more_body", False):
                pass
