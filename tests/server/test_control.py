"""Sessions: who may drive them, what a pause, a take-over and a stop do, and how they end."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from Xlib import X
from Xlib.display import Display

from actions.backends.scripted import Kind
from actions.space import Button
from agent.environments.display import VirtualDisplay
from agent.episodes.reader import Episode
from agent.episodes.verify import verify
from agent.policies.base import Decision, Observation
from agent.policies.scripted import ScriptedPolicy as Texts
from tests.server.conftest import TOKEN, Door, Open, ScriptedPolicy, middle, wait_for
from tests.server.control_kit import Client, Desks, desk_on, settings

CLICK = "Thought: the button\nAction: click(start_box='(500,500)')"
DRAG = "Action: drag(start_box='(100,100)', end_box='(900,900)')"
PRESS = "Action: mouse_down(start_box='(500,500)')"
DONE = "Thought: it is done\nAction: finished(content='ok')"
FOREVER = [f"Action: click(start_box='({n},500)')" for n in range(1000)]


def opened(open_door: Open, folder: Path, texts: list[str], **control: Any) -> tuple[Desks, Client]:
    desks = Desks()
    door = open_door(Texts(texts), settings=settings(folder, **control), desks=desks)
    return desks, Client.open(door)


def recorded(folder: Path) -> list[Episode]:
    return [Episode.open(path.parent) for path in sorted(folder.glob("*/*/manifest.json"))]


# A task


def test_a_task_is_told_before_it_acts_and_recorded(open_door: Open, tmp_path: Path) -> None:
    _, client = opened(open_door, tmp_path, [CLICK, DRAG, DONE])
    client.take()
    with client.watch() as watcher:
        client.do("run", instruction="press it")
        ended = watcher.event("ended")
        told = [event for event in watcher.events if event["type"] not in ("state", "thinking")]
    assert (ended["outcome"], ended["message"], ended["steps"]) == ("finished", "ok", 3)
    kinds = [event["type"] for event in told]
    step = ["decided", "acting", "stepped"]
    assert kinds == ["started", *step, *step, "decided", "stepped", "ended"]
    assert told[1]["thought"] == "the button"
    assert told[1]["actions"][0]["action"]["point"] == [200, 150]
    assert told[3]["receipts"][0]["outcome"] == "no_visible_effect"
    (episode,) = recorded(tmp_path)
    assert episode.head.instruction == "press it"
    assert verify(episode.path).ok
    assert client.session["state"] == "idle"


def test_supervised_nothing_happens_without_consent(open_door: Open, tmp_path: Path) -> None:
    desks, client = opened(open_door, tmp_path, [CLICK, CLICK, DONE])
    client.take().do("run", instruction="press it", supervised=True)
    question = client.becomes("asking")["question"]
    assert (question["number"], question["what"]) == (1, "click (200, 150)")
    assert desks.backends[0].events == ()
    assert client.post("approve", question=2)[0] == 409
    client.do("deny", question=1)
    client.do("approve", question=client.becomes("asking")["question"]["number"])
    client.becomes("idle")
    (episode,) = recorded(tmp_path)
    outcomes = [[each.outcome for each in step.receipts] for step in episode.steps]
    assert outcomes == [["refused"], ["no_visible_effect"], []]
    pressed = [event.kind for event in desks.backends[0].events]
    assert pressed.count(Kind.BUTTON_DOWN) == 1


def test_step_by_step(open_door: Open, tmp_path: Path) -> None:
    _, client = opened(open_door, tmp_path, [CLICK, CLICK, CLICK, DONE])
    client.take()
    with client.watch() as watcher:
        client.do("run", instruction="press it", supervised=True)
        client.becomes("asking")
        client.do("step")  # the step that waits ends, and one more is taken
        client.do("supervise", supervised=False)
        client.do("approve", question=1)
        client.becomes("paused")
        assert client.session["reason"] == "one step at a time"
        before = client.session["step"]
        client.do("step")
        watcher.event("stepped", step=before + 1)
        client.becomes("paused")
        client.do("resume")
        assert watcher.event("ended")["outcome"] == "finished"


def test_one_task_at_a_time(open_door: Open, tmp_path: Path) -> None:
    _, client = opened(open_door, tmp_path, FOREVER)
    client.take().do("run", instruction="press it")
    status, body = client.post("run", instruction="another")
    assert (status, "idle" in body["error"]["message"]) == (409, True)
    assert client.post("hand-back")[0] == 409
    client.do("stop")
    client.becomes("idle")
    assert client.post("pause")[0] == 409


# Pause, take over, stop


def test_a_pause_in_the_middle_of_a_drag_releases_and_holds(
    open_door: Open, tmp_path: Path
) -> None:
    desks, client = opened(open_door, tmp_path, [DRAG, DONE])
    client.take().do("run", instruction="drag it")
    wait_for(lambda: desks.backends[0].held_buttons == (Button.LEFT,))
    client.do("pause")
    assert desks.backends[0].held_buttons == ()
    sent = desks.backends[0].events
    assert sent[-1].kind is Kind.BUTTON_UP and sent[-1].point.x < 360
    client.becomes("paused")
    client.do("resume")
    client.becomes("idle")
    (episode,) = recorded(tmp_path)
    assert episode.steps[0].receipts[0].outcome == "failed"
    assert episode.outcome is not None and episode.outcome.end == "finished"


def test_a_pause_does_not_wait_for_a_long_press(open_door: Open, tmp_path: Path) -> None:
    desks, client = opened(
        open_door, tmp_path, ["Action: long_press(start_box='(5,5)', time='50')"]
    )
    client.take()
    with client.watch() as watcher:
        client.do("run", instruction="hold it")
        wait_for(lambda: desks.backends[0].held_buttons == (Button.LEFT,))
        client.do("pause")
        assert desks.backends[0].held_buttons == ()
        assert watcher.event("stepped")["receipts"][0]["outcome"] == "failed"


def test_taken_over_a_person_moves_and_the_agent_waits(open_door: Open, tmp_path: Path) -> None:
    desks, client = opened(open_door, tmp_path, FOREVER)
    move = {"type": "move", "point": [7, 8]}
    client.take()
    assert client.post("input", actions=[move])[0] == 409
    client.do("run", instruction="press it")
    client.do("take-over")
    before = len(desks.backends[0].events)
    client.do("input", actions=[move, {"type": "type", "text": "hi"}])
    own = desks.backends[0].events[before:]
    assert [(event.kind, event.text) for event in own] == [(Kind.MOVE, ""), (Kind.TEXT, "hi")]
    assert client.post("input", actions=[{"type": "wait"}])[0] == 400
    assert client.post("input", actions=[{"type": "fly"}])[0] == 400
    denied = {"type": "hotkey", "keys": ["ctrl", "alt", "delete"]}
    assert client.post("input", actions=[denied])[0] == 403
    assert client.session["state"] == "taken_over"
    client.do("hand-back")
    assert client.session["state"] == "running"
    wait_for(lambda: len(desks.backends[0].events) > before + 2)


def test_stop_needs_no_lease_and_ends_a_decision(open_door: Open, tmp_path: Path) -> None:
    thinking, go_on = threading.Event(), threading.Event()

    def slow(observation: Observation) -> Decision:
        thinking.set()
        go_on.wait(20)
        return middle(observation)

    door = open_door(ScriptedPolicy(slow), settings=settings(tmp_path), desks=Desks())
    client = Client.open(door)
    client.take().do("run", instruction="press it")
    assert thinking.wait(10)
    client.lease = ""
    client.do("stop")
    client.becomes("idle")
    go_on.set()
    (episode,) = recorded(tmp_path)
    assert episode.outcome is not None and episode.outcome.end == "stopped"


def test_a_stop_while_asking_performs_nothing(open_door: Open, tmp_path: Path) -> None:
    desks, client = opened(open_door, tmp_path, [CLICK])
    client.take().do("run", instruction="press it", supervised=True)
    client.becomes("asking")
    client.do("stop")
    client.becomes("idle")
    assert desks.backends[0].events == ()


# The lease


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


# Watching


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


def test_a_websocket_that_never_reads_is_sent_away_and_disturbs_nobody(
    open_door: Open, tmp_path: Path
) -> None:
    desks, client = opened(open_door, tmp_path, [CLICK, CLICK, DONE], patience=1.0)
    url = f"ws://127.0.0.1:{client.door.port}/v1/sessions/{client.id}/watch"
    offers: Any = ["eyehand", f"eyehand.token.{TOKEN.secret}"]
    stop = threading.Event()

    def flicker() -> None:
        while not stop.wait(0.02):
            desks.screen.pixels[:] = 255 - desks.screen.pixels

    painter = threading.Thread(target=flicker)
    with connect(url, subprotocols=offers, max_queue=1) as deaf, client.watch() as watcher:
        painter.start()
        watcher.until(lambda w: len(w.pictures) >= 20)
        stop.set()
        painter.join()
        client.take().do("run", instruction="press it")
        assert watcher.event("ended")["outcome"] == "finished"
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                deaf.recv(timeout=15)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1013


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


# Opening and closing


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
