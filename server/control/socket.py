"""`/v1/sessions/{id}/watch`: the live view, and a person's pointer and keys, over a WebSocket.

The server sends events as JSON texts (`type` says which) and pictures as binary messages (see
`Tiles.since`). A client answers every picture with `{"type": "seen", "number": N}`; two may be
under way, and who does not answer is sent away. With the scope `control` and the lease it may send

    {"type": "heartbeat", "lease": TOKEN}
    {"type": "input", "lease": TOKEN, "actions": [{"type": "move", "point": [x, y]}, ...]}

What goes wrong with a message is told in an event of type `error`; the connection stays.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated, Literal

import anyio.to_thread
from fastapi import APIRouter
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocket, WebSocketDisconnect

from server.access import GRANTS, Access, require, token_name
from server.control.input import Actions, read_actions
from server.control.session import Session
from server.control.sessions import Sessions
from server.control.viewer import TooSlow, Viewer
from server.errors import ApiError
from server.security import SUBPROTOCOL

_TRY_AGAIN_LATER = 1013
_LAST_WORD_SECONDS = 1.0


class Seen(BaseModel, strict=True):
    """A picture was drawn."""

    type: Literal["seen"]
    number: int


class Heartbeat(BaseModel, strict=True):
    """The holder of the lease is alive."""

    type: Literal["heartbeat"]
    lease: str


class Input(BaseModel, strict=True):
    """What a person did."""

    type: Literal["input"]
    lease: str
    actions: Actions


_MESSAGE: TypeAdapter[Seen | Heartbeat | Input] = TypeAdapter(
    Annotated[Seen | Heartbeat | Input, Field(discriminator="type")]
)


routes = APIRouter(dependencies=[require(Access.WATCH)])
"""The endpoint."""


@routes.websocket("/v1/sessions/{name}/watch")
async def watch(socket: WebSocket, name: str) -> None:
    """Show a session to a client, until one of them ends."""
    sessions: Sessions = socket.app.state.sessions
    session = sessions.find(name)
    await socket.accept(SUBPROTOCOL)
    viewer = Viewer(socket, session, sessions.patience)
    showing = asyncio.ensure_future(viewer.show())
    listening = asyncio.ensure_future(_listen(socket, session, viewer))
    try:
        await asyncio.wait({showing, listening}, return_when=asyncio.FIRST_COMPLETED)
        if showing.done():
            await _part(socket, showing)
    finally:
        for task in (showing, listening):
            task.cancel()
        await asyncio.gather(showing, listening, return_exceptions=True)
        if viewer.drives:
            await anyio.to_thread.run_sync(session.let_go)


async def _part(socket: WebSocket, showing: asyncio.Future[None]) -> None:
    """Say why the view ends."""
    try:
        showing.result()
        await socket.close(reason="the session is closed")
    except WebSocketDisconnect:
        return
    except TooSlow:
        with suppress(TimeoutError):  # where nothing can be sent any more
            async with asyncio.timeout(_LAST_WORD_SECONDS):
                await socket.close(_TRY_AGAIN_LATER, "you read too slowly")


async def _listen(socket: WebSocket, session: Session, viewer: Viewer) -> None:
    """Take in what the client sends, until it goes."""
    may_control = Access.CONTROL in GRANTS[token_name(socket)]
    try:
        while True:
            text = await socket.receive_text()
            try:
                message = _MESSAGE.validate_json(text)
                await _obey(message, session, viewer, may_control)
            except ValidationError as error:
                viewer.tell(
                    {"type": "error", "message": f"no such message: {error.errors()[0]['msg']}"}
                )
            except HTTPException as error:
                viewer.tell({"type": "error", "message": error.detail})
    except (WebSocketDisconnect, KeyError):  # KeyError: a binary message, which nobody sends
        return


async def _obey(
    message: Seen | Heartbeat | Input, session: Session, viewer: Viewer, may_control: bool
) -> None:
    if isinstance(message, Seen):
        viewer.seen(message.number)
        return
    if not may_control:
        raise ApiError(403, "this token does not have the scope: control")
    session.lease.renew(message.lease)
    if isinstance(message, Input):
        viewer.drives = True
        await anyio.to_thread.run_sync(session.play, read_actions(message.actions))
