"""What every backend promises, checked on each of them by what arrives."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from actions.backends.base import Backend, BackendError
from actions.backends.cdp import CdpBackend
from actions.backends.scripted import Event, Kind, ScriptedBackend
from actions.backends.wayland import WaylandBackend
from actions.backends.x11 import X11Backend
from actions.space import Action, Button, Click, Direction, Drag, Hotkey, Scroll, Type
from vision.geometry import Point
from vision.wayland import Compositor

if TYPE_CHECKING:
    from tests.actions.conftest import Stage
    from tests.actions.page_stage import PageStage
    from tests.actions.wayland_stage import WaylandStage

Arrived = tuple[object, ...]

SCRIPTS = [
    "plain ASCII: {[(<|>)]} ~^`'\"\\",
    "àéîõü ßñçøå ÀÉ€ ¿¡",
    "Съешь же ещё этих булок",
    "敏捷的棕色狐狸跳过了懒狗",
    "いろはにほへと チリヌルヲ",
    "نص عربي",
    "😀🎉 👩‍💻 🇪🇺",
    "one\ntwo\tthree\n",
    "e\u0301 combining",
    "",
]


class Probe(ABC):
    """A backend and what arrives at its other end."""

    backend: Backend

    @abstractmethod
    def arrived(self) -> list[Arrived]:
        """Events since the last call: (kind, what, x, y)."""

    @abstractmethod
    def text(self) -> str:
        """What was typed since the last call."""

    @abstractmethod
    def is_free(self) -> bool:
        """Whether no button and no key is down."""


class ScriptedProbe(Probe):
    def __init__(self) -> None:
        self.backend: ScriptedBackend = ScriptedBackend()
        self._read = 0

    def _new(self) -> tuple[Event, ...]:
        start, self._read = self._read, len(self.backend.events)
        return self.backend.events[start:]

    def arrived(self) -> list[Arrived]:
        flat: list[Arrived] = []
        for event in self._new():
            what = event.button or event.direction or event.key or None
            flat += [(str(event.kind), what, *event.point)] * (event.clicks or 1)
        return flat

    def text(self) -> str:
        return "".join(event.text for event in self._new() if event.kind is Kind.TEXT)

    def is_free(self) -> bool:
        return not (self.backend.held_buttons or self.backend.held_keys)


BUTTONS = {1: Button.LEFT, 2: Button.MIDDLE, 3: Button.RIGHT}
KEYS = {
    "Control_L": "ctrl", "Shift_L": "shift", "Alt_L": "alt", "Super_L": "super",
    "Return": "enter", "Escape": "esc", "Prior": "pageup", "Next": "pagedown",
}  # fmt: skip


class X11Probe(Probe):
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.backend: X11Backend = X11Backend(stage.name)

    def arrived(self) -> list[Arrived]:
        return [entry for event in self.stage.received() if (entry := self._plain(event))]

    def _plain(self, event: dict[str, Any]) -> Arrived | None:
        kind, place = event["event"], (event["x"], event["y"])
        if kind == "motion":
            return ("move", None, *place)
        if kind.startswith("key"):
            return (kind, KEYS.get(event["key"], event["key"].lower()), *place)
        if event["button"] in BUTTONS:
            return (kind, BUTTONS[event["button"]], *place)
        return ("scroll", self._wheel(event), *place) if kind == "button_down" else None

    def _wheel(self, event: dict[str, Any]) -> Direction:
        """Tk reports the sideways wheel as buttons 4 and 5 with Shift."""
        sideways = "shift" in event["mods"]
        first = event["button"] == 4
        if sideways:
            return Direction.LEFT if first else Direction.RIGHT
        return Direction.UP if first else Direction.DOWN

    def text(self) -> str:
        typed = (event for event in self.stage.received() if event["event"] == "key_down")
        return "".join(event["text"] for event in typed).replace("\r", "\n")

    def is_free(self) -> bool:
        return self.stage.becomes_free()


PAGE_KEYS = {
    "Control": "ctrl", "Meta": "super", "Escape": "esc", " ": "space", "ContextMenu": "menu",
    **{f"Arrow{way}": way.lower() for way in ("Up", "Down", "Left", "Right")},
}  # fmt: skip


class JournalProbe(Probe):
    """A probe whose application is asked what it has received."""

    def __init__(self, stage: PageStage | WaylandStage) -> None:
        self.stage = stage
        self._events: list[dict[str, Any]] = []
        self._down: set[object] = set()

    @abstractmethod
    def name_of(self, key: str) -> str:
        """The canonical name of a key, as far as the test needs it."""

    @abstractmethod
    def written(self, event: dict[str, Any]) -> str:
        """What an event wrote."""

    def arrived(self) -> list[Arrived]:
        return [self._plain(event) for event in self._new() if event["event"] != "text"]

    def text(self) -> str:
        return "".join(map(self.written, self._new()))

    def is_free(self) -> bool:
        self._look()
        return not self._down

    def _new(self) -> list[dict[str, Any]]:
        self._look()
        events, self._events = self._events, []
        return events

    def _look(self) -> None:
        fresh = self.stage.received()
        self._events += fresh
        for event in fresh:
            what = event.get("button") or event.get("code") or event.get("key")
            if event["event"].endswith("_down"):
                self._down.add(what)
            if event["event"].endswith("_up"):
                self._down.discard(what)

    def _plain(self, event: dict[str, Any]) -> Arrived:
        kind, place = event["event"], (event.get("x"), event.get("y"))
        if kind == "motion":
            return ("move", None, *place)
        if kind.startswith("button"):
            return (kind, BUTTONS[event["button"]], *place)
        if kind.startswith("key"):
            return (kind, self.name_of(event["key"]), *place)
        sideways = Direction.LEFT if event["dx"] < 0 else Direction.RIGHT
        upright = Direction.UP if event["dy"] < 0 else Direction.DOWN
        return (kind, sideways if event["dx"] else upright, *place)


class PageProbe(JournalProbe):
    def __init__(self, stage: PageStage) -> None:
        super().__init__(stage)
        self.backend: CdpBackend = CdpBackend(stage.page)

    def name_of(self, key: str) -> str:
        return PAGE_KEYS.get(key, key.lower())

    def written(self, event: dict[str, Any]) -> str:
        """The page keeps a tab from moving the focus away, so that it writes nothing."""
        is_tab = event["event"] == "key_down" and event["key"] == "Tab"
        return "\t" if is_tab else str(event.get("text", ""))


class WaylandProbe(JournalProbe):
    def __init__(self, stage: WaylandStage, compositor: Compositor) -> None:
        super().__init__(stage)
        self.backend: WaylandBackend = WaylandBackend(compositor)

    def name_of(self, key: str) -> str:
        return KEYS.get(key, key.lower())

    def written(self, event: dict[str, Any]) -> str:
        typed = str(event["text"]) if event["event"] == "key_down" else ""
        return typed.replace("\r", "\n")


@pytest.fixture(params=["scripted", "x11", "page", "wayland"])
def probe(request: pytest.FixtureRequest) -> Iterator[Probe]:
    if request.param == "scripted":
        yield ScriptedProbe()
        return
    with ExitStack() as stack:
        made = _probe_on(request.param, request, stack)
        with made.backend:
            made.arrived()
            made.backend.move(Point(320, 240))
            made.arrived()
            yield made


def _probe_on(kind: str, request: pytest.FixtureRequest, stack: ExitStack) -> Probe:
    if kind == "page":
        return PageProbe(request.getfixturevalue("page_stage"))
    if kind == "wayland":
        stage = request.getfixturevalue("wayland_stage")
        return WaylandProbe(stage, stack.enter_context(Compositor(stage.display)))
    return X11Probe(request.getfixturevalue("stage"))


@pytest.mark.parametrize("place", [(0, 0), (0, 479), (639, 0), (639, 479), (17, 23)])
def test_the_pointer_goes_exactly_there(probe: Probe, place: tuple[int, int]) -> None:
    probe.backend.move(Point(*place))
    assert probe.backend.pointer() == Point(*place)
    assert probe.arrived() == [("move", None, *place)]


@pytest.mark.parametrize("button", list(Button))
def test_a_button_goes_down_and_up_where_the_pointer_is(probe: Probe, button: Button) -> None:
    probe.backend.move(Point(100, 50))
    probe.backend.button_down(button)
    probe.backend.move(Point(101, 52))
    probe.backend.button_up(button)
    assert probe.is_free()
    assert probe.arrived() == [
        ("move", None, 100, 50),
        ("button_down", button, 100, 50),
        ("move", None, 101, 52),
        ("button_up", button, 101, 52),
    ]


@pytest.mark.parametrize("direction", list(Direction))
def test_the_wheel_turns_by_notches(probe: Probe, direction: Direction) -> None:
    probe.backend.move(Point(200, 200))
    probe.arrived()
    probe.backend.scroll(direction, 3)
    assert probe.arrived() == [("scroll", direction, 200, 200)] * 3


def test_keys_overlap_in_the_order_of_the_calls(probe: Probe) -> None:
    probe.backend.move(Point(5, 5))
    probe.arrived()
    for key in ("ctrl", "shift", "a"):
        probe.backend.key_down(key)
    for key in ("a", "shift", "ctrl"):
        probe.backend.key_up(key)
    kinds = [entry[:2] for entry in probe.arrived()]
    downs = [("key_down", key) for key in ("ctrl", "shift", "a")]
    assert kinds == [*downs, *(("key_up", key) for key in ("a", "shift", "ctrl"))]


@pytest.mark.parametrize(
    "key",
    ["enter", "esc", "tab", "space", "backspace", "delete", "insert", "up", "down", "left", "right",
     "home", "end", "pageup", "pagedown", "f1", "f12", "menu", "pause", "z", "7"],
)  # fmt: skip
def test_every_kind_of_key_is_found(probe: Probe, key: str) -> None:
    probe.backend.key_down(key)
    probe.backend.key_up(key)
    assert [entry[:2] for entry in probe.arrived()] == [("key_down", key), ("key_up", key)]


@pytest.mark.parametrize("key", ["nokey", "Return", "", "control"])
def test_a_key_that_does_not_exist_is_an_error(probe: Probe, key: str) -> None:
    with pytest.raises(BackendError, match="expected"):
        probe.backend.key_down(key)
    with pytest.raises(BackendError, match="expected"):
        probe.backend.key_up(key)
    assert probe.arrived() == []


@pytest.mark.parametrize("text", SCRIPTS)
def test_text_arrives_as_it_was(probe: Probe, text: str) -> None:
    probe.backend.type_text(text)
    assert probe.text() == text


def test_typing_can_be_broken_off(probe: Probe) -> None:
    calls = 0

    def enough() -> None:
        nonlocal calls
        calls += 1
        if calls == 30:
            raise InterruptedError

    probe.backend.type_text("ok", enough)
    calls = 29
    with pytest.raises(InterruptedError):
        probe.backend.type_text("жук " * 500, enough)
    assert probe.is_free()
    assert len(probe.text()) < 500


def test_release_all_lets_go_of_everything(probe: Probe) -> None:
    probe.backend.button_down(Button.LEFT)
    probe.backend.key_down("ctrl")
    probe.backend.key_down("+")
    thread = threading.Thread(target=probe.backend.release_all)
    thread.start()
    thread.join()
    assert probe.is_free()
    probe.arrived()
    probe.backend.release_all()
    assert probe.arrived() == []


def test_close_releases_and_may_be_repeated(probe: Probe) -> None:
    with probe.backend as backend:
        backend.button_down(Button.RIGHT)
        backend.key_down("alt")
    probe.backend.close()
    assert probe.is_free()


@pytest.mark.parametrize("action", [Click, Type, Drag, Hotkey, Scroll])
def test_it_supports_mouse_and_keyboard(probe: Probe, action: type[Action]) -> None:
    assert probe.backend.supports(action)
