"""A session: one display, one lease, at most one task at a time, and everybody who watches."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from actions.space import Action
from agent.run import Task
from server.control.approvals import Question
from server.control.camera import Camera
from server.control.decider import told
from server.control.desk import Desk
from server.control.hub import Hub
from server.control.lease import Lease
from server.control.person import Person
from server.control.run import Model, Run
from server.control.tiles import Tiles
from server.errors import ApiError


class State(StrEnum):
    """What a session is doing."""

    IDLE = "idle"
    RUNNING = "running"
    ASKING = "asking"
    """An action waits for consent."""
    PAUSED = "paused"
    TAKEN_OVER = "taken_over"
    """A person has the pointer and the keys."""
    STOPPING = "stopping"
    CLOSED = "closed"


class Asked(BaseModel):
    """An action that waits for consent; `action` is in screen pixels."""

    number: int
    what: str
    reason: str
    action: dict[str, Any]


class SessionView(BaseModel):
    """A session as clients see it; `box` is its screen in signed pixels: left, top, right, bottom.

    `working` says whether a task is under way; `instruction`, `step`, `max_steps` and `supervised`
    are those of the last one.
    """

    id: str
    display: str
    box: list[float]
    state: State
    working: bool
    controlled: bool
    reason: str
    instruction: str
    step: int
    max_steps: int
    supervised: bool
    question: Asked | None


class Session:
    """Any thread may call anything. `ApiError` is raised where the state does not allow it.

    Args:
        desk: the display; closed with the session.
        model: who decides.
        folder: where the records of its tasks go.
        seconds: after so long without a sign of life, the lease ends.

    Raises:
        BackendError: the person at the display cannot be watched for.
    """

    def __init__(self, desk: Desk, model: Model, folder: Path, seconds: float) -> None:
        self.id = secrets.token_hex(8)
        self.hub = Hub()
        self.tiles = Tiles()
        self.desk = desk
        self._attendance = ExitStack()
        if desk.seat is not None:
            self._attendance.enter_context(desk.seat.over(self.stop))
        self.camera = Camera(desk, self.tiles)
        self.lease = Lease(seconds, self._lapsed, self.tell)
        self._model = model
        self._folder = folder
        self._lock = threading.RLock()
        self._person = Person(desk)
        self._run: Run | None = None
        self._last: Run | None = None
        self._reason = ""
        self._closed = False
        self._count = 0

    @property
    def state(self) -> State:
        """What it is doing."""
        run = self._run
        if self._closed:
            return State.CLOSED
        if run is not None and run.stopping:
            return State.STOPPING
        if self._person.present:
            return State.TAKEN_OVER
        if run is None:
            return State.IDLE
        if not run.gate.is_open:
            return State.PAUSED
        return State.ASKING if run.approvals.question else State.RUNNING

    def view(self) -> SessionView:
        """What clients see."""
        run, now = self._last, self._run
        asked = _asked(now.approvals.question) if now else None
        return SessionView(
            id=self.id,
            display=self.desk.kind,
            box=list(self.desk.screen.box),
            state=self.state,
            working=now is not None,
            controlled=self.lease.held,
            reason=self._reason,
            instruction=run.task.instruction if run else "",
            step=run.steps if run else 0,
            max_steps=run.task.max_steps if run else 0,
            supervised=run.supervised if run else False,
            question=asked,
        )

    def tell(self) -> None:
        """Tell watchers the state."""
        self.hub.publish("state", keep=False, session=self.told())

    def told(self) -> dict[str, Any]:
        """What clients see, as JSON."""
        return self.view().model_dump(mode="json")

    def start(self, task: Task, supervised: bool) -> None:
        """Begin a task.

        Raises:
            ApiError: 409, there is one already, or a person has taken over.
            EpisodeError: the record cannot be begun.
        """
        with self._lock:
            self._expect(State.IDLE)
            self._count += 1
            self._reason = ""
            folder = self._folder / f"{self._count:03d}"
            self._run = self._last = Run(
                task, self.desk, self._model, folder, self.hub, supervised,
                changed=self.tell, came=self._somebody_came, over=self._over,
            )  # fmt: skip
            self._run.start()
        self.tell()

    def pause(self, reason: str = "paused by its user") -> None:
        """Break off the action that is under way, release everything, and wait."""
        with self._lock:
            run = self._running()
            self._expect(State.RUNNING, State.ASKING, State.PAUSED)
            self._hold(run, reason)
        self.tell()

    def resume(self, steps: int | None = None) -> None:
        """Go on, for so many steps or to the end."""
        with self._lock:
            run = self._running()
            self._expect(State.PAUSED, State.RUNNING, State.ASKING)
            self._reason = "" if steps is None else "one step at a time"
            run.gate.open(steps)
        self.tell()

    def supervise(self, on: bool) -> None:
        """Ask, or do not ask, before every action from now on."""
        with self._lock:
            self._running().supervised = on
        self.tell()

    def take_over(self) -> None:
        """Give pointer and keys to the person who holds the lease."""
        with self._lock:
            if self._run is not None:
                self._hold(self._run, "taken over by its user")
            self._expect(State.IDLE, State.PAUSED, State.TAKEN_OVER)
            self._person.come()
        self.tell()

    def hand_back(self) -> None:
        """Take them away again; a task that was under way goes on."""
        with self._lock:
            self._expect(State.TAKEN_OVER)
            self._person.leave()
            self._reason = ""
            if self._run is not None:
                self._run.gate.open()
        self.tell()

    def leave(self) -> None:
        """The person goes without handing back: a task that was under way stays paused."""
        with self._lock:
            self._person.leave()
        self.tell()

    def play(self, actions: Sequence[Action]) -> None:
        """Do what a person does with pointer and keys."""
        self._person.play(actions)

    def let_go(self) -> None:
        """Release what a person holds, because their connection is gone."""
        if self._person.present:
            self.desk.backend.release_all()

    def answer(self, number: int, agreed: bool) -> None:
        """Answer a question."""
        with self._lock:
            run = self._running()
        run.approvals.answer(number, agreed)

    def stop(self) -> None:
        """Release everything now and end the task. Safe to repeat; needs no lease."""
        run = self._run
        if run is not None:
            run.stop()
        if self._person.present:
            self._person.leave()
        self.tell()

    def close(self) -> None:
        """Stop, wait for the record to be closed, and give the display back. Safe to repeat."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self.stop()
        if self._last is not None:
            self._last.join()
        self._attendance.close()
        self.lease.close()
        self.camera.close()
        self.desk.close()
        self.hub.publish("closed")

    def _lapsed(self) -> None:
        """The holder of the lease has gone silent: nothing goes on unattended, nothing is held."""
        with self._lock:
            self._person.leave()
            if self._run is not None:
                self._hold(self._run, "its controller has gone silent")

    def _somebody_came(self) -> None:
        """A person uses the display itself: they come first, until the controller resumes."""
        with self._lock:
            if self._run is not None:
                self._hold(self._run, "somebody uses the mouse or the keyboard of this display")
        self.tell()

    def _hold(self, run: Run, reason: str) -> None:
        run.gate.shut()
        self.desk.backend.release_all()
        self._reason = reason

    def _over(self) -> None:
        """The run has ended; called by its thread."""
        with self._lock:
            self._run = None
        self.tell()

    def _running(self) -> Run:
        if self._run is None or self._run.stopping:
            raise ApiError(409, f"this needs a task at work, and the session is {self.state}")
        return self._run

    def _expect(self, *states: State) -> None:
        if self.state not in states:
            raise ApiError(
                409, f"this needs a session that is {' or '.join(states)}; it is {self.state}"
            )


def _asked(question: Question | None) -> Asked | None:
    if question is None:
        return None
    return Asked(number=question.number, reason=question.reason, **told(question.action))
