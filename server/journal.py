"""The log of requests, and the net under them.

A line holds method, route, status and milliseconds, and nothing that a client wrote: paths, queries
and bodies can hold tokens and typed text, and so can the messages of unforeseen exceptions.
"""

from __future__ import annotations

import logging
import time
import traceback

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import ApiError, response_to
from server.metrics import Metrics

log = logging.getLogger("server.journal")


class Journal:
    """ASGI middleware, the outermost: every request ends with a status, a line and a count."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.monotonic(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            log.error("%s in\n%s", type(error).__name__, _places(error))
            if status == 0:
                fault = ApiError(500, "the server failed; its log says where")
                await response_to(fault)(scope, receive, noting)
        finally:
            self._note(scope, status, time.monotonic() - start)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = _method(scope), _route(scope)
        self._metrics.ended(method, route, status, seconds)
        log.info("%s %s %d %.1f ms", method, route, status, seconds * 1000)


def _places(error: Exception) -> str:
    """Where it happened, without the message, which may quote what a user typed."""
    return "".join(traceback.format_tb(error.__traceback__)).rstrip()


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "-"


def _route(scope: Scope) -> str:
    """The route's pattern, "-" when none matched."""
    return getattr(scope.get("route"), "path", "-")
