"""All sessions of a server."""

from __future__ import annotations

import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from actions.backends.base import BackendError
from server.control.desk import OpenDesk, Wish
from server.control.run import Model
from server.control.session import Session
from server.errors import ApiError
from server.settings import ControlSettings


class Sessions:
    """Opens, finds and closes sessions. Any thread may call anything.

    Args:
        model: who decides for all of them.
        settings: how many, where, and which displays.
        open_desk: starts a display.
    """

    def __init__(self, model: Model, settings: ControlSettings, open_desk: OpenDesk) -> None:
        self._model = model
        self._settings = settings
        self._open_desk = open_desk
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._opening: list[Wish] = []
        self._closed = False

    @property
    def patience(self) -> float:
        """Seconds that a viewer may take to read what it is sent."""
        return self._settings.patience

    def all(self) -> list[Session]:
        """The open ones, oldest first."""
        with self._lock:
            return list(self._sessions.values())

    def find(self, name: str) -> Session:
        """The session of that id.

        Raises:
            ApiError: 404, there is none.
        """
        session = self._sessions.get(name)
        if session is None:
            raise ApiError(404, "no session has this id; it may have been closed")
        return session

    def open(self, wish: Wish) -> Session:
        """Start a session; it takes seconds.

        Raises:
            ApiError: 403, the real display was not allowed; 409, it has a session already; 429, as
                many sessions as allowed are open; 503, the display does not come up.
        """
        with self._lock:
            self._admit(wish)
            self._opening.append(wish)
        try:
            session = self._opened(wish)
        finally:
            with self._lock:
                self._opening.remove(wish)
        with self._lock:
            self._sessions[session.id] = session
            late = self._closed
        if late:
            self.close(session)
            raise ApiError(503, "the server is shutting down")
        return session

    def _opened(self, wish: Wish) -> Session:
        desk = self._open_desk(wish)
        name = f"session-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        try:
            return Session(desk, self._model, self._settings.runs / name, self._settings.lease)
        except BackendError as error:
            desk.close()
            raise ApiError(503, f"the display did not come up: {error}") from error

    def close(self, session: Session) -> None:
        """End a session."""
        session.close()
        with self._lock:
            self._sessions.pop(session.id, None)

    def close_all(self) -> None:
        """End all of them, side by side, and open none any more. Safe to repeat."""
        self._closed = True
        with ThreadPoolExecutor(thread_name_prefix="close") as pool:
            list(pool.map(self.close, self.all()))

    def _admit(self, wish: Wish) -> None:
        if self._closed:
            raise ApiError(503, "the server is shutting down")
        if len(self._sessions) + len(self._opening) >= self._settings.sessions:
            raise ApiError(
                429, f"{self._settings.sessions} sessions are open, which is the most: close one"
            )
        if wish.display != "real":
            return
        if not self._settings.real_display:
            raise ApiError(
                403, "the real display is out of reach; `serve --allow-real-display` allows it"
            )
        kinds = [session.desk.kind for session in self._sessions.values()]
        if "real" in (*kinds, *(other.display for other in self._opening)):
            raise ApiError(409, "the real display has a session already: use or close that one")
