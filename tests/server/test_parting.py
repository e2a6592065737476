"""The server may end at any moment of a WebSocket's life."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from server.protocol import WebSockets

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)
GOODBYE = b"\x88\x80\0\0\0\0"
"""A client's close frame, masked with zeros."""


class Line(asyncio.Transport):
    """A connection whose other end reads nothing, so that it closes late."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = 0

    def write(self, data: Any) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed += 1

    def abort(self) -> None:
        self.closed += 1

    def is_closing(self) -> bool:
        return self.closed > 0


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Accepts, and listens until the client has gone."""
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})


def test_it_ends_while_a_client_says_goodbye() -> None:
    async def life() -> Line:
        config = Config(echo, ws=WebSockets, lifespan="off", log_config=None)
        config.load()
        protocol = WebSockets(config, ServerState(), {})
        line = Line()
        protocol.connection_made(line)
        protocol.data_received(HANDSHAKE)
        while b"101" not in line.sent:
            await asyncio.sleep(0)
        protocol.data_received(GOODBYE)
        protocol.shutdown()
        await asyncio.gather(*protocol.tasks)
        return line

    line = asyncio.run(asyncio.wait_for(life(), 10))
    assert line.sent.endswith(b"\x88\x00") and line.closed
