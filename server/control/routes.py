"""`/v1/sessions`: open displays, hold the lease, give tasks, and stay in charge."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, Header, Request, Response
from PIL import Image
from pydantic import BaseModel, Field

from agent.episodes.errors import EpisodeError
from agent.run import Task
from server.access import Access, require
from server.control.desk import Wish
from server.control.input import Actions, read_actions
from server.control.session import Session, SessionView
from server.control.sessions import Sessions
from server.errors import ApiError
from vision.capture import CaptureError

WATCH, CONTROL = require(Access.WATCH), require(Access.CONTROL)


class LeaseView(BaseModel):
    """A lease; renew it more often than every `seconds`."""

    lease: str
    seconds: float


class SessionList(BaseModel):
    """All sessions, oldest first."""

    sessions: list[SessionView]


class TaskBody(BaseModel, strict=True):
    """What to do; supervised, a person is asked before every action."""

    instruction: str = Field(min_length=1, max_length=20_000, pattern=r"\S")
    max_steps: int = Field(default=30, ge=1, le=1000)
    supervised: bool = False


class AnswerBody(BaseModel, strict=True):
    """The number of the question that is answered."""

    question: int


class SuperviseBody(BaseModel, strict=True):
    """Whether a person is asked before every action from now on."""

    supervised: bool


class InputBody(BaseModel, strict=True):
    """What a person does."""

    actions: Actions


routes = APIRouter(prefix="/v1/sessions", tags=["control"])
"""The endpoints. Those that drive a session want its lease in `X-Eyehand-Lease`."""


Lease = Annotated[str, Header(alias="X-Eyehand-Lease")]


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def _watched(name: str, request: Request) -> Session:
    return _sessions(request).find(name)


def _held(name: str, request: Request, lease: Lease = "") -> Session:
    session = _sessions(request).find(name)
    session.lease.check(lease)
    return session


Watched = Annotated[Session, Depends(_watched)]
Held = Annotated[Session, Depends(_held)]


async def _do(session: Session, work: Callable[[], Any]) -> SessionView:
    """Do it, and show what came of it."""
    await anyio.to_thread.run_sync(work)
    return session.view()


@routes.post("", status_code=201, dependencies=[CONTROL])
async def create(wish: Wish, request: Request) -> SessionView:
    """Open a session on a display of its own."""
    session = await anyio.to_thread.run_sync(_sessions(request).open, wish)
    return session.view()


@routes.get("", dependencies=[WATCH])
async def show_all(request: Request) -> SessionList:
    """All open sessions."""
    return SessionList(sessions=[session.view() for session in _sessions(request).all()])


@routes.get("/{name}", dependencies=[WATCH])
async def show(session: Watched) -> SessionView:
    """One session."""
    return session.view()


@routes.get("/{name}/screenshot", dependencies=[WATCH], response_class=Response)
async def screenshot(session: Watched) -> Response:
    """The screen now, exactly, as PNG."""
    data = await anyio.to_thread.run_sync(_screenshot, session)
    return Response(data, media_type="image/png", headers={"Cache-Control": "no-store"})


@routes.delete("/{name}", status_code=204, dependencies=[CONTROL])
async def close(session: Held, request: Request) -> None:
    """Stop and close a session."""
    await anyio.to_thread.run_sync(_sessions(request).close, session)


@routes.post("/{name}/lease", status_code=201, dependencies=[CONTROL])
async def take(session: Watched) -> LeaseView:
    """Take the lease; 409 while another client holds it."""
    token = session.lease.take()
    return LeaseView(lease=token, seconds=session.lease.seconds)


@routes.put("/{name}/lease", status_code=204, dependencies=[CONTROL])
async def renew(session: Watched, lease: Lease = "") -> None:
    """Show that its holder lives."""
    session.lease.renew(lease)


@routes.delete("/{name}/lease", status_code=204, dependencies=[CONTROL])
async def give_back(session: Watched, lease: Lease = "") -> None:
    """Give the lease back; a task goes on, a person's hands leave the display."""
    session.lease.check(lease)
    await anyio.to_thread.run_sync(session.leave)
    session.lease.give_back(lease)


@routes.post("/{name}/run", status_code=202, dependencies=[CONTROL])
async def run(session: Held, body: TaskBody) -> SessionView:
    """Begin a task."""
    task = Task(body.instruction, body.max_steps)
    try:
        return await _do(session, partial(session.start, task, body.supervised))
    except EpisodeError as error:
        raise ApiError(503, f"the task cannot be recorded: {error}") from error


@routes.post("/{name}/pause", dependencies=[CONTROL])
async def pause(session: Held) -> SessionView:
    """Break off the action under way, release everything, wait."""
    return await _do(session, session.pause)


@routes.post("/{name}/resume", dependencies=[CONTROL])
async def resume(session: Held) -> SessionView:
    """Go on after a pause."""
    return await _do(session, session.resume)


@routes.post("/{name}/step", dependencies=[CONTROL])
async def step(session: Held) -> SessionView:
    """Go on for one step."""
    return await _do(session, partial(session.resume, 1))


@routes.post("/{name}/supervise", dependencies=[CONTROL])
async def supervise(session: Held, body: SuperviseBody) -> SessionView:
    """Ask before every action, or do not."""
    return await _do(session, partial(session.supervise, body.supervised))


@routes.post("/{name}/approve", dependencies=[CONTROL])
async def approve(session: Held, body: AnswerBody) -> SessionView:
    """Let an action happen."""
    return await _do(session, partial(session.answer, body.question, True))


@routes.post("/{name}/deny", dependencies=[CONTROL])
async def deny(session: Held, body: AnswerBody) -> SessionView:
    """Do not let an action happen."""
    return await _do(session, partial(session.answer, body.question, False))


@routes.post("/{name}/take-over", dependencies=[CONTROL])
async def take_over(session: Held) -> SessionView:
    """Give pointer and keys to the holder of the lease."""
    return await _do(session, session.take_over)


@routes.post("/{name}/hand-back", dependencies=[CONTROL])
async def hand_back(session: Held) -> SessionView:
    """Give them back; a task under way goes on."""
    return await _do(session, session.hand_back)


@routes.post("/{name}/input", dependencies=[CONTROL])
async def play(session: Held, body: InputBody) -> SessionView:
    """Move and press, after a take-over."""
    actions = read_actions(body.actions)
    return await _do(session, partial(session.play, actions))


@routes.post("/{name}/stop", dependencies=[WATCH])
async def stop(session: Watched) -> SessionView:
    """Release everything now and end the task. Whoever sees a session may stop it."""
    await anyio.to_thread.run_sync(session.stop)
    return session.view()


def _screenshot(session: Session) -> bytes:
    file = io.BytesIO()
    try:
        frame = session.desk.screen.grab()
    except CaptureError as error:
        raise ApiError(503, f"the display is gone: {error}") from error
    Image.fromarray(frame.pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()
