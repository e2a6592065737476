"""Backends with what arrives at their other ends, all in the same words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from actions.backends.base import Backend
from actions.backends.cdp import CdpBackend
from actions.backends.scripted import Event, Kind, ScriptedBackend
from actions.backends.wayland import WaylandBackend
from actions.backends.x11 import X11Backend
from actions.space import Button, Direction
from vision.capture import Screen
from vision.wayland import Compositor

if TYPE_CHECKING:
    from tests.actions.conftest import Stage
    from tests.actions.page_stage import PageStage
    from tests.actions.wayland_stage import WaylandStage

Arrived = tuple[object, ...]
"""(kind, what, x, y), in screen pixels."""


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
        with Screen(stage.name) as screen:
            self._origin = screen.origin

    def arrived(self) -> list[Arrived]:
        return [entry for event in self.stage.received() if (entry := self._plain(event))]

    def _plain(self, event: dict[str, Any]) -> Arrived | None:
        kind = event["event"]
        place = (event["x"] - self._origin.x, event["y"] - self._origin.y)
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
