from __future__ import annotations

import threading

import pytest
from Xlib.display import Display

from actions.backends.x11 import X11Backend
from actions.executor import Executor, Stopped
from actions.space import Type
from agent.attendance import Attendance
from agent.environments.display import VirtualDisplay
from agent.signals import interrupt_main, on_signals
from tests.actions.person import Person
from vision.capture import Screen
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
