"""Stops at random moments: how long after one does the app still receive anything?"""

from __future__ import annotations

import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from rich.table import Table
from Xlib.display import Display

from actions.backends.x11 import X11Backend
from actions.backends.x11_human import X11Human
from actions.executor import Executor, Stopped
from actions.space import Action, Drag, Type
from agent.signals import on_signals
from benchmarks._hands_typing import mixed
from tests.actions.conftest import Stage, open_stage
from tests.actions.person import Person
from vision.capture import Screen
from vision.geometry import Point, Size

CTRL, ALT, ESC = 37, 64, 9
_AFTERWARDS_SECONDS = 0.25
"""Listened for stray events after a stop."""


class Bench:
    """One display, one pair of hands, four ways to stop them."""

    def __init__(self, stage: Stage, backend: X11Backend, screen: Screen) -> None:
        self.stage = stage
        self.backend = backend
        self.screen = screen
        self.other = Display(stage.name)
        self.person = Person(self.other)
        self.random = Random(6)
        self.executor: Executor | None = None
        self.human = X11Human(stage.name, self._stop, idle=0.05)

    def _stop(self) -> None:
        if self.executor is not None:
            self.executor.stop()

    def from_a_thread(self) -> None:
        self._stop()

    def by_the_stop_keys(self) -> None:
        self.person.press(CTRL, ALT, ESC)
        self.person.release(CTRL, ALT, ESC)

    def by_a_corner(self) -> None:
        self.other.screen().root.warp_pointer(639, 479)
        self.other.sync()

    def by_sigint(self) -> None:
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)

    def once(self, action: Action, halt: Callable[[], None]) -> float | None:
        """Milliseconds from the stop to the last event; None when something stayed pressed."""
        self.backend.move(Point(300, 200))
        self.stage.received()
        executor = self.executor = Executor(self.backend, self.screen)
        executor._watcher = None  # nothing to watch: the action shall begin at once
        moment = 0.0

        def later() -> None:
            nonlocal moment
            while not self.stage.journal.stat().st_size:
                time.sleep(0.001)
            time.sleep(self.random.random() * 0.25)
            moment = time.time()
            halt()

        def interrupt() -> None:
            threading.Thread(target=executor.stop).start()

        stopper = threading.Thread(target=later)
        stopper.start()
        with on_signals(interrupt):
            try:
                while True:  # a drag may be over before the stop comes
                    executor.perform(action)
            except Stopped:
                pass
            stopper.join()
        time.sleep(_AFTERWARDS_SECONDS)
        free = self.stage.pressed() == ([], 0)
        events = [
            e for e in self.stage.received() if e.get("key") not in ("Control_L", "Alt_L", "Escape")
        ]
        last = max((e["time"] for e in events), default=moment)
        return (max(0.0, last - moment)) * 1000 if free else None


def measure(tries: int) -> Table:
    """A row per way to stop."""
    table = Table(
        "stop",
        "tries",
        "p50",
        "p99",
        "worst",
        "over 50 ms",
        "left pressed",
        title="stops",
        box=None,
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        open_stage(Path(folder), Size(640, 480)) as stage,
        X11Backend(stage.name) as backend,
        Screen(stage.name) as screen,
    ):
        bench, usual = Bench(stage, backend, screen), stage.mapping()
        text, drag = Type(mixed(10_000)), Drag(Point(20, 20), Point(600, 400))
        with bench.human:
            for halt in (
                bench.from_a_thread,
                bench.by_the_stop_keys,
                bench.by_a_corner,
                bench.by_sigint,
            ):
                found = [bench.once(text if n % 2 else drag, halt) for n in range(tries // 4)]
                waits = sorted(wait for wait in found if wait is not None)
                late = sum(wait > 50 for wait in waits)
                words = halt.__name__.replace("_", " ")
                parts = (waits[min(len(waits) - 1, int(len(waits) * p))] for p in (0.5, 0.99, 1))
                times = [f"{part:.1f} ms" for part in parts]
                table.add_row(words, str(len(found)), *times, str(late), str(found.count(None)))
        table.caption = f"keyboard as before: {stage.mapping() == usual}"
    return table
