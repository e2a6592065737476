"""Watching a session: what is sent, to whom, and who is sent away."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.server.conftest import TOKEN, Open
from tests.server.control_kit import (
    CLICK,
    DONE,
    FOREVER,
    Client,
    opened,
)


def test_only_changed_tiles_are_sent(open_door: Open, tmp_path: Path) -> None:
    desks, client = opened(open_door, tmp_path, [DONE])
    with client.watch() as watcher:
        watcher.until(lambda w: len(w.pictures) == 1)
        desks.screen.pixels[280, 390] = 255
        watcher.until(lambda w: len(w.pictures) == 2)
    first, second = watcher.pictures
    assert (first["size"], first["pointer"]) == ([400, 300], [5, 6])
    assert [tile[:4] for tile in first["tiles"]] == [[0, 0, 400, 300]]
    assert [tile[:4] for tile in second["tiles"]] == [[256, 256, 144, 44]]
    assert len(second["data"]) == second["tiles"][0][4]
    assert second["data"].startswith(b"\xff\xd8")


def test_no_picture_is_taken_that_nobody_can_take_yet(open_door: Open, tmp_path: Path) -> None:
    desks, client = opened(open_door, tmp_path, [DONE])
    with client.watch() as watcher:
        received = 0
        while received < 2:  # so many may be under way, and none is acknowledged
            desks.screen.pixels[:] = 100 + received
            received += isinstance(watcher.socket.recv(timeout=15), bytes)
        before = desks.screen.grabs
        for shade in range(20):
            desks.screen.pixels[:] = shade
            time.sleep(0.05)
        assert desks.screen.grabs <= before + 1  # one may have been wanted before the second came
        watcher.send(type="seen", number=2)
        watcher.until(lambda w: w.pictures)


def test_a_websocket_that_never_reads_is_sent_away_and_disturbs_nobody(
    open_door: Open, tmp_path: Path
) -> None:
    desks, client = opened(open_door, tmp_path, [CLICK, CLICK, DONE], patience=1.0)
    url = f"ws://127.0.0.1:{client.door.port}/v1/sessions/{client.id}/watch"
    offers: Any = ["eyehand", f"eyehand.token.{TOKEN.secret}"]
    with connect(url, subprotocols=offers, max_queue=1) as deaf, client.watch() as watcher:
        for count in range(1, 21):
            watcher.until(lambda w, count=count: len(w.pictures) >= count)
            desks.screen.pixels[:] = 10 * count
        client.take().do("run", instruction="press it")
        assert watcher.event("ended")["outcome"] == "finished"
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                deaf.recv(timeout=15)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1013


def test_a_websocket_whose_buffers_are_full_is_sent_away_and_disturbs_nobody(
    open_door: Open, tmp_path: Path
) -> None:
    desks, client = opened(open_door, tmp_path, [CLICK, DONE], patience=1.0)
    noise = np.random.default_rng(0)
    with deaf_socket(client) as deaf, client.watch() as watcher:
        with pytest.raises(ConnectionError):  # however much the system buffers, it has an end
            for count in range(1, 1000):
                watcher.until(lambda w, count=count: len(w.pictures) >= count)
                desks.screen.pixels[:] = noise.integers(0, 256, desks.screen.pixels.shape)
                deaf.sendall(masked(b'{"type":"seen","number":1000000}'))  # it lies
        client.take().do("run", instruction="press it")
        assert watcher.event("ended")["outcome"] == "finished"


def deaf_socket(client: Client) -> socket.socket:
    """A WebSocket of that session with small buffers, from which nothing is read any more."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.settimeout(20)
    deaf.connect(("127.0.0.1", client.door.port))
    deaf.sendall(
        f"GET /v1/sessions/{client.id}/watch HTTP/1.1\r\nHost: 127.0.0.1:{client.door.port}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
        f"Sec-WebSocket-Protocol: eyehand, eyehand.token.{TOKEN.secret}\r\n\r\n".encode()
    )
    assert deaf.recv(12) == b"HTTP/1.1 101"
    return deaf


def masked(text: bytes) -> bytes:
    """A text frame of a client, masked with zeros."""
    assert len(text) < 126
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text


def test_a_late_watcher_is_told_what_happened(open_door: Open, tmp_path: Path) -> None:
    _, client = opened(open_door, tmp_path, [CLICK, DONE])
    client.take().do("run", instruction="press it")
    client.becomes("idle")
    with client.watch() as watcher:
        watcher.event("ended", outcome="finished")
        watcher.event("decided", thought="the button")


@pytest.mark.parametrize("message", ["", "{}", "[]", '{"type": "fly"}', '{"type": "seen"}', "\0"])
def test_a_message_that_means_nothing_is_told_and_the_view_goes_on(
    open_door: Open, tmp_path: Path, message: str
) -> None:
    desks, client = opened(open_door, tmp_path, [DONE])
    with client.watch() as watcher:
        watcher.until(lambda w: w.pictures)
        watcher.socket.send(message)
        watcher.event("error")
        desks.screen.pixels[:] = 9
        watcher.until(lambda w: len(w.pictures) == 2)


def test_a_token_to_watch_may_watch_and_stop_and_nothing_else(
    open_door: Open, tmp_path: Path
) -> None:
    _, client = opened(open_door, tmp_path, FOREVER)
    client.take().do("run", instruction="press it")
    token = TOKEN.named("watch")
    own = {"Authorization": f"Bearer {token}", "X-Eyehand-Lease": client.lease}
    path = f"/v1/sessions/{client.id}"
    http = client.door.bare
    assert http.get(path, headers=own).json()["state"] == "running"
    assert http.get(f"{path}/screenshot", headers=own).content.startswith(b"\x89PNG")
    for what in ("pause", "take-over", "lease"):
        assert http.post(f"{path}/{what}", headers=own, json={}).status_code == 403
    assert http.delete(path, headers=own).status_code == 403
    with client.watch(token) as watcher:
        watcher.until(lambda w: w.pictures)
        watcher.send(type="heartbeat", lease=client.lease)
        assert "scope" in watcher.event("error")["message"]
    assert http.post(f"{path}/stop", headers=own, json={}).status_code == 200
    client.becomes("idle")
    with pytest.raises(InvalidStatus) as refused, client.watch(TOKEN.named("infer")):
        pass
    assert refused.value.response.status_code == 403


def test_watching_what_is_not_there_is_refused_before_it_opens(
    open_door: Open, tmp_path: Path
) -> None:
    _, client = opened(open_door, tmp_path, [DONE])
    with pytest.raises(InvalidStatus) as refused, Client(client.door, "none").watch():
        pass
    assert refused.value.response.status_code == 404
