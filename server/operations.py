"""`/healthz`, `/readyz` and `/metrics`: for whoever runs the server."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from server.errors import ApiError
from server.service import Service


class Health(BaseModel):
    """The server runs."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The server takes requests; `waiting` of at most `room` are in the line."""

    status: Literal["ready"] = "ready"
    model: str
    waiting: int
    room: int


def router(service: Service) -> APIRouter:
    """The endpoints."""
    routes = APIRouter(tags=["operations"])

    @routes.get("/healthz")
    async def healthz() -> Health:
        """Whether the process answers."""
        return Health()

    @routes.get("/readyz")
    async def readyz() -> Readiness:
        """Whether a request would be taken now."""
        waiting, room = service.queue.inside, service.settings.queue
        if waiting >= room:
            raise ApiError(503, f"the line is full: {waiting} of {room} requests")
        return Readiness(model=service.backend.name, waiting=waiting, room=room)

    @routes.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Numbers for Prometheus."""
        return Response(service.metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return routes
