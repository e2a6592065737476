"""One line of requests in front of the model, with an end."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from starlette.requests import Request

from server.errors import ApiError

T = TypeVar("T")


class Gone(Exception):
    """Raised inside a job for which nobody waits any more."""


class Ticket(Generic[T]):
    """One request's place in the line.

    Attributes:
        future: the job's result; cancelled when the client left before the job's turn.
    """

    future: Future[T]

    def __init__(self, job: Callable[[Ticket[T]], T]) -> None:
        self._job: Callable[[Ticket[T]], T] | None = job
        self._left = threading.Event()

    def check(self) -> None:
        """Called by the job now and then.

        Raises:
            Gone: the client has left; the job should end.
        """
        if self._left.is_set():
            raise Gone

    def leave(self) -> None:
        """Give up: a waiting job never starts, a running one ends at its next `check`."""
        self._left.set()
        self._job = None  # it holds pictures, and the line may take long to reach it
        self.future.cancel()

    def run(self) -> T:
        """Do the job; on a thread of the model."""
        job, self._job = self._job, None
        if job is None:
            raise Gone
        return job(self)


class ModelQueue:
    """Runs jobs in the order in which they came, on the threads that touch the model.

    `enter` is for the event loop's thread; `close` waits for the running jobs.

    Args:
        depth: most requests that wait or run.
        parallel: most that run at once.
    """

    def __init__(self, depth: int, parallel: int = 1) -> None:
        self._depth = depth
        self._parallel = parallel
        self._threads = ThreadPoolExecutor(parallel, thread_name_prefix="model")
        self._lock = threading.Lock()
        self._inside = 0
        self._seconds = 1.0

    @property
    def inside(self) -> int:
        """Requests that wait or run now."""
        return self._inside

    def refuse_if_full(self) -> None:
        """Ask this before work that would be for nothing, such as decoding pictures.

        Raises:
            ApiError: 429 with Retry-After, the line is full.
        """
        if self._inside < self._depth:
            return
        seconds = min(max(math.ceil(self._seconds * self._inside / self._parallel), 1), 60)
        raise ApiError(
            429,
            f"{self._inside} requests are waiting, which is the most: try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
        )

    def enter(self, job: Callable[[Ticket[T]], T]) -> Ticket[T]:
        """Put a job at the end of the line.

        Raises:
            ApiError: 429 with Retry-After, the line is full.
        """
        with self._lock:
            self.refuse_if_full()
            self._inside += 1
        ticket = Ticket(job)
        ticket.future = self._threads.submit(self._timed, ticket)
        ticket.future.add_done_callback(self._out)
        return ticket

    def close(self) -> None:
        """Drop what waits, finish what runs. Safe to repeat."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _timed(self, ticket: Ticket[T]) -> T:
        start = time.monotonic()
        try:
            return ticket.run()
        finally:
            self._seconds += 0.2 * (time.monotonic() - start - self._seconds)

    def _out(self, future: Future[T]) -> None:
        with self._lock:
            self._inside -= 1


async def outcome(ticket: Ticket[T], request: Request) -> T:
    """The job's result; the ticket is given up when the client leaves first.

    Raises:
        ApiError: 499, the client has gone.
        Exception: whatever the job raised.
    """
    try:
        return await while_connected(asyncio.wrap_future(ticket.future), request)
    finally:
        ticket.leave()


async def while_connected(work: Awaitable[T], request: Request) -> T:
    """The result of `work`, unless the client leaves first.

    Raises:
        ApiError: 499, the client has gone; `work` was cancelled.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ApiError(499, "the client closed the connection")
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
