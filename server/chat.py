"""`POST /v1/chat/completions` and `GET /v1/models`: OpenAI's API, as far as GUI clients use it."""

from __future__ import annotations

import time
from collections.abc import Callable
from secrets import token_hex

import anyio.to_thread
from fastapi import APIRouter, Request, Response

from agent.policies.chat import Emit, Message, Reply
from server.completion import Completion, Heading, Model, Models
from server.conversation import ChatRequest, read
from server.errors import ApiError
from server.queue import Ticket, outcome
from server.service import Service
from server.stream import Stream


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

    @routes.post("/v1/chat/completions", response_model=Completion)
    async def complete(body: ChatRequest, request: Request) -> Completion | Response:
        """Answer a chat; every `model` name means the one that is served."""
        service.queue.refuse_if_full()
        messages = await anyio.to_thread.run_sync(read, body, service.settings, service.frames)
        heading = Heading(f"chatcmpl-{token_hex(12)}", int(time.time()), model.id)
        if not body.stream:
            ticket = service.queue.enter(_job(service, body, messages, lambda _: None))
            return heading.completion(await outcome(ticket, request))
        stream = Stream(heading, body.wants_usage)
        ticket = service.queue.enter(_job(service, body, messages, stream.emit))
        return await stream.response(ticket, request)

    return routes


def _job(
    service: Service, body: ChatRequest, messages: tuple[Message, ...], emit: Emit
) -> Callable[[Ticket[Reply]], Reply]:
    """The model's work for one chat; it ends early when the client leaves."""
    chat = service.backend.chat

    def work(ticket: Ticket[Reply]) -> Reply:
        def emit_while_wanted(text: str) -> None:
            ticket.check()
            if text:
                emit(text)

        answer = chat.complete(
            messages,
            max_tokens=body.tokens(chat.context_tokens),
            stop=body.stops,
            seed=body.seed,
            temperature=body.temperature or 0.0,
            emit=emit_while_wanted,
        )
        service.metrics.spent(answer.usage)
        return answer

    return work
