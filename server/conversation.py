"""The body of a chat request, as lenient as real clients need, and the messages in it.

Unknown keys and explicit nulls are ignored, content may be a string, a list of parts or null, and
roles may come in any order. What cannot be honoured is refused: pictures that are not data URLs,
kinds of parts other than text and picture, more than one choice.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from agent.policies.chat import Message, Role
from server.asking import Wish
from server.errors import ApiError
from server.frames import FrameCache
from server.images import ImageReader
from server.settings import Settings

ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "tool": Role.USER,
    "assistant": Role.ASSISTANT,
}


class TextPart(BaseModel):
    """A piece of text."""

    type: Literal["text"]
    text: str


class ImageUrl(BaseModel):
    """A picture as a data URL."""

    url: str


class ImagePart(BaseModel):
    """A picture."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


def _as_parts(content: Any) -> Any:
    if content is None:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class ChatMessage(BaseModel):
    """One message."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Annotated[
        list[Part],
        BeforeValidator(_as_parts, json_schema_input_type=str | list[Part] | None),
    ] = []


class StreamOptions(BaseModel):
    """What a stream should hold besides text."""

    include_usage: bool | None = None


class ChatRequest(BaseModel, strict=True):
    """The part of OpenAI's chat request that has a meaning here."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=10_000)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stop: str | list[str] | None = Field(default=None, max_length=1000)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    temperature: float | None = Field(default=None, ge=0, le=2)
    n: int | None = Field(default=None, ge=1, le=1)

    @property
    def stops(self) -> tuple[str, ...]:
        """The strings that end the answer."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(string for string in given if string)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream should end with the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def wish(self) -> Wish:
        """How the answer is to be written."""
        most = self.max_completion_tokens or self.max_tokens
        return Wish(most, self.stops, self.seed, self.temperature or 0.0)


def read(body: ChatRequest, settings: Settings, frames: FrameCache) -> tuple[Message, ...]:
    """The messages with their pictures decoded; slow, for a worker thread.

    Raises:
        ApiError: 400 or 413, naming the part.
    """
    written = sum(
        len(part.text) for m in body.messages for part in m.content if isinstance(part, TextPart)
    )
    if written > settings.text:
        message = f"expected at most {settings.text} characters in all, came {written}: shorten"
        raise ApiError(400, message, "messages")
    images = ImageReader(settings.images, frames)
    return tuple(_message(message, at, images) for at, message in enumerate(body.messages))


def _message(message: ChatMessage, at: int, images: ImageReader) -> Message:
    parts = tuple(
        part.text
        if isinstance(part, TextPart)
        else images.read(part.image_url.url, f"messages.{at}.content.{index}.image_url.url")
        for index, part in enumerate(message.content)
    )
    return Message(ROLES[message.role], parts)
