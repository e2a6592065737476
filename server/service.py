"""What every endpoint works with."""

from __future__ import annotations

from dataclasses import dataclass

from server.audit import Audit
from server.backend import Backend
from server.frames import FrameCache
from server.metrics import Metrics
from server.queue import ModelQueue
from server.settings import Settings


@dataclass(frozen=True)
class Service:
    """The parts that live as long as the server.

    Attributes:
        backend: the model side; used only by jobs in `queue`.
        queue: the one line in front of it.
        settings: what requests may be.
        metrics: what was done.
        frames: pictures that were decoded lately.
        audit: where control and refusals are noted.
    """

    backend: Backend
    queue: ModelQueue
    settings: Settings
    metrics: Metrics
    frames: FrameCache
    audit: Audit
