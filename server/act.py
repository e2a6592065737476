"""`POST /v1/act`: screenshot and instruction in, thought and actions in screen pixels out."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from actions.codec import to_dict
from actions.space import Step, on_points
from agent.policies.base import Decision, Observation, Policy, Turn
from server.errors import ApiError
from server.images import ImageReader
from server.queue import Ticket, outcome
from server.service import Service
from server.settings import Settings
from vision.geometry import GeometryError


class Earlier(BaseModel):
    """One earlier step: what the model wrote."""

    text: str


class ActRequest(BaseModel, strict=True):
    """The task, the screen as a data URL, and what was done so far, oldest first."""

    instruction: str
    screenshot: str
    history: list[Earlier] | None = Field(default=None, max_length=10_000)
    max_tokens: int | None = Field(default=None, ge=1)


class UsageReply(BaseModel):
    """Tokens; the cached ones of the prompt were not computed again."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


class TimingReply(BaseModel):
    """Milliseconds."""

    encode_ms: float
    prefill_ms: float
    decode_ms: float
    total_ms: float


class ActReply(BaseModel):
    """The model's words and what they mean; points are [x, y] pixels of the screenshot sent.

    `confidence` is 0..1 that the points are right, null when the model cannot tell.
    """

    text: str
    thought: str
    actions: list[dict[str, Any]]
    confidence: float | None
    usage: UsageReply
    timing: TimingReply


def router(service: Service) -> APIRouter:
    """The endpoint."""
    routes = APIRouter()

    @routes.post("/v1/act", tags=["native"])
    async def act(body: ActRequest, request: Request) -> ActReply:
        """Decide the next step."""
        check_text(body, service.settings)
        service.queue.refuse_if_full()
        observation = await anyio.to_thread.run_sync(_observation, body, service)
        ticket = service.queue.enter(partial(_decision, service.backend.policy, observation))
        decision = await outcome(ticket, request)
        service.metrics.spent(decision.usage)
        return reply(decision)

    return routes


def check_text(body: ActRequest, settings: Settings) -> None:
    """Refuse an instruction or a history that no model can use.

    Raises:
        ApiError: 400.
    """
    length = len(body.instruction)
    if not body.instruction.strip():
        raise ApiError(400, "expected an instruction, came none: say what to do", "instruction")
    if length > settings.instruction:
        message = f"expected at most {settings.instruction} characters, came {length}: shorten it"
        raise ApiError(400, message, "instruction")
    written = sum(len(turn.text) for turn in body.history or ())
    if written > settings.text:
        message = f"expected at most {settings.text} characters in all, came {written}"
        raise ApiError(400, f"{message}: leave out the oldest", "history")


def reply(decision: Decision) -> ActReply:
    """A decision in pixels of its screenshot.

    Raises:
        ApiError: 502, what the model wrote is no action on this screen.
    """
    step = placed(decision)
    return ActReply(
        text=decision.text,
        thought=step.thought,
        actions=[to_dict(action) for action in step.actions],
        confidence=decision.confidence,
        usage=UsageReply(**asdict(decision.usage)),
        timing=TimingReply(**asdict(decision.timing)),
    )


def placed(decision: Decision) -> Step:
    """The step of a decision in pixels of its screenshot.

    Raises:
        ApiError: 502, what the model wrote is no action on this screen.
    """
    if decision.step is None:
        raise ApiError(502, f"the model wrote no valid action: {decision.error}")
    try:
        actions = tuple(on_points(each, decision.map.to_screen) for each in decision.step.actions)
    except GeometryError as error:
        raise ApiError(502, f"the model pointed outside the screenshot: {error}") from error
    return Step(decision.step.thought, actions)


def _decision(policy: Policy, observation: Observation, ticket: Ticket[Decision]) -> Decision:
    """What the policy decides; it stops where nobody waits any more."""
    return policy.decide(replace(observation, check=ticket.check))


def _observation(body: ActRequest, service: Service) -> Observation:
    images = ImageReader(service.settings.images, service.frames)
    frame = images.read(body.screenshot, "screenshot")
    history = tuple(Turn(None, turn.text) for turn in body.history or ())
    return Observation(body.instruction, frame, history, body.max_tokens)
