"""`/v1/responses`: OpenAI's Responses API, as far as GUI clients use it.

With OpenAI's computer tool among the tools the policy decides and the answer is a `computer_call`;
without it the chat model answers in words. A conversation goes on by `previous_response_id`, or by
sending all items again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response as HttpResponse

from actions.space import CallUser, Finished
from agent.policies.base import Decision, Usage
from agent.policies.chat import Emit, Finish, Message, Role
from server.act import placed
from server.asking import Wish, asking
from server.backend import observation_of
from server.computer import calls
from server.errors import ApiError
from server.images import ImageReader
from server.queue import Ticket, outcome
from server.remembered import Remembered, Said
from server.response_objects import (
    Answer,
    Deleted,
    Response,
    ResponseScript,
    computer_call,
    message,
    named,
    reasoning,
)
from server.response_request import ResponseRequest, read
from server.service import Service
from server.stream import STREAMED, Stream
from vision.frame import Frame

Job = Callable[[Ticket[Answer]], Answer]


def router(service: Service) -> APIRouter:
    """The endpoints."""
    routes = APIRouter(tags=["openai"])
    remembered = Remembered(service.settings.images.cached)
    dialect = service.backend.policy.describe().get("dialect", "uitars")

    @routes.post("/v1/responses", response_model=Response, responses=STREAMED)
    async def respond(body: ResponseRequest, request: Request) -> Response | HttpResponse:
        """Answer; every `model` name means the one that is served."""
        service.queue.refuse_if_full()
        earlier = _earlier(body, remembered)
        new = await anyio.to_thread.run_sync(_read, body, service, dialect, earlier)
        heading = Response(
            id=named("resp"),
            created_at=int(time.time()),
            model=service.backend.name,
            previous_response_id=body.previous_response_id,
            tools=[{"type": tool.type} for tool in body.tools or ()],
        )
        script = ResponseScript(heading)
        stream = Stream(script) if body.stream else None
        emit = stream.emit if stream else lambda _: None
        system = (Message(Role.SYSTEM, (body.instructions,)),) if body.instructions else ()
        work = _job(service, body, (*system, *earlier, *new), script.name, emit)

        def remembering(ticket: Ticket[Answer]) -> Answer:
            answer = work(ticket)
            if body.store is not False:
                told = (Message(Role.ASSISTANT, (answer.text,)),) if answer.text else ()
                remembered.add(heading.id, Said(body.previous_response_id, (*new, *told)))
            return answer

        ticket = service.queue.enter(remembering)
        if stream:
            return await stream.response(ticket, request)
        return (await outcome(ticket, request)).complete(heading)

    @routes.delete("/v1/responses/{response_id}")
    async def forget(response_id: str) -> Deleted:
        """Drop what a response said; the conversation goes on without it."""
        remembered.forget(response_id)
        return Deleted(id=response_id)

    return routes


def _earlier(body: ResponseRequest, remembered: Remembered) -> tuple[Message, ...]:
    name = body.previous_response_id
    return () if name is None else remembered.until(name)


def _read(
    body: ResponseRequest, service: Service, dialect: str, earlier: tuple[Message, ...]
) -> tuple[Message, ...]:
    settings = service.settings
    written = body.characters + sum(len(m.text) for m in earlier)
    if written > settings.text:
        told = f"expected at most {settings.text} characters in all, came {written}: shorten"
        raise ApiError(400, told, "input")
    shown: list[Frame] = [frame for m in earlier for frame in m.frames]
    images = ImageReader(settings.images, service.frames)
    return read(body, images, dialect, shown[-1] if shown else None)


def _job(
    service: Service, body: ResponseRequest, messages: tuple[Message, ...], name: str, emit: Emit
) -> Job:
    if body.wants_calls:
        return _acting(service, body, messages, name)
    return _telling(service, body, messages, name, emit)


def _telling(
    service: Service, body: ResponseRequest, messages: tuple[Message, ...], name: str, emit: Emit
) -> Job:
    """The chat model answers in words."""
    wish = Wish(body.max_output_tokens, temperature=body.temperature or 0.0)
    ask = asking(service, messages, wish, emit)

    def work(ticket: Ticket[Answer]) -> Answer:
        reply = ask(ticket)
        cut = reply.finish is Finish.LENGTH
        return Answer(reply.text, [message(reply.text, name)], reply.usage, cut)

    return work


def _acting(
    service: Service, body: ResponseRequest, messages: tuple[Message, ...], name: str
) -> Job:
    """The policy decides and the client acts; without a screenshot it is asked for one."""
    observation = observation_of(messages, body.max_output_tokens)
    if observation is not None and not observation.instruction:
        raise ApiError(400, "expected a task in words, came pictures only", "input")

    def work(ticket: Ticket[Answer]) -> Answer:
        if observation is None:
            return Answer("", _called(body, [{"type": "screenshot"}]), Usage())
        decision = service.backend.policy.decide(replace(observation, check=ticket.check))
        service.metrics.spent(decision.usage)
        return Answer(decision.text, _output(body, decision, name), decision.usage)

    return work


def _output(body: ResponseRequest, decision: Decision, name: str) -> list[dict[str, Any]]:
    """The items of a decision: the thought and its actions, or words when the run is over."""
    step = placed(decision)
    ending = step.actions[-1]
    if isinstance(ending, Finished | CallUser):
        return [message(ending.text or step.thought, name)]
    made = calls(step.actions, decision.map.screen.center)
    if made is None:
        return [message(decision.text, name)]
    thought = [reasoning(step.thought)] if step.thought else []
    return thought + _called(body, made)


def _called(body: ResponseRequest, made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Actions in the form of the tool that the client has."""
    if any(tool.type == "computer" for tool in body.tools or ()):
        return [computer_call(actions=made)]
    return [computer_call(action=action) for action in made]
