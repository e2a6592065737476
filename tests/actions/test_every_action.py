"""Every action of every dialect arrives, from a model's text to a program's event.

The desktops have two monitors of different sizes, the second left of and above the first, where the
system knows monitors. The journal says what arrived; nothing is said about what was sent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from actions.dialects import DIALECTS, RenderError, find, parse, render
from actions.executor import Executor
from actions.receipt import Outcome
from actions.space import (
    Action,
    Button,
    CallUser,
    Click,
    Direction,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    MouseDown,
    MouseUp,
    Move,
    OpenApp,
    OpenComputer,
    PressBack,
    PressHome,
    Scroll,
    Select,
    Step,
    Swipe,
    Type,
    on_points,
)
from tests.actions.conftest import add_second_monitor, open_stage
from tests.actions.page_stage import open_page_stage
from tests.actions.probes import Arrived, PageProbe, Probe, WaylandProbe, X11Probe
from tests.actions.wayland_stage import open_wayland_stage
from vision.capture import Eyes, Screen
from vision.geometry import Box, CoordinateMap, Point, Size
from vision.page_screen import PageScreen
from vision.wayland import Compositor
from vision.wayland_screen import WaylandScreen

FIRST, LAST, INSIDE = (Point(0, 0), Point(1, 1), Point(0.9, 0.8))
"""As fractions of the whole picture: both corners, and a place on the first monitor."""

POINTED: list[Action] = [
    Click(FIRST), Click(LAST), Click(INSIDE, Button.RIGHT), Click(LAST, Button.MIDDLE),
    Click(FIRST, count=2), Drag(INSIDE, LAST), Drag(LAST, INSIDE), Select(INSIDE), Move(FIRST),
    Move(LAST), MouseDown(INSIDE), MouseUp(LAST), Scroll(Direction.UP, INSIDE),
    *(Scroll(way, FIRST) for way in Direction), LongPress(INSIDE, 0.1),
]  # fmt: skip
TYPED: list[Action] = [Type("Grüße, Жук"), Type("two lines\nand a half"), Type("x", submit=True)]
PRESSED: list[Action] = [
    Hotkey(("ctrl", "a")), Hotkey(("f5",)), Hotkey(("shift", "left")), KeyDown("alt"), KeyUp("alt"),
]  # fmt: skip
ENDED: list[Action] = [Finished("done"), CallUser("help")]
IMPOSSIBLE: list[Action] = [OpenApp("Notes"), OpenComputer(), PressHome(), PressBack(),
                            Swipe(FIRST, LAST)]  # fmt: skip


@dataclass(frozen=True)
class Desk:
    """A place to act in."""

    probe: Probe
    eyes: Eyes

    @property
    def box(self) -> Box:
        return self.eyes.box

    def read(self, actions: list[Action]) -> list[Action]:
        """The actions, in screen pixels, as they are read from what a model writes of them.

        What several dialects say is in it once; what a dialect has no words for is not.
        """
        read = {self.said(action, dialect): None for action in actions for dialect in DIALECTS}
        return [action for action in read if action is not None]

    def said(self, action: Action, dialect: str) -> Action | None:
        """An action on its way through a dialect; None when that has no words for it."""
        image = Size(644, 476)
        extent = find(dialect).extent or image
        modelled = on_points(action, lambda p: Point(p.x * extent.width, p.y * extent.height))
        try:
            text = render(Step("I see.", (modelled,)), dialect)
        except RenderError:
            return None
        (read,) = parse(text, dialect).actions
        return on_points(read, CoordinateMap(self.box, image, extent).to_screen)

    def perform(self, action: Action) -> Outcome:
        return Executor(self.probe.backend).perform(action).outcome


@pytest.fixture(scope="module", params=["x11", "page", "wayland"])
def desk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    with DESKS[request.param](tmp_path_factory.mktemp("desk")) as (probe, eyes), probe.backend:
        yield Desk(probe, eyes)


@contextmanager
def x11_desk(folder: Path) -> Iterator[tuple[Probe, Eyes]]:
    with open_stage(folder, Size(640, 480)) as stage, ExitStack() as stack:
        add_second_monitor(stage.x)
        screen = stack.enter_context(Screen(stage.name))
        yield X11Probe(stage), screen


@contextmanager
def page_desk(folder: Path, scale: float = 1.25) -> Iterator[tuple[Probe, Eyes]]:
    with open_page_stage(folder, Size(641, 479), scale) as stage:
        yield PageProbe(stage), PageScreen(stage.page)


@contextmanager
def wayland_desk(
    folder: Path, first: float = 1, second: float = 1.5
) -> Iterator[tuple[Probe, Eyes]]:
    """In logical pixels the monitors are as large at every scale."""
    outputs = (
        (f"{640 * first:.0f}x{480 * first:.0f} 0,0", first),
        (f"{400 * second:.0f}x{300 * second:.0f} -400,-300", second),
    )
    with (
        open_wayland_stage(folder, outputs) as stage,
        Compositor(stage.display) as compositor,
    ):
        yield WaylandProbe(stage, compositor), WaylandScreen(compositor)


DESKS: dict[str, Callable[[Path], AbstractContextManager[tuple[Probe, Eyes]]]] = {
    "x11": x11_desk,
    "page": page_desk,
    "wayland": wayland_desk,
    **{f"page at {scale}": partial(page_desk, scale=scale) for scale in (1, 1.5, 2)},
    **{
        f"wayland at {first} and {second}": partial(wayland_desk, first=first, second=second)
        for first, second in ((1, 1), (1.25, 1.25), (1.5, 1), (2, 2), (1, 2))
    },
}
"""X11 knows no scales: its pixels are the picture's, however large programs draw."""


