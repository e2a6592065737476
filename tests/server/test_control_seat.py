"""Sessions of a display that somebody sits at, and secrets in sessions."""

from __future__ import annotations

from pathlib import Path

from Xlib.display import Display

from actions.secrets import SecretStore
from agent.environments.display import VirtualDisplay
from agent.policies.scripted import ScriptedPolicy as Texts
from tests.actions.person import Person
from tests.server.conftest import Open, wait_for
from tests.server.control_kit import (
    DONE,
    FOREVER,
    Client,
    desk_on,
    opened,
    recorded,
    settings,
)

CTRL, SHIFT, ALT, ESC = 37, 50, 64, 9
VALUE = 'hunter"2'
TYPE = "Thought: log in\nAction: type(content='{{secret:mail}}')"


def test_a_person_at_the_display_pauses_the_agent_until_its_controller_resumes(
    open_door: Open, tmp_path: Path, display: VirtualDisplay
) -> None:
    desks = desk_on(display.name, attended=True)
    client = Client.open(open_door(Texts(FOREVER), settings=settings(tmp_path), desks=desks))
    client.take().do("run", instruction="press it", max_steps=1000)
    x = Display(display.name)
    person = Person(x)
    person.press(SHIFT)
    person.release(SHIFT)
    session = client.becomes("paused")
    assert session["reason"] == "somebody uses the mouse or the keyboard of this display"
    wait_for(lambda: client.do("resume")["step"] > session["step"] + 1)
    person.press(CTRL, ALT, ESC)
    client.becomes("idle")
    person.release(CTRL, ALT, ESC)
    x.close()
    (episode,) = recorded(tmp_path)
    assert episode.outcome is not None and episode.outcome.end == "stopped"


def test_a_secret_reaches_the_keyboard_and_neither_watchers_nor_the_record(
    open_door: Open, tmp_path: Path
) -> None:
    secrets = SecretStore(None, {"EYEHAND_SECRET_MAIL": VALUE})
    desks, client = opened(open_door, tmp_path, [TYPE, DONE], secrets=secrets)
    client.take()
    with client.watch() as watcher:
        client.do("run", instruction="log in")
        question = client.becomes("asking")["question"]
        assert question["reason"] == "this types a secret of yours"
        client.do("approve", question=question["number"])
        watcher.event("ended", outcome="finished")
        assert "hunter" not in str(watcher.events)
        assert "{{secret:mail}}" in str(watcher.events)
    assert VALUE in [event.text for event in desks.backends[0].events]
    (episode,) = recorded(tmp_path)
    files = [path.read_bytes() for path in episode.path.rglob("*") if path.is_file()]
    assert files and not [data for data in files if b"hunter" in data]
    assert "this types a secret of yours" in str(episode.head.rules)
