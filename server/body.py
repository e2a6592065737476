"""How much body a request may send, and how slowly."""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import ApiError, response_to
from server.settings import BodyLimits

CLOSE = {"Connection": "close"}


class BodyLimit:
    """ASGI middleware that counts and times a body while it arrives."""

    def __init__(self, app: ASGIApp, limits: BodyLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a `receive` that raises `ApiError` at the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length) > self._limits.size:
            await response_to(_too_large(self._limits))(scope, receive, send)
            return
        await self._app(scope, _Meter(receive, self._limits), send)


class _Meter:
    """Receives one request's messages."""

    def __init__(self, receive: Receive, limits: BodyLimits) -> None:
        self._receive = receive
        self._limits = limits
        self._bytes = 0
        self._start = time.monotonic()
        self._more = True

    async def __call__(self) -> Message:
        # After the body only the news that the client has gone can come: wait for it without end.
        if not self._more:
            return await self._receive()
        message = await self._in_time()
        self._bytes += len(message.get("body", b""))
        self._more = message.get("more_body", False)
        if self._bytes > self._limits.size:
            raise _too_large(self._limits)
        return message

    async def _in_time(self) -> Message:
        limits = self._limits
        allowed = limits.grace + self._bytes / limits.rate
        left = allowed - (time.monotonic() - self._start)
        try:
            async with asyncio.timeout(max(left, 0)):
                return await self._receive()
        except TimeoutError:
            raise ApiError(
                408,
                f"the body came too slowly: {self._bytes} bytes in {allowed:.0f} s, expected at "
                f"least {limits.rate} bytes/s after {limits.grace:.0f} s",
                headers=CLOSE,
            ) from None


def _too_large(limits: BodyLimits) -> ApiError:
    return ApiError(
        413,
        f"the body is larger than {limits.size} bytes: send fewer or smaller screenshots",
        headers=CLOSE,
    )
