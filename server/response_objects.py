"""OpenAI's Response object and the events of a streamed one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Literal

from pydantic import BaseModel
from starlette.exceptions import HTTPException

from agent.policies.base import PolicyError, Usage
from server.errors import body_of
from server.stream import Script


class CachedTokens(BaseModel):
    """Input tokens that were not computed again."""

    cached_tokens: int


class ReasoningTokens(BaseModel):
    """Output tokens that were not shown."""

    reasoning_tokens: int = 0


class ResponseUsage(BaseModel):
    """Tokens."""

    input_tokens: int
    input_tokens_details: CachedTokens
    output_tokens: int
    output_tokens_details: ReasoningTokens
    total_tokens: int

    @classmethod
    def of(cls, usage: Usage) -> ResponseUsage:
        """Our record in OpenAI's words."""
        return cls(
            input_tokens=usage.prompt_tokens,
            input_tokens_details=CachedTokens(cached_tokens=usage.cached_tokens),
            output_tokens=usage.completion_tokens,
            output_tokens_details=ReasoningTokens(),
            total_tokens=usage.prompt_tokens + usage.completion_tokens,
        )


class Response(BaseModel):
    """A whole answer."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed"] = "in_progress"
    model: str
    previous_response_id: str | None
    tools: list[dict[str, Any]]
    output: list[dict[str, Any]] = []
    usage: ResponseUsage | None = None
    error: dict[str, str] | None = None
    incomplete_details: dict[str, str] | None = None
    parallel_tool_calls: bool = False
    tool_choice: Literal["auto"] = "auto"


class Deleted(BaseModel):
    """A response was forgotten."""

    id: str
    object: Literal["response.deleted"] = "response.deleted"
    deleted: Literal[True] = True


@dataclass(frozen=True)
class Answer:
    """What the model answered.

    Attributes:
        text: its words, as it will be reminded of them.
        output: the items that the client gets.
        usage: tokens.
        cut: whether `max_output_tokens` ended it.
    """

    text: str
    output: list[dict[str, Any]]
    usage: Usage
    cut: bool = False

    def complete(self, heading: Response) -> Response:
        """The whole response."""
        changes: dict[str, Any] = {
            "status": "incomplete" if self.cut else "completed",
            "output": self.output,
            "usage": ResponseUsage.of(self.usage),
            "incomplete_details": {"reason": "max_output_tokens"} if self.cut else None,
        }
        return heading.model_copy(update=changes)


def named(kind: str) -> str:
    """A fresh id."""
    return f"{kind}_{token_hex(16)}"


def text_part(text: str) -> dict[str, Any]:
    """Text in a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def message(text: str, name: str) -> dict[str, Any]:
    """The assistant's message."""
    parts = [text_part(text)]
    return {
        "type": "message",
        "id": name,
        "role": "assistant",
        "status": "completed",
        "content": parts,
    }


def reasoning(thought: str) -> dict[str, Any]:
    """What the model thought."""
    return {
        "type": "reasoning",
        "id": named("rs"),
        "summary": [{"type": "summary_text", "text": thought}],
    }


def computer_call(**action: Any) -> dict[str, Any]:
    """An action to perform; `action` is one, `actions` are several."""
    return {
        "type": "computer_call",
        "id": named("cu"),
        "call_id": named("call"),
        "status": "completed",
        "pending_safety_checks": [],
        **action,
    }


@dataclass
class ResponseScript(Script[Answer]):
    """The events of a streamed response.

    Text comes piece by piece as one message; an answer without pieces comes item by item.

    Attributes:
        heading: the response before anything was written.
        name: the id of its message.
    """

    heading: Response
    name: str = field(default_factory=lambda: named("msg"))
    _number: int = -1
    _said: str | None = None

    def begin(self) -> Iterator[str]:
        """It exists."""
        yield self._event("response.created", response=self._dump(self.heading))
        yield self._event("response.in_progress", response=self._dump(self.heading))

    def piece(self, text: str) -> Iterator[str]:
        """A piece of the message."""
        if self._said is None:
            self._said = ""
            item = message("", self.name) | {"status": "in_progress", "content": []}
            yield self._event("response.output_item.added", output_index=0, item=item)
            yield self._part("response.content_part.added", part=text_part(""))
        self._said += text
        yield self._part("response.output_text.delta", delta=text, logprobs=[])

    def end(self, result: Answer) -> Iterator[str]:
        """Its items, and the whole."""
        if self._said is not None:
            yield self._part("response.output_text.done", text=result.text, logprobs=[])
            yield self._part("response.content_part.done", part=text_part(result.text))
        for index, item in enumerate(result.output):
            if self._said is None:
                yield self._event("response.output_item.added", output_index=index, item=item)
            yield self._event("response.output_item.done", output_index=index, item=item)
        whole = result.complete(self.heading)
        yield self._event(f"response.{whole.status}", response=self._dump(whole))

    def fail(self, error: HTTPException | PolicyError) -> Iterator[str]:
        """It failed."""
        told = {"code": "server_error", "message": body_of(error).error.message}
        whole = self.heading.model_copy(update={"status": "failed", "error": told})
        yield self._event("response.failed", response=self._dump(whole))

    def _part(self, kind: str, **facts: Any) -> str:
        return self._event(kind, item_id=self.name, output_index=0, content_index=0, **facts)

    def _event(self, kind: str, **facts: Any) -> str:
        self._number += 1
        body = {"type": kind, "sequence_number": self._number, **facts}
        return f"event: {kind}\ndata: {json.dumps(body)}\n\n"

    def _dump(self, response: Response) -> dict[str, Any]:
        return response.model_dump()
