"""How sessions begin and end, the end of their server included."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from agent.episodes.verify import verify
from tests.server.conftest import TOKEN, Door, Open, wait_for
from tests.server.control_kit import (
    FOREVER,
    PRESS,
    Client,
    Desks,
    opened,
    recorded,
    settings,
)


def test_a_session_has_a_display_of_its_own(open_door: Open, tmp_path: Path) -> None:
    client = Client.open(open_door(settings=settings(tmp_path)), width=320, height=240)
    assert client.session["box"] == [0, 0, 320, 240]
    client.take().do("take-over")
    client.do("input", actions=[{"type": "move", "point": [30, 40]}])
    with client.watch() as watcher:
        watcher.until(lambda w: w.pictures and w.pictures[-1]["pointer"] == [30, 40])
        header = {"X-Eyehand-Lease": client.lease}
        assert client.door.http.delete(f"/v1/sessions/{client.id}").status_code == 409
        gone = client.door.http.delete(f"/v1/sessions/{client.id}", headers=header)
        assert gone.status_code == 204
        with pytest.raises(ConnectionClosed):
            watcher.event("never")
    assert client.door.http.get("/v1/sessions").json() == {"sessions": []}
    assert client.door.http.get(f"/v1/sessions/{client.id}").status_code == 404


def test_the_real_display_needs_a_flag_and_has_one_session(open_door: Open, tmp_path: Path) -> None:
    door = open_door(settings=settings(tmp_path), desks=Desks())
    refused = door.http.post("/v1/sessions", json={"display": "real"})
    assert refused.status_code == 403
    assert "--allow-real-display" in refused.json()["error"]["message"]
    door = open_door(settings=settings(tmp_path, real_display=True), desks=Desks())
    assert door.http.post("/v1/sessions", json={"display": "real"}).status_code == 201
    assert door.http.post("/v1/sessions", json={"display": "real"}).status_code == 409


def test_sessions_have_an_end(open_door: Open, tmp_path: Path) -> None:
    door = open_door(settings=settings(tmp_path, sessions=2), desks=Desks())
    codes = [door.http.post("/v1/sessions", json={}).status_code for _ in range(3)]
    assert codes == [201, 201, 429]


@pytest.mark.parametrize(
    "wish",
    [
        {"display": "other"},
        {"width": 1},
        {"height": 100_000},
        {"url": "file:///etc/passwd"},
        {"url": "javascript:alert(1)"},
        {"url": "http://x y"},
    ],
)
def test_a_senseless_wish_is_refused(door: Door, wish: dict[str, Any]) -> None:
    answer = door.http.post("/v1/sessions", json=wish)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_sigterm_under_load_ends_sessions_and_closes_their_episodes(tmp_path: Path) -> None:
    script = Path(__file__).with_name("control_server.py")
    environ = {**os.environ, "EYEHAND_TOKEN": TOKEN.secret, "XDG_RUNTIME_DIR": str(tmp_path)}
    server = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "runs")],
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    try:
        url = re.findall(r"listens on (\S+)\n", server.stderr.readline())[0]
        header = {"Authorization": f"Bearer {TOKEN.secret}"}
        with httpx.Client(base_url=url, headers=header, timeout=30) as http:
            name = http.post("/v1/sessions", json={"width": 320, "height": 240}).json()["id"]
            path = f"/v1/sessions/{name}"
            lease = http.post(f"{path}/lease", json={}).json()["lease"]
            begun = http.post(
                f"{path}/run", json={"instruction": "drag"}, headers={"X-Eyehand-Lease": lease}
            )
            assert begun.status_code == 202
            offers: Any = ["eyehand", f"eyehand.token.{TOKEN.secret}"]
            live = url.replace("http", "ws") + f"{path}/watch"
            with connect(live, subprotocols=offers, max_queue=1), ThreadPoolExecutor(4) as pool:
                load = [pool.submit(http.get, path) for _ in range(40)]
                wait_for(lambda: http.get(path).json()["step"] >= 1)
                server.send_signal(signal.SIGTERM)
                assert server.wait(30) == 0
                assert all(future.exception(timeout=30) or future.result() for future in load)
        assert "Traceback" not in server.stderr.read()
    finally:
        server.kill()
        server.communicate()
    (episode,) = recorded(tmp_path / "runs")
    assert episode.outcome is not None and episode.outcome.end == "stopped"
    assert verify(episode.path).ok


def test_the_servers_end_closes_everything(open_door: Open, tmp_path: Path) -> None:
    desks, client = opened(open_door, tmp_path, [PRESS, *FOREVER])
    other = Client.open(client.door)
    client.take().do("run", instruction="press it")
    other.take().do("run", instruction="press it too", supervised=True)
    other.becomes("asking")
    with client.watch() as watcher, contextlib.suppress(ConnectionClosed):
        watcher.until(lambda w: w.pictures)
        client.door.close()
        watcher.event("never")
    assert desks.closed == 2
    assert all(not (each.held_buttons or each.held_keys) for each in desks.backends)
    episodes = recorded(tmp_path)
    assert [each.outcome and each.outcome.end for each in episodes] == ["stopped", "stopped"]
    assert all(verify(each.path).ok for each in episodes)
