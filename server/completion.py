"""OpenAI's answer objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel
from starlette.exceptions import HTTPException

from agent.policies.base import PolicyError, Usage
from agent.policies.chat import Reply
from server.errors import body_of
from server.stream import Script

DONE = "data: [DONE]\n\n"


class Model(BaseModel):
    """One served model; `created` is seconds since the epoch."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "eyehand"


class Models(BaseModel):
    """All served models."""

    object: Literal["list"] = "list"
    data: list[Model]


class PromptDetails(BaseModel):
    """How many of the prompt's tokens were not computed again."""

    cached_tokens: int


class CompletionUsage(BaseModel):
    """Tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails

    @classmethod
    def of(cls, usage: Usage) -> CompletionUsage:
        """Our record in OpenAI's words."""
        return cls(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            total_tokens=usage.prompt_tokens + usage.completion_tokens,
            prompt_tokens_details=PromptDetails(cached_tokens=usage.cached_tokens),
        )


class AssistantMessage(BaseModel):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str


class Choice(BaseModel):
    """The only choice."""

    index: int = 0
    message: AssistantMessage
    finish_reason: str


class Completion(BaseModel):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: CompletionUsage


class ChunkChoice(BaseModel):
    """The only choice of an event; `delta` is what it adds: role, content, or nothing."""

    index: int = 0
    delta: dict[str, str]
    finish_reason: str | None = None


class Chunk(BaseModel):
    """One event of a stream."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: CompletionUsage | None = None


@dataclass(frozen=True)
class Heading:
    """What all events of one answer share.

    Attributes:
        id: of the answer.
        created: seconds since the epoch.
        model: name of the model.
    """

    id: str
    created: int
    model: str

    def completion(self, reply: Reply) -> Completion:
        """The answer in one piece."""
        message = AssistantMessage(content=reply.text)
        return Completion(
            id=self.id,
            created=self.created,
            model=self.model,
            choices=[Choice(message=message, finish_reason=reply.finish)],
            usage=CompletionUsage.of(reply.usage),
        )

    def chunk(self, delta: dict[str, str], finish: str | None = None) -> Chunk:
        """One event."""
        choice = ChunkChoice(delta=delta, finish_reason=finish)
        return Chunk(id=self.id, created=self.created, model=self.model, choices=[choice])

    def usage(self, usage: Usage) -> Chunk:
        """The event that closes a stream for clients that asked for the usage."""
        return Chunk(
            id=self.id,
            created=self.created,
            model=self.model,
            choices=[],
            usage=CompletionUsage.of(usage),
        )


class ChatScript(Script[Reply]):
    """The events of a streamed chat completion.

    Args:
        heading: shared by all events.
        with_usage: whether the last event holds the usage.
    """

    def __init__(self, heading: Heading, with_usage: bool) -> None:
        self._heading = heading
        self._with_usage = with_usage

    def begin(self) -> Iterator[str]:
        """Who speaks."""
        yield _event(self._heading.chunk({"role": "assistant", "content": ""}))

    def piece(self, text: str) -> Iterator[str]:
        """A piece of text."""
        yield _event(self._heading.chunk({"content": text}))

    def end(self, result: Reply) -> Iterator[str]:
        """Why it ended, and what it cost."""
        yield _event(self._heading.chunk({}, result.finish))
        if self._with_usage:
            yield _event(self._heading.usage(result.usage))
        yield DONE

    def fail(self, error: HTTPException | PolicyError) -> Iterator[str]:
        """The error in the API's own form."""
        yield _event(body_of(error))


def _event(body: BaseModel) -> str:
    return f"data: {body.model_dump_json()}\n\n"
