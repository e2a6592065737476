"""The control lease: one client drives at a time, and only as long as it shows that it lives."""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Callable
from hmac import compare_digest

from server.errors import ApiError


class Lease:
    """At most one holder, whose lease ends unless it is renewed in time.

    Any thread may call anything. When a lease ends because nobody renewed it, `lapsed` is called
    once, from a thread of this object, and nobody can take the lease until that has returned.

    Args:
        seconds: how long a lease lasts after it was taken or renewed.
        lapsed: what to do when a holder has gone silent.
        changed: is told whenever the lease was taken or became free.
    """

    def __init__(
        self, seconds: float, lapsed: Callable[[], None], changed: Callable[[], None]
    ) -> None:
        self.seconds = seconds
        self._lapsed = lapsed
        self._changed = changed
        self._state = threading.Condition()
        self._token = b""
        self._deadline = math.inf
        self._closed = False
        self._watch = threading.Thread(target=self._watching, name="lease", daemon=True)
        self._watch.start()

    @property
    def held(self) -> bool:
        """Whether somebody holds it."""
        return bool(self._token)

    def take(self) -> str:
        """Become the holder; the answer is the lease's token.

        Raises:
            ApiError: 409 with Retry-After, somebody else holds it.
        """
        with self._state:
            if self._token:
                left = max(1, math.ceil(self._deadline - time.monotonic()))
                raise ApiError(
                    409,
                    "another client holds the control lease; it is free when that client gives it "
                    f"back or is silent for {left} s",
                    headers={"Retry-After": str(left)},
                )
            token = secrets.token_urlsafe(32)
            self._token = token.encode()
            self._deadline = time.monotonic() + self.seconds
            self._state.notify()
        self._changed()
        return token

    def check(self, token: str) -> None:
        """Let only the holder pass.

        Raises:
            ApiError: 409, this is not the token of a lease that still runs.
        """
        with self._state:
            self._check(token)

    def renew(self, token: str) -> None:
        """Start the time again.

        Raises:
            ApiError: 409, see `check`.
        """
        with self._state:
            self._check(token)
            self._deadline = time.monotonic() + self.seconds

    def give_back(self, token: str) -> None:
        """End the lease on purpose; `lapsed` is not called.

        Raises:
            ApiError: 409, see `check`.
        """
        with self._state:
            self._check(token)
            self._free()
        self._changed()

    def close(self) -> None:
        """End the watch. Safe to repeat."""
        with self._state:
            self._closed = True
            self._free()

    def _check(self, token: str) -> None:
        known = compare_digest(token.encode(), self._token) and bool(self._token)
        if not known or time.monotonic() >= self._deadline:
            raise ApiError(
                409, "this needs the control lease, and it is not (or no longer) yours: take it"
            )

    def _free(self) -> None:
        self._token, self._deadline = b"", math.inf
        self._state.notify()

    def _watching(self) -> None:
        while not self._closed:
            with self._state:
                left = self._deadline - time.monotonic()
                if left > 0:
                    self._state.wait(None if left == math.inf else left)
                    continue
            self._lapsed()
            with self._state:
                self._free()
            self._changed()
