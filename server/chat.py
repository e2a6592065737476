"""`POST /v1/chat/completions` and `GET /v1/models`: OpenAI's API, as far as GUI clients use it."""

from __future__ import annotations

import time
from secrets import token_hex

import anyio.to_thread
from fastapi import APIRouter, Request, Response

from server.asking import asking
from server.completion import ChatScript, Completion, Heading, Model, Models
from server.conversation import ChatRequest, read
from server.errors import ApiError
from server.queue import outcome
from server.service import Service
from server.stream import STREAMED, Stream


def router(service: Service) -> APIRouter:
    """The endpoints."""
    routes = APIRouter(tags=["openai"])
    model = Model(id=service.backend.name, created=int(time.time()))

    @routes.get("/v1/models")
    async def models() -> Models:
        """The one model that is served."""
        return Models(data=[model])

    @routes.get("/v1/models/{name:path}")
    async def one_model(name: str) -> Model:
        """What is known about a model."""
        if name != model.id:
            raise ApiError(404, f"no such model; this server has {model.id!r}", "model")
        return model

    @routes.post("/v1/chat/completions", response_model=Completion, responses=STREAMED)
    async def complete(body: ChatRequest, request: Request) -> Completion | Response:
        """Answer a chat; every `model` name means the one that is served."""
        service.queue.refuse_if_full()
        messages = await anyio.to_thread.run_sync(read, body, service.settings, service.frames)
        heading = Heading(f"chatcmpl-{token_hex(12)}", int(time.time()), model.id)
        if not body.stream:
            job = asking(service, messages, body.wish, lambda _: None)
            return heading.completion(await outcome(service.queue.enter(job), request))
        stream = Stream(ChatScript(heading, body.wants_usage))
        job = asking(service, messages, body.wish, stream.emit)
        return await stream.response(service.queue.enter(job), request)

    return routes
