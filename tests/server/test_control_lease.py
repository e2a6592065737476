"""The lease: who gets it, what keeps it, and what its end does."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from Xlib import X
from Xlib.display import Display

from actions.space import Button
from agent.environments.display import VirtualDisplay
from tests.server.conftest import Open, wait_for
from tests.server.control_kit import (
    DONE,
    DRAG,
    Client,
    desk_on,
    opened,
    settings,
)


def test_two_clients_fight_for_the_lease_and_one_gets_it(open_door: Open, tmp_path: Path) -> None:
    _, client = opened(open_door, tmp_path, [DONE])
    answers: list[Any] = []
    path = f"/v1/sessions/{client.id}/lease"
    threads = [
        threading.Thread(target=lambda: answers.append(client.door.http.post(path, json={})))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [answer for answer in answers if answer.status_code == 201]
    lost = [answer for answer in answers if answer.status_code == 409]
    assert (len(won), len(lost)) == (1, 11)
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in lost)
    assert client.post("run", instruction="mine")[0] == 409
    client.lease = won[0].json()["lease"]
    header = {"X-Eyehand-Lease": client.lease}
    assert client.door.http.put(path, headers=header, json={}).status_code == 204
    assert client.door.http.delete(path, headers=header).status_code == 204
    assert client.door.http.put(path, headers=header, json={}).status_code == 409
    client.take()


def test_a_lease_that_expires_in_the_middle_of_the_agents_drag_pauses_it(
    open_door: Open, tmp_path: Path
) -> None:
    desks, client = opened(open_door, tmp_path, [DRAG] * 400, lease=0.7)
    with client.watch() as watcher:
        client.take().do("run", instruction="drag it", max_steps=400)
        session = watcher.state("paused")
    assert session["reason"] == "its controller has gone silent"
    assert desks.backends[0].held_buttons == ()
    sent = len(desks.backends[0].events)
    wait_for(lambda: not client.session["controlled"])
    assert client.post("resume")[0] == 409
    client.take().do("resume")
    wait_for(lambda: len(desks.backends[0].events) > sent)
    client.do("stop")
    client.becomes("idle")
    assert desks.backends[0].held_buttons == ()


def test_a_lease_that_expires_in_the_middle_of_a_persons_drag_releases_the_button(
    open_door: Open, tmp_path: Path, display: VirtualDisplay
) -> None:
    door = open_door(settings=settings(tmp_path, lease=0.7), desks=desk_on(display.name))
    client, x = Client.open(door), Display(display.name)

    def pressed() -> bool:
        return bool(x.screen().root.query_pointer().mask & X.Button1Mask)

    try:
        with client.watch() as watcher:
            client.take().do("take-over")
            down = {"type": "mouse_down", "point": [100, 100], "button": "left"}
            moves = [{"type": "move", "point": [100 + n, 100]} for n in range(20)]
            watcher.send(type="input", lease=client.lease, actions=[down, *moves])
            wait_for(pressed)
            watcher.state("taken_over")
            watcher.until(lambda w: w.events[-1].get("session", {}).get("state") == "idle")
            assert not pressed()
            watcher.send(type="input", lease=client.lease, actions=moves)
            assert "lease" in watcher.event("error")["message"]
    finally:
        x.close()


def test_what_a_person_holds_is_released_when_their_connection_breaks(
    open_door: Open, tmp_path: Path
) -> None:
    desks, client = opened(open_door, tmp_path, [DONE])
    client.take().do("take-over")
    with client.watch() as watcher:
        down = {"type": "mouse_down", "point": [9, 9]}
        watcher.send(type="input", lease=client.lease, actions=[down])
        wait_for(lambda: desks.backends[0].held_buttons == (Button.LEFT,))
    wait_for(lambda: desks.backends[0].held_buttons == ())


def test_heartbeats_keep_the_lease(open_door: Open, tmp_path: Path) -> None:
    _, client = opened(open_door, tmp_path, [DONE], lease=0.6)
    with client.watch() as watcher:
        client.take()
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            watcher.send(type="heartbeat", lease=client.lease)
            time.sleep(0.1)
        assert client.session["controlled"]
        wait_for(lambda: not client.session["controlled"])
