"""The log of requests, and the net under them.

A line holds method, route, status and milliseconds, and nothing that a client wrote: paths, queries
and bodies can hold tokens and typed text, and so can the messages of unforeseen exceptions.
Refusals, and whatever may change something, are also noted in the audit log.
"""

from __future__ import annotations

import logging
import time
import traceback

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.audit import Audit
from server.errors import ApiError, response_to
from server.metrics import Metrics

log = logging.getLogger("server.journal")
REFUSALS = (400, 401, 403, 415, 421, 429)
"""Statuses that the guard gives."""


class Journal:
    """ASGI middleware, the outermost: every request ends with a status, a line and a count.

    A WebSocket's line comes when it closes, its status is 101 when it was accepted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, audit: Audit) -> None:
        self._app = app
        self._metrics = metrics
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note how it ended."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        start, status = time.monotonic(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            status = status or _status(message)
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
        shown = scope.get("state", {}).get("token", "-")
        self._metrics.ended(method, route, status, seconds)
        facts = {
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "token": shown,
        }
        log.info("%s %s %d", method, route, status, extra={"facts": facts})
        try:
            if shown == "-" and status in REFUSALS:
                self._audit.refused(method=method, status=status)
            elif method not in ("GET", "HEAD", "OPTIONS"):
                self._audit.note("request", **facts)
        except OSError as error:
            log.error("the audit log cannot be written: %s", error.strerror)


def _status(message: Message) -> int:
    """The status that a message settles, 0 when it settles none."""
    match message["type"]:
        case "http.response.start" | "websocket.http.response.start":
            return int(message["status"])
        case "websocket.accept":
            return 101
        case "websocket.close":  # before it was accepted
            return 403
        case _:
            return 0


def _places(error: Exception) -> str:
    """Where it happened, without the message, which may quote what a user typed."""
    return "".join(traceback.format_tb(error.__traceback__)).rstrip()


def _method(scope: Scope) -> str:
    if scope["type"] == "websocket":
        return "WEBSOCKET"
    method = str(scope["method"])
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "-"


def _route(scope: Scope) -> str:
    """The route's pattern, "-" when none matched."""
    return getattr(scope.get("route"), "path", "-")
