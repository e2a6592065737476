"""uvicorn's HTTP/1.1 and WebSockets, with an end to the patience for clients."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from server.errors import ApiError, body_of

_PARTING = 2.0
"""Seconds that a WebSocket client gets to read the last words."""


def with_deadline(seconds: float) -> type[H11Protocol]:
    """A protocol class that closes connections whose request head takes longer than this.

    uvicorn itself waits for ever for a client that connects and says nothing, or sends its headers
    byte by byte; such clients need no token to fill the table of connections.
    """

    class Deadline(H11Protocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._stop()

        def send_400_response(self, msg: str) -> None:
            """What is no HTTP at all also gets an answer in the API's error form."""
            body = body_of(ApiError(400, msg)).model_dump_json().encode()
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            answer = (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=body),
                h11.EndOfMessage(),
            )
            for event in answer:
                self.transport.write(self.conn.send(event) or b"")
            self.transport.close()

        def _watch(self) -> None:
            """The timer runs while a head is incomplete; between requests keep-alive rules."""
            if self.conn.their_state is not h11.IDLE:
                self._stop()
            elif self._timer is None:
                self._timer = self.loop.call_later(seconds, self.transport.close)

        def _stop(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return Deadline


class WebSockets(WebSocketsSansIOProtocol):
    """A WebSocket whose connection also ends when its client reads nothing more.

    uvicorn closes politely: after everything was sent. A client that never reads would keep the
    connection, its buffers and the server's shutdown waiting.
    """

    async def run_asgi(self) -> None:
        """Serve the client; then it has a moment to read the rest."""
        await super().run_asgi()
        self._part()

    async def send(self, message: Any) -> None:
        """Send; after a refusal there is no handshake that uvicorn would have to miss."""
        await super().send(message)
        if self.close_sent:
            self.handshake_complete = True

    def shutdown(self) -> None:
        """The server ends, perhaps while the client says goodbye."""
        try:
            super().shutdown()
        except InvalidState:  # a goodbye was said already; uvicorn would say another one
            self.transport.close()
        self._part()

    def _part(self) -> None:
        self.loop.call_later(_PARTING, self.transport.abort)
