"""One client that watches a session: sends it what is new, and never waits long for it."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable
from contextlib import suppress

from starlette.websockets import WebSocket

from server.control.hub import Event
from server.control.session import Session

_ROOM = 1000
"""Events that may wait for a client; one that is further behind is sent away."""
_AHEAD = 2
"""Pictures that may be under way. More would be old when they arrive."""


class TooSlow(Exception):
    """The client does not read, or not fast enough."""


class Viewer:
    """Sends events in order and pictures in their newest form. For the event loop's thread.

    Args:
        socket: the client, accepted.
        session: what it watches.
        patience: seconds that a client may take to read or to acknowledge.

    Attributes:
        drives: whether a person's pointer and keys came from this client.
    """

    def __init__(self, socket: WebSocket, session: Session, patience: float) -> None:
        self._socket = socket
        self._session = session
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self.drives = False
        self._wake = asyncio.Event()
        self._events: deque[Event] = deque()
        self._sent = 0
        self._unseen: deque[tuple[int, float]] = deque()

    async def show(self) -> None:
        """Send until the session is closed.

        Raises:
            TooSlow: the client does not keep up.
        """
        self._session.hub.join(self._put)
        self._session.camera.add(self._poke)
        try:
            self._put({"type": "state", "time": time.time(), "session": self._session.told()})
            while await self._woken():
                if not await self._send_events():
                    return
                await self._send_picture()
        finally:
            self._session.camera.remove(self._poke)
            self._session.hub.leave(self._put)

    def tell(self, event: Event) -> None:
        """Send an event to this client alone."""
        self._take({"time": time.time(), **event})

    def seen(self, number: int) -> None:
        """The client has drawn this picture."""
        while self._unseen and self._unseen[0][0] <= number:
            self._unseen.popleft()
        self._wake.set()

    def _put(self, event: Event) -> None:
        """From any thread."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._take, event)

    def _poke(self) -> None:
        """From any thread: there is a new picture."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake.set)

    def _take(self, event: Event) -> None:
        self._events.append(event)
        self._wake.set()

    async def _woken(self) -> bool:
        """Wait until there is something to do; always True.

        Raises:
            TooSlow: a picture was not acknowledged in time.
        """
        try:
            async with asyncio.timeout(self._time_left()):
                await self._wake.wait()
        except TimeoutError:
            raise TooSlow from None
        if (left := self._time_left()) is not None and left <= 0:
            raise TooSlow
        self._wake.clear()
        return True

    def _time_left(self) -> float | None:
        if not self._unseen:
            return None
        return self._unseen[0][1] + self._patience - self._loop.time()

    async def _send_events(self) -> bool:
        """Whether the session goes on."""
        if len(self._events) > _ROOM:
            raise TooSlow
        while self._events:
            event = self._events.popleft()
            await self._within(self._socket.send_text(json.dumps(event)))
            if event["type"] == "closed":
                return False
        return True

    async def _send_picture(self) -> None:
        if len(self._unseen) < _AHEAD and self._session.tiles.number > self._sent:
            self._sent, message = self._session.tiles.since(self._sent)
            self._unseen.append((self._sent, self._loop.time()))
            await self._within(self._socket.send_bytes(message))
        if len(self._unseen) < _AHEAD:
            self._session.camera.want()

    async def _within(self, sending: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await sending
        except TimeoutError:
            raise TooSlow from None
