"""Stops at random moments: how long after one does the app still receive anything?"""

from __future__ import annotations

import json
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from math import inf
from pathlib import Path
from random import Random

from Xlib.display import Display

from actions.backends.x11 import X11Backend
from actions.backends.x11_human import X11Human
from actions.executor import Executor, Stopped
from actions.settle import Patience
from actions.space import Action, Drag, Type
from agent.signals import on_signals
from benchmarks._hands_sheet import Sheet, rounds
from benchmarks._hands_typing import mixed
from tests.actions.conftest import Stage, open_stage
from tests.actions.person import Person
from vision.capture import Screen
from vision.geometry import Point, Size

CTRL, ALT, ESC = 37, 64, 9
COLUMNS = ("stop", "tries", "p50", "p99", "worst", "over 50 ms", "left pressed", "keyboard after")
TRIES = 1000
HASTY = Patience(poll=0.001, still=0.0, restless=0.0, quiet=0.0, reaction=0.0, blink=0.0)
"""Hardly a wait between actions, so that stops fall into what sends events."""
_AFTERWARDS_SECONDS = 0.1
"""Then nothing may be pressed any more."""
_BEGIN_SECONDS = 5.0
"""An action that has not begun by then, or not ended, hangs."""


@dataclass(frozen=True)
class Halted:
    """How one stop went.

    Attributes:
        by: what stopped.
        late: milliseconds from the stop to the last event that the app received; infinite when the
            action went on.
        free: whether nothing was left pressed.
    """

    by: str
    late: float
    free: bool


class Log:
    """Every stop so far, in a file if there is one, so that a long series can be run in parts.

    Args:
        path: of the file, a line per stop; None keeps them for this run only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.stops: list[Halted] = []
        if path is not None and path.exists():
            self.stops = [Halted(**json.loads(line)) for line in path.read_text().splitlines()]

    def add(self, one: Halted) -> None:
        self.stops.append(one)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps(asdict(one)) + "\n")

    def of(self, name: str) -> list[Halted]:
        return [each for each in self.stops if each.by == name]


class Bench:
    """One display, one pair of hands, four ways to stop them."""

    def __init__(self, stage: Stage, backend: X11Backend, screen: Screen, seed: int) -> None:
        self.stage = stage
        self.backend = backend
        self.screen = screen
        self.other = Display(stage.name)
        self.person = Person(self.other)
        self.random = Random(seed)
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
        """A hand pushes on until it is understood: a drag may take the pointer away once more."""
        for _ in range(20):
            self.other.screen().root.warp_pointer(639, 479)
            self.other.sync()
            time.sleep(0.01)
            if self.executor is None or self.executor.stopped:
                return

    def by_sigint(self) -> None:
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)

    def once(self, action: Action, halt: Callable[[], None]) -> Halted:
        """Stop an action at a random moment.

        Args:
            action: takes long.
            halt: one of the methods above.
        """
        self.stage.calm()
        self.backend.move(Point(300, 200))
        self.stage.received()
        executor = self.executor = Executor(self.backend, self.screen, HASTY)
        moment = 0.0

        def later() -> None:
            nonlocal moment
            end = time.monotonic() + _BEGIN_SECONDS
            while not self.stage.journal.stat().st_size and time.monotonic() < end:
                time.sleep(0.001)
            time.sleep(self.random.random() * 0.25)
            moment = time.time()
            halt()

        def interrupt() -> None:
            threading.Thread(target=executor.stop).start()

        stopper = threading.Thread(target=later, daemon=True)
        stopper.start()
        with on_signals(interrupt):
            ended = _performed(executor, action)
            stopper.join()
        time.sleep(_AFTERWARDS_SECONDS)
        free = self.stage.pressed() == ([], 0)
        events = [
            e for e in self.stage.received() if e.get("key") not in ("Control_L", "Alt_L", "Escape")
        ]
        last = max((e["time"] for e in events), default=moment)
        late = max(0.0, last - moment) * 1000 if ended else inf
        return Halted(_name(halt), late, free)


def _name(halt: Callable[[], None]) -> str:
    return halt.__name__.replace("_", " ")


def _performed(executor: Executor, action: Action) -> bool:
    """Again and again (a drag may be over before the stop comes); whether it was stopped."""
    end = time.monotonic() + 2 * _BEGIN_SECONDS
    try:
        while time.monotonic() < end:
            executor.perform(action)
    except Stopped:
        return True
    executor.stop()
    return False


def measure(sheet: Sheet, seconds: float, tries: int = TRIES, kept: Path | None = None) -> None:
    """A row per way to stop, and one for all.

    Args:
        sheet: takes the rows.
        seconds: for the stops of this run.
        tries: stops in all, those of earlier runs included.
        kept: the file of earlier runs; None when there are none.
    """
    log = Log(kept)
    with (
        tempfile.TemporaryDirectory() as folder,
        open_stage(Path(folder), Size(640, 480)) as stage,
        X11Backend(stage.name) as backend,
        Screen(stage.name) as screen,
    ):
        bench = Bench(stage, backend, screen, seed=6 + len(log.stops))
        ways = (bench.from_a_thread, bench.by_the_stop_keys, bench.by_a_corner, bench.by_sigint)
        usual = stage.mapping()

        missing = {way: max(0, tries // len(ways) - len(log.of(_name(way)))) for way in ways}
        each = seconds / max(1, sum(missing.values()))

        def row(halt: Callable[[], None]) -> list[str]:
            if missing[halt]:
                _stop(bench, halt, log, rounds(missing[halt], each * missing[halt]))
            return _cells(log.of(_name(halt)), stage.mapping() == usual)

        with bench.human:
            for halt in ways:
                sheet.row(_name(halt), each * missing[halt], partial(row, halt))
        sheet.row("all", 0, lambda: _cells(log.stops, stage.mapping() == usual))


def _stop(bench: Bench, halt: Callable[[], None], log: Log, numbers: Iterator[int]) -> None:
    """Half of them in the middle of a drag, half in the middle of typing."""
    text, drag = Type(mixed(10_000)), Drag(Point(20, 20), Point(600, 400))
    for number in numbers:
        log.add(bench.once(text if number % 2 else drag, halt))


def _cells(found: list[Halted], is_as_before: bool) -> list[str]:
    late = sorted(each.late for each in found)
    parts = (late[min(len(late) - 1, int(len(late) * p))] for p in (0.5, 0.99, 1))
    return [
        str(len(found)),
        *(f"{part:.1f} ms" for part in parts),
        str(sum(each > 50 for each in late)),
        str(sum(not each.free for each in found)),
        "as before" if is_as_before else "CHANGED",
    ]
