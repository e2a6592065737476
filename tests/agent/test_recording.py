"""A person at work, played by XTEST from another connection, on a real display."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner
from Xlib.display import Display as XDisplay

from actions import codec
from actions.backends.x11 import X11Backend
from actions.gestures import Hands, play
from actions.space import Action, Button, Click, Direction, Drag, Hotkey, Scroll, Type
from agent.cli import app
from agent.environments.display import VirtualDisplay
from agent.episodes.reader import Episode
from agent.episodes.replay import replay
from agent.episodes.verify import verify
from agent.recording.recorder import Recorder
from agent.signals import interrupt_main
from tests.actions.conftest import add_second_monitor
from vision.capture import Screen
from vision.geometry import Box, Point, Size

APP = Path(__file__).parents[1] / "actions/journal_app.py"


@pytest.fixture(scope="module")
def name(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A display with the journalling app on it: a press on its left half toggles a square."""
    journal = tmp_path_factory.mktemp("app") / "journal"
    journal.touch()
    with VirtualDisplay(Size(640, 480)) as virtual:
        program = subprocess.Popen([sys.executable, APP, journal], env=virtual.env)
        while "ready" not in journal.read_text():
            assert program.poll() is None
            time.sleep(0.02)
        yield virtual.name
        program.terminate()
        program.wait()


def perform(name: str, *actions: Action, pause: float = 0.4) -> None:
    with X11Backend(name) as backend:
        hands = Hands(backend, lambda: None, time.sleep)
        for action in actions:
            play(action, hands)
            time.sleep(pause)  # as long as a quick person takes to look


def test_what_was_done_is_recorded_with_what_was_seen_before(name: str, tmp_path: Path) -> None:
    done = (
        Click(Point(100, 100)),
        Click(Point(200, 100), count=2),
        Click(Point(100, 300), Button.RIGHT),
        Drag(Point(50, 200), Point(250, 220)),
        Scroll(Direction.DOWN, Point(300, 300), 3),
        Type("Grüße, 世界! AT SPEED"),
        Hotkey(("ctrl", "shift", "t")),
        Type("bye", submit=True),
    )
    with Screen(name) as screen, Recorder(screen, name, tmp_path / "e", "try all"):
        time.sleep(0.3)
        perform(name, *done)
    episode = Episode.open(tmp_path / "e")
    actions = [codec.from_dict(action) for s in episode.steps for action in s.screen_actions]
    assert actions == list(done)
    assert verify(tmp_path / "e").ok and replay(tmp_path / "e").ok
    assert episode.head.source == "human"
    # The square is gray before the first click and red after it.
    square = [tuple(episode.frame(step).pixels[60, 60]) for step in episode.steps]
    assert square[0] == (128, 128, 128) and square[1] == (255, 0, 0)
    assert episode.steps[0].receipts[0].outcome == "confirmed"
    assert episode.outcome is not None and episode.outcome.end == "finished"
    assert episode.steps[-1].actions[0]["type"] == "finished"


def test_nothing_is_recorded_between_two_private_hotkeys(name: str, tmp_path: Path) -> None:
    private = Hotkey(("ctrl", "alt", "p"))
    with Screen(name) as screen, Recorder(screen, name, tmp_path / "e", "hide"):
        time.sleep(0.3)
        perform(name, Type("seen"), private, Type("hunter2"), Click(Point(100, 100)), private)
        perform(name, Click(Point(400, 100)), pause=0.6)
    episode = Episode.open(tmp_path / "e")
    done = [codec.from_dict(action) for step in episode.steps for action in step.screen_actions]
    assert done == [Type("seen"), Click(Point(400, 100))]
    assert "as the person wished" in episode.steps[0].feedback
    assert "hunter2" not in (tmp_path / "e/steps.jsonl").read_text()


def test_an_end_in_private_records_no_last_picture(name: str, tmp_path: Path) -> None:
    with Screen(name) as screen, Recorder(screen, name, tmp_path / "e", "hide"):
        time.sleep(0.3)
        perform(name, Click(Point(400, 100)), Hotkey(("ctrl", "alt", "p")), Type("hunter2"))
    assert len(Episode.open(tmp_path / "e").steps) == 1


def test_two_monitors_are_one_desktop_with_signed_places(tmp_path: Path) -> None:
    """The second monitor lies left of and above the primary one, which begins at (0, 0)."""
    done = (
        Click(Point(-390, -280)),
        Drag(Point(-100, -60), Point(120, 90)),
        Scroll(Direction.UP, Point(-5, -5), 2),
        Click(Point(0, 0), Button.RIGHT),
    )
    with VirtualDisplay(Size(640, 480), window_manager=False) as virtual:
        x = XDisplay(virtual.name)
        add_second_monitor(x)
        with (
            Screen(virtual.name) as screen,
            Recorder(screen, virtual.name, tmp_path / "e", "try both"),
        ):
            time.sleep(0.3)
            perform(virtual.name, *done, pause=0.6)
        x.close()
    episode = Episode.open(tmp_path / "e")
    actions = [codec.from_dict(action) for s in episode.steps for action in s.screen_actions]
    assert actions == list(done)
    assert {step.frame.box for step in episode.steps} == {Box(-400, -300, 240, 180)}
    assert episode.head.display["monitors"] == [[0, 0, 240, 180], [-400, -300, 0, 0]]
    # A model would have written pixels of the picture, which begins at its own corner.
    assert episode.steps[0].actions[0]["point"] == [10, 20]
    assert verify(tmp_path / "e").ok and replay(tmp_path / "e").ok


def test_the_command_records_until_it_is_interrupted(name: str, tmp_path: Path) -> None:
    def work() -> None:
        while not (tmp_path / "e/manifest.json").exists():
            time.sleep(0.05)
        time.sleep(0.5)
        perform(name, Click(Point(100, 100)), Type("hello"))
        interrupt_main()

    person = threading.Thread(target=work)
    person.start()
    command = ["record", "say hello", "--out", str(tmp_path / "e"), "--display", name]
    done = CliRunner().invoke(app, command)
    person.join()
    assert done.exit_code == 0, done.output
    assert "Recording. ctrl+alt+p switches it off and on" in done.output
    assert "type “hello”" in done.output and f"episode  {tmp_path / 'e'}" in done.output
    episode = Episode.open(tmp_path / "e")
    assert (episode.head.instruction, episode.head.source) == ("say hello", "human")
    actions = [codec.from_dict(action) for s in episode.steps for action in s.screen_actions]
    assert actions == [Click(Point(100, 100)), Type("hello")]
