from __future__ import annotations

import threading
from pathlib import Path

import pytest
from Xlib.display import Display

from actions.backends.x11 import X11Backend
from actions.executor import Executor, Stopped
from actions.space import Type
from agent.attendance import Attendance
from agent.environments.display import VirtualDisplay
from agent.episodes.format import End
from agent.episodes.reader import Episode
from agent.policies.base import Decision, Observation
from agent.policies.scripted import ScriptedPolicy
from agent.run import Silent, Task
from agent.session import agent_for
from agent.signals import interrupt_main, on_signals
from tests.actions.person import Person
from vision.capture import Screen
from vision.frame import Frame
from vision.geometry import Size

CTRL, ALT, ESC = 37, 64, 9


def test_the_stop_keys_stop_the_hands_and_interrupt_the_run() -> None:
    interrupted = threading.Event()
    with (
        VirtualDisplay(Size(320, 200)) as display,
        Screen(display.name) as screen,
        X11Backend(display.name) as backend,
    ):
        seat = Attendance(screen, display.name)
        executor = Executor(backend, human=seat.human)

        def halt() -> None:
            executor.stop()
            interrupt_main()

        with on_signals(interrupted.set), seat.over(halt):
            person = Display(display.name)
            Person(person).press(CTRL, ALT, ESC)
            assert interrupted.wait(10)
            person.close()
        with pytest.raises(Stopped):
            executor.perform(Type("x"))


def shows_the_strip(frame: Frame) -> bool:
    """Anything of its colour, which nothing else on an empty display has."""
    return bool((frame.pixels == (180, 40, 20)).all(axis=2).any())


class Onlooker(ScriptedPolicy):
    """Also looks at the screen as the person in front of it does."""

    def __init__(self, screen: Screen, *texts: str) -> None:
        super().__init__(texts)
        self.screen = screen
        self.strips: list[bool] = []

    def decide(self, observation: Observation) -> Decision:
        self.strips.append(shows_the_strip(self.screen.grab()))
        return super().decide(observation)


def test_a_run_shows_its_strip_to_the_person_and_never_to_the_model(tmp_path: Path) -> None:
    step, done = "Thought: t\nAction: wait()", "Thought: t\nAction: finished(content='')"
    with (
        VirtualDisplay(Size(640, 200)) as display,
        Screen(display.name) as screen,
        X11Backend(display.name) as backend,
    ):
        seat, policy = Attendance(screen, display.name), Onlooker(screen, step, done)
        agent = agent_for(
            Task("wait"), policy, screen, backend, tmp_path / "run", Silent(), attended=True,
            seat=seat, human=seat.human,
        )  # fmt: skip
        with seat.over(agent.stop):
            assert agent.run(Task("wait")).outcome is End.FINISHED
        assert not shows_the_strip(screen.grab())
    assert policy.strips == [True, True]
    episode = Episode.open(tmp_path / "run")
    stored = [episode.frame(step) for step in episode.steps]
    assert not any(map(shows_the_strip, [*(seen.frame for seen in policy.seen), *stored]))
