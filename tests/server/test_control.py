"""A task in a session: what consent, a pause, a take-over and a stop do."""

from __future__ import annotations

import threading
from pathlib import Path

from actions.backends.scripted import Kind
from actions.space import Button
from agent.episodes.verify import verify
from agent.policies.base import Decision, Observation
from tests.server.conftest import Open, ScriptedPolicy, middle, wait_for
from tests.server.control_kit import (
    CLICK,
    DONE,
    DRAG,
    FOREVER,
    Client,
    Desks,
    opened,
    recorded,
    settings,
)

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
