"""A display of our own with the journalling app on it: what tests of the hands look at."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from Xlib import X
from Xlib.display import Display
from Xlib.ext import randr, xtest
from Xlib.protocol import rq

from agent.environments.display import VirtualDisplay
from tests.actions.page_stage import PageStage, open_page_stage
from tests.actions.wayland_stage import WaylandStage, open_wayland_stage
from vision.geometry import Box, Size

APP = Path(__file__).with_name("journal_app.py")
SENTINEL, SENTINEL_CODE = "Help", 146  # a key that no test presses
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Stage:
    """A display, the app on it, and a connection to look behind the scenes.

    Attributes:
        name: of the display.
        env: for programs that shall appear on it.
        x: a connection of the tests' own.
        journal: the file that the app writes.
    """

    name: str
    env: dict[str, str]
    x: Display
    journal: Path

    def received(self) -> list[dict[str, Any]]:
        """What the app received since the last call; everything sent before is in it."""
        events = self._until((X.KeyPress, X.KeyRelease), SENTINEL_CODE, "key", SENTINEL)
        return [e for e in events if e.get("key") != SENTINEL and e["event"] != "ready"]

    def calm(self) -> None:
        """Wait until the window manager passes clicks on at once, and forget what was received.

        Every change of the keyboard keeps it busy, and until then it holds the pointer's events.
        """
        self.x.screen().root.warp_pointer(320, 240)
        self._until((X.ButtonPress, X.ButtonRelease), 1, "button", 1)

    def _until(
        self, kinds: tuple[int, int], detail: int, field: str, value: object
    ) -> list[dict[str, Any]]:
        """Press and release something; all that was received when the release has arrived."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        sent = 0
        while True:
            events = [json.loads(line) for line in self.journal.read_text().splitlines()]
            ends = [e["event"].endswith("_up") and e.get(field) == value for e in events]
            if sent and ends and ends[-1]:
                self.journal.write_text("")
                return events
            if sum(ends) >= sent:  # a window manager may hold clicks back while keys overtake them
                for kind in kinds:
                    xtest.fake_input(self.x, kind, detail)
                self.x.sync()
                sent = sum(ends) + 1
            assert time.monotonic() < deadline, f"the app hangs; last it received {events[-3:]}"
            time.sleep(0.01)

    def pressed(self) -> tuple[list[int], int]:
        """Keycodes that are down, and the mask of modifiers and buttons; ([], 0) is nothing."""
        keymap = self.x.query_keymap()
        down = [code for code in range(256) if keymap[code // 8] >> code % 8 & 1]
        return down, self.x.screen().root.query_pointer().mask & 0x1FFF

    def becomes_free(self) -> bool:
        """Whether nothing is pressed, once the window manager has passed on what it held up."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.pressed() != ([], 0) and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.pressed() == ([], 0)

    def mapping(self) -> list[list[int]]:
        """The whole keyboard mapping."""
        return [list(row) for row in self.x.get_keyboard_mapping(8, 248)]

    @contextmanager
    def layout(self, *options: str) -> Iterator[None]:
        """Another keyboard layout for a while."""
        subprocess.run(["setxkbmap", *options], env=self.env, check=True)
        try:
            yield
        finally:
            subprocess.run(["setxkbmap", "us"], env=self.env, check=True)


@contextmanager
def open_stage(folder: Path, size: Size) -> Iterator[Stage]:
    journal = folder / "journal.jsonl"
    journal.touch()
    with VirtualDisplay(size) as virtual:
        x = Display(virtual.name)
        app = subprocess.Popen(
            [sys.executable, str(APP), str(journal)],
            env=virtual.env,
            start_new_session=True,  # `timeout pytest` would end it and leave the tests waiting
        )
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while "ready" not in journal.read_text():
                assert app.poll() is None and time.monotonic() < deadline, "the app did not start"
                time.sleep(0.01)
            stage = Stage(virtual.name, virtual.env, x, journal)
            stage.received()
            yield stage
        finally:
            app.terminate()
            app.wait()
            x.close()


class SetMonitor(rq.Request):  # type: ignore[misc]
    """RRSetMonitor (RANDR 1.5); python-xlib 0.33 cannot pack its own."""

    _request = rq.Struct(
        rq.Card8("opcode"), rq.Opcode(43), rq.RequestLength(), rq.Window("window"),
        rq.Card32("name"), rq.Bool("primary"), rq.Bool("automatic"), rq.LengthOf("outputs", 2),
        rq.Int16("x"), rq.Int16("y"), rq.Card16("width"), rq.Card16("height"),
        rq.Card32("width_mm"), rq.Card32("height_mm"), rq.List("outputs", rq.Card32Obj),
    )  # fmt: skip


def _add_monitor(x: Display, name: str, box: Box, outputs: Sequence[int], primary: bool) -> None:
    SetMonitor(
        display=x.display, opcode=x.display.get_extension_major("RANDR"),
        window=x.screen().root.id, name=x.intern_atom(name), primary=primary, automatic=False,
        x=int(box.left), y=int(box.top), width=int(box.width), height=int(box.height),
        width_mm=100, height_mm=100, outputs=outputs,
    )  # fmt: skip
    x.sync()


def add_second_monitor(x: Display) -> None:
    """Divide a display of 640x480: the primary monitor is the 240x180 at the lower right.

    Taking the only output, it replaces the monitor that covered everything.
    """
    outputs = randr.get_screen_resources(x.screen().root).outputs
    _add_monitor(x, "main", Box(400, 300, 640, 480), outputs, primary=True)
    _add_monitor(x, "side", Box(0, 0, 400, 300), [], primary=False)


@pytest.fixture(scope="session")
def shared_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_stage(tmp_path_factory.mktemp("stage"), Size(640, 480)) as stage:
        yield stage


@pytest.fixture
def stage(shared_stage: Stage) -> Iterator[Stage]:
    """The stage with an empty journal; afterwards nothing may be left pressed or remapped."""
    shared_stage.calm()
    mapping = shared_stage.mapping()
    yield shared_stage
    shared_stage.received()
    assert shared_stage.becomes_free(), shared_stage.pressed()
    assert shared_stage.mapping() == mapping


@pytest.fixture(scope="session")
def shared_page_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageStage]:
    with open_page_stage(tmp_path_factory.mktemp("page"), Size(640, 480)) as stage:
        yield stage


@pytest.fixture
def page_stage(shared_page_stage: PageStage) -> PageStage:
    """The journalling page with an empty journal."""
    shared_page_stage.received()
    return shared_page_stage


@pytest.fixture(scope="session")
def shared_wayland_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WaylandStage]:
    with open_wayland_stage(tmp_path_factory.mktemp("wayland")) as stage:
        yield stage


@pytest.fixture
def wayland_stage(shared_wayland_stage: WaylandStage) -> WaylandStage:
    """The journalling client on Sway, with an empty journal."""
    shared_wayland_stage.received()
    return shared_wayland_stage
