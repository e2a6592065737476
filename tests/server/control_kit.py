"""Displays that tests can paint and read, and a client of the control API."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from websockets.sync.client import ClientConnection, connect

from actions.backends.scripted import ScriptedBackend
from actions.backends.x11 import X11Backend
from agent.attendance import Attendance
from agent.episodes.reader import Episode
from agent.policies.scripted import ScriptedPolicy as Texts
from server.control.desk import Desk, OpenDesk, Wish
from server.settings import ControlSettings, Settings
from tests.server.conftest import TOKEN, Door, Open
from vision.capture import Monitor, Screen
from vision.damage import Unknown, motion
from vision.frame import Frame, Pixels
from vision.geometry import Box, Point

SIZE = (400, 300)
CLICK = "Thought: the button\nAction: click(start_box='(500,500)')"
DRAG = "Action: drag(start_box='(100,100)', end_box='(900,900)')"
PRESS = "Action: mouse_down(start_box='(500,500)')"
DONE = "Thought: it is done\nAction: finished(content='ok')"
FOREVER = [f"Action: click(start_box='({n},500)')" for n in range(1000)]


@dataclass
class Painted:
    """A screen that shows what a test paints, and counts who looks."""

    pixels: Pixels = field(default_factory=lambda: np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    grabs: int = 0

    @property
    def box(self) -> Box:
        return Box(0, 0, self.pixels.shape[1], self.pixels.shape[0])

    def monitors(self) -> tuple[Monitor, ...]:
        return (Monitor(self.box, "painted", True),)

    def grab(self, region: Box | None = None) -> Frame:
        self.grabs += 1
        return Frame(self.pixels.copy(), self.box, time.time(), Point(5, 6))


@dataclass
class Desks:
    """Opens painted desks with a backend that writes down its events."""

    screen: Painted = field(default_factory=Painted)
    backends: list[ScriptedBackend] = field(default_factory=list)
    closed: int = 0

    def __call__(self, wish: Wish) -> Desk:
        backend = ScriptedBackend()
        self.backends.append(backend)
        return Desk(wish.display, self.screen, Unknown(), backend, False, self._close)

    def _close(self) -> None:
        self.closed += 1


def desk_on(display: str, attended: bool = False) -> OpenDesk:
    """Opens desks on a display that is already there, and stays; somebody may sit at it."""

    def open_there(wish: Wish) -> Desk:
        with ExitStack() as stack:
            screen, moves = stack.enter_context(Screen(display)), motion(display)
            stack.callback(moves.close)
            backend = stack.enter_context(X11Backend(display))
            seat = Attendance(screen, display) if attended else None
            return Desk(wish.display, screen, moves, backend, False, stack.pop_all().close, seat)

    return open_there


def settings(runs: Path, **control: Any) -> Settings:
    """Of a server whose sessions are recorded there."""
    return Settings(
        port=0,
        control=replace(ControlSettings(runs, lease=30.0), **control),
    )


@dataclass
class Client:
    """Drives one session.

    Attributes:
        door: the server.
        id: of the session.
        lease: the token of the lease, empty without one.
    """

    door: Door
    id: str
    lease: str = ""

    @classmethod
    def open(cls, door: Door, **wish: Any) -> Client:
        answer = door.http.post("/v1/sessions", json=wish)
        assert answer.status_code == 201, answer.text
        return cls(door, answer.json()["id"])

    def take(self) -> Client:
        answer = self.door.http.post(f"/v1/sessions/{self.id}/lease", json={})
        assert answer.status_code == 201, answer.text
        self.lease = answer.json()["lease"]
        return self

    def post(self, what: str, **body: Any) -> Any:
        """The status of a command, and the body of its answer."""
        answer = self.door.http.post(
            f"/v1/sessions/{self.id}/{what}", json=body, headers={"X-Eyehand-Lease": self.lease}
        )
        return answer.status_code, answer.json()

    def do(self, what: str, **body: Any) -> dict[str, Any]:
        """A command that must work; the session afterwards."""
        status, session = self.post(what, **body)
        assert status in (200, 202), session
        return dict(session)

    @property
    def session(self) -> dict[str, Any]:
        return dict(self.door.http.get(f"/v1/sessions/{self.id}").json())

    def becomes(self, state: str) -> dict[str, Any]:
        """The session, once it is in that state."""
        end = time.monotonic() + 15
        while (session := self.session)["state"] != state:
            assert time.monotonic() < end, session
            time.sleep(0.01)
        return session

    @contextmanager
    def watch(self, token: str = TOKEN.secret) -> Iterator[Watcher]:
        url = f"ws://127.0.0.1:{self.door.port}/v1/sessions/{self.id}/watch"
        offers: Any = ["eyehand", f"eyehand.token.{token}"]
        with connect(url, subprotocols=offers, compression=None) as socket:
            yield Watcher(socket)


@dataclass
class Watcher:
    """A WebSocket client that acknowledges pictures and keeps what it got."""

    socket: ClientConnection
    events: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[dict[str, Any]] = field(default_factory=list)

    def until(self, enough: Callable[[Watcher], Any]) -> Any:
        """Receive until this holds; what it then returns."""
        end = time.monotonic() + 15
        while not (found := enough(self)):
            self._take(self.socket.recv(timeout=max(0.01, end - time.monotonic())))
        return found

    def event(self, kind: str, **facts: Any) -> dict[str, Any]:
        """The first event of that kind with these facts."""

        def found(_: Watcher) -> Any:
            for event in self.events:
                if event["type"] == kind and facts.items() <= event.items():
                    return event
            return None

        return dict(self.until(found))

    def state(self, state: str) -> dict[str, Any]:
        """The session, once it is announced to be in that state."""

        def found(_: Watcher) -> Any:
            told = [e["session"] for e in self.events if e["type"] == "state"]
            return next((session for session in told if session["state"] == state), None)

        return dict(self.until(found))

    def send(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self.events.append(json.loads(message))
            return
        length = int.from_bytes(message[:4])
        head = json.loads(message[4 : 4 + length])
        self.pictures.append({**head, "data": message[4 + length :]})
        self.send(type="seen", number=head["number"])


def opened(open_door: Open, folder: Path, texts: list[str], **control: Any) -> tuple[Desks, Client]:
    """A session on a painted desk, whose model says these texts."""
    desks = Desks()
    door = open_door(Texts(texts), settings=settings(folder, **control), desks=desks)
    return desks, Client.open(door)


def recorded(folder: Path) -> list[Episode]:
    """The episodes of all sessions, oldest first."""
    return [Episode.open(path.parent) for path in sorted(folder.glob("*/*/manifest.json"))]
