"""Requests byte for byte, as no client library would send them."""

from __future__ import annotations

import contextlib
import socket

from tests.server.conftest import TOKEN, Door

BEARER = {"Authorization": f"Bearer {TOKEN.secret}"}


def raw(door: Door, request: str, body: bytes = b"") -> bytes:
    """What the server says to exactly these bytes, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as wire:
        wire.sendall(request.replace("\n", "\r\n").encode("latin-1") + body)
        received = bytearray()
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while piece := wire.recv(65536):
                received += piece
        return bytes(received)


def get(door: Door, *lines: str, path: str = "/v1/models", version: str = "1.1") -> int:
    """The status for a GET with exactly these header lines."""
    head = "\n".join((f"GET {path} HTTP/{version}", *lines, "Connection: close", "", ""))
    return int(raw(door, head).split(b" ")[1])