def expected(action: Action) -> list[Arrived]:
    """The presses, releases and turns that an action in screen pixels amounts to."""
    match action:
        case Click(point, button, count):
            return [("button_down", button, *point), ("button_up", button, *point)] * count
        case Select(point) | LongPress(point):
            return [("button_down", Button.LEFT, *point), ("button_up", Button.LEFT, *point)]
        case Drag(start, end, button):
            return [("button_down", button, *start), ("button_up", button, *end)]
        case Move(point):
            return [("move", None, *point)]
        case MouseDown(point, button) if point:
            return [("button_down", button, *point)]
        case MouseUp(point, button) if point:
            return [("button_up", button, *point)]
        case Scroll(way, point, clicks) if point:
            return [("scroll", way, *point)] * clicks
    raise AssertionError(action)


def test_every_class_is_said_in_some_dialect(desk: Desk) -> None:
    everything = [*POINTED, *TYPED, *PRESSED, *ENDED, *IMPOSSIBLE]
    assert {type(action) for action in desk.read(everything)} == set(map(type, everything))


@pytest.mark.parametrize("desk", DESKS, indirect=True)
def test_what_is_pointed_at_is_hit_exactly(desk: Desk) -> None:
    for action in desk.read(POINTED):
        desk.probe.backend.move(Point(5, 5))
        desk.probe.arrived()
        assert desk.perform(action) is Outcome.NO_VISIBLE_EFFECT, action  # nobody watches
        arrived = desk.probe.arrived()
        acts = arrived[-1:] if isinstance(action, Move) else [e for e in arrived if e[0] != "move"]
        assert acts == expected(action)


def test_text_arrives(desk: Desk) -> None:
    desk.probe.text()
    for action in desk.read(TYPED):
        assert isinstance(action, Type)
        assert desk.perform(action) is Outcome.NO_VISIBLE_EFFECT
        assert desk.probe.text() == action.text + "\n" * action.submit


def test_keys_arrive(desk: Desk) -> None:
    desk.probe.arrived()
    for action in desk.read(PRESSED):
        assert desk.perform(action) is Outcome.NO_VISIBLE_EFFECT
        kinds = [event[:2] for event in desk.probe.arrived()]
        match action:
            case Hotkey(keys):
                ups = [("key_up", key) for key in reversed(keys)]
                assert kinds == [*(("key_down", key) for key in keys), *ups]
            case KeyDown(key):
                assert kinds == [("key_down", key)]
            case KeyUp(key):
                assert kinds == [("key_up", key)]


def test_what_sends_nothing_sends_nothing(desk: Desk) -> None:
    desk.probe.arrived()
    for action in desk.read(ENDED):
        assert desk.perform(action) is Outcome.CONFIRMED
    for action in desk.read(IMPOSSIBLE):
        assert desk.perform(action) is Outcome.REFUSED
    assert desk.probe.arrived() == []


WRONG: list[tuple[Action, str]] = [
    (Click(Point(math.nan, 5)), "not a place"),
    (Click(Point(9000, 5)), "off the screen"),
    (Click(Point(5, -9000)), "off the screen"),
    (Drag(Point(5, 5), Point(5, 5)), "ends where it starts"),
    (KeyDown("nokey"), "nokey"),
    (Hotkey(tuple("abcdefghij")), "1 to 5 keys"),
    (Type("a\x00b"), "U+0000"),
    (Type("\ud800"), "U+D800"),
]


@pytest.mark.parametrize(("action", "why"), WRONG)
def test_what_cannot_be_is_refused_once_and_clearly(desk: Desk, action: Action, why: str) -> None:
    desk.probe.arrived()
    receipt = Executor(desk.probe.backend, desk.eyes).perform(action)
    assert receipt.outcome is Outcome.REFUSED
    assert why in receipt.message and "\n" not in receipt.message
    assert desk.probe.arrived() == []
