"""Bodies that are too large or too slow."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from agent.policies.base import Decision, Observation
from server.settings import BodyLimits, Settings
from tests.server.conftest import TOKEN, Door, Open, ScriptedPolicy, middle, picture

SMALL = Settings(port=0, body=BodyLimits(size=100_000, grace=0.5, rate=1_000_000))


def head(door: Door, *lines: str) -> bytes:
    """The start of a request to /v1/act."""
    fixed = (
        "POST /v1/act HTTP/1.1",
        f"Host: 127.0.0.1:{door.port}",
        f"Authorization: Bearer {TOKEN.secret}",
        "Content-Type: application/json",
    )
    return "\r\n".join((*fixed, *lines, "", "")).encode()


def read_all(wire: socket.socket) -> bytes:
    """What comes until the end; a reset after the answer is an end, too."""
    received = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while piece := wire.recv(65536):
            received += piece
    return bytes(received)


def test_a_declared_size_beyond_the_limit_is_refused_at_once(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as wire:
        wire.sendall(head(door, "Content-Length: 200000000"))
        answer = read_all(wire)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"type":"request_too_large_error"' in answer


def test_a_200_mb_body_is_refused_to_a_real_client(door: Door) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(200):
            yield b" " * 1_000_000

    headers = {"Content-Type": "application/json", "Content-Length": "200000000"}
    answer = door.http.post("/v1/act", content=pieces(), headers=headers)
    assert answer.status_code == 413


def test_a_body_without_a_declared_size_is_counted_while_it_comes(open_door: Open) -> None:
    policy = ScriptedPolicy()
    door = open_door(policy, settings=SMALL)

    def endless() -> Iterator[bytes]:
        yield b'{"instruction": "'
        for _ in range(20_000):
            yield b"x" * 1000

    answer = door.http.post(
        "/v1/act", content=endless(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert policy.seen == []


def test_a_lie_about_the_size_does_not_help(open_door: Open) -> None:
    door = open_door(settings=SMALL)
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as wire:
        lines = ("Content-Length: 5", "Transfer-Encoding: chunked")
        wire.sendall(head(door, *lines) + b"30d40\r\n" + b"x" * 200_000)
        assert read_all(wire).split(b" ")[1] in (b"400", b"413")


@pytest.mark.parametrize("length", ["-5", "5, 6", "x", "1" * 5000])
def test_a_nonsense_size_is_refused(door: Door, length: str) -> None:
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as wire:
        wire.sendall(head(door, f"Content-Length: {length}"))
        assert read_all(wire).split(b" ")[1] in (b"400", b"413")


def test_a_body_that_comes_byte_by_byte_times_out(open_door: Open) -> None:
    policy = ScriptedPolicy()
    door = open_door(policy, settings=SMALL)
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as wire:
        wire.sendall(head(door, "Content-Length: 1000"))
        wire.settimeout(0.1)
        answer = b""
        for _ in range(100):
            wire.sendall(b"x")
            try:
                answer = wire.recv(65536)
                break
            except TimeoutError:
                continue
        wire.settimeout(10)
        answer += read_all(wire)  # head and body may come one after the other
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"type":"timeout_error"' in answer
    assert policy.seen == []


def test_a_body_that_never_comes_times_out(open_door: Open) -> None:
    door = open_door(settings=SMALL)
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as wire:
        wire.sendall(head(door, "Content-Length: 1000"))
        assert read_all(wire).startswith(b"HTTP/1.1 408")


def test_a_slow_client_does_not_stop_the_others(open_door: Open) -> None:
    door = open_door(settings=SMALL)
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as wire:
        wire.sendall(head(door, "Content-Length: 1000") + b"{")
        assert door.act(screenshot=picture(100, 80)).status_code == 200


def test_thinking_longer_than_the_body_may_take_is_fine(open_door: Open) -> None:
    def slow(observation: Observation) -> Decision:
        time.sleep(1.0)
        return middle(observation)

    door = open_door(ScriptedPolicy(slow), settings=SMALL)
    assert door.act().status_code == 200


def test_a_refusal_reaches_a_client_that_sends_on(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as wire:
        start = head(door, "Content-Length: 5000000").replace(b"Bearer t", b"Bearer u")
        wire.sendall(start + b"x" * 5_000_000)
        received = bytearray()
        while piece := wire.recv(65536):
            received += piece
    assert received.startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize("start", [b"", b"GET /v1/models HTTP/1.1\r\nHost: 127"])
def test_a_head_that_never_ends_times_out(open_door: Open, start: bytes) -> None:
    door = open_door(settings=Settings(port=0, head=0.3))
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as wire:
        wire.sendall(start)
        assert wire.recv(1) == b""


def test_an_idle_connection_outlives_the_time_for_a_head(open_door: Open) -> None:
    door = open_door(settings=Settings(port=0, head=0.3))
    wire = HTTPConnection("127.0.0.1", door.port, timeout=10)
    wire.connect()
    first = wire.sock
    for _ in range(3):
        wire.request("GET", "/healthz", headers={"Authorization": f"Bearer {TOKEN.secret}"})
        assert wire.getresponse().read() == b'{"status":"ok"}'
        time.sleep(0.5)
    assert wire.sock is first
    wire.close()
