"""The body of a Responses request, and the messages in it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag

from actions.dialects import RenderError, find
from actions.space import Step, on_points
from agent.policies.chat import Message, Role
from server.computer import ComputerAction, action_of
from server.conversation import ROLES
from server.errors import ApiError
from server.images import ImageReader
from vision.frame import Frame
from vision.geometry import CoordinateMap, GeometryError, Point, Size


class TextPart(BaseModel):
    """A piece of text."""

    type: Literal["input_text", "output_text", "text"]
    text: str


class ImagePart(BaseModel):
    """A picture as a data URL."""

    type: Literal["input_image", "computer_screenshot"]
    image_url: str


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


def _as_parts(content: Any) -> Any:
    return [{"type": "input_text", "text": content}] if isinstance(content, str) else content


class MessageItem(BaseModel):
    """What somebody said."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[
        list[Part], BeforeValidator(_as_parts, json_schema_input_type=str | list[Part])
    ]


class CallItem(BaseModel):
    """An action that was asked for earlier; one, or several."""

    type: Literal["computer_call"]
    call_id: str | None = None
    action: ComputerAction | None = None
    actions: list[ComputerAction] | None = Field(default=None, max_length=100)


class OutputItem(BaseModel):
    """What the screen shows after an action."""

    type: Literal["computer_call_output"]
    call_id: str
    output: ImagePart


class SummaryText(BaseModel):
    """A piece of a thought."""

    text: str


class ReasoningItem(BaseModel):
    """What was thought before an action."""

    type: Literal["reasoning"]
    summary: list[SummaryText] = []


def _kind(item: Any) -> str | None:
    """The item's type; messages may leave it out."""
    if isinstance(item, dict):
        kind = item.get("type") or ("message" if "role" in item else None)
        return kind if isinstance(kind, str) else None
    return getattr(item, "type", None)


Item = Annotated[
    Annotated[MessageItem, Tag("message")]
    | Annotated[CallItem, Tag("computer_call")]
    | Annotated[OutputItem, Tag("computer_call_output")]
    | Annotated[ReasoningItem, Tag("reasoning")],
    Discriminator(_kind),
]


class ToolItem(BaseModel):
    """A tool that the model may use; only the computer's has a meaning here."""

    type: str = Field(max_length=100)


class ResponseRequest(BaseModel, strict=True):
    """The part of OpenAI's Responses request that GUI clients use."""

    input: str | list[Item] = Field(max_length=500_000)
    instructions: str | None = None
    previous_response_id: str | None = Field(default=None, max_length=200)
    max_output_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    stream: bool | None = None
    store: bool | None = None
    tools: list[ToolItem] | None = Field(default=None, max_length=100)

    @property
    def wants_calls(self) -> bool:
        """Whether the client performs actions of OpenAI's computer tool."""
        return any(tool.type in ("computer", "computer_use_preview") for tool in self.tools or ())

    @property
    def items(self) -> list[Any]:
        """The input as items."""
        if isinstance(self.input, str):
            part = TextPart(type="input_text", text=self.input)
            return [MessageItem(role="user", content=[part])]
        return self.input

    @property
    def characters(self) -> int:
        """Of all texts."""
        return len(self.instructions or "") + sum(
            len(part.text)
            for item in self.items
            for part in _texts(item)
            if not isinstance(part, ImagePart)
        )


def _texts(item: Any) -> list[Any]:
    if isinstance(item, MessageItem):
        return item.content
    return item.summary if isinstance(item, ReasoningItem) else []


def read(
    body: ResponseRequest, images: ImageReader, dialect: str, shown: Frame | None
) -> tuple[Message, ...]:
    """The new messages with their pictures decoded; slow, for a worker thread.

    Args:
        body: the request.
        images: decodes them.
        dialect: how the model is reminded of actions that the client sends back.
        shown: the last picture of the conversation so far.

    Raises:
        ApiError: 400 or 413, naming the part.
    """
    reader = _Reader(images, dialect, shown)
    for at, item in enumerate(body.items):
        reader.add(item, f"input.{at}")
    return tuple(reader.messages)


class _Reader:
    """Items, one after the other."""

    def __init__(self, images: ImageReader, dialect: str, shown: Frame | None) -> None:
        self.messages: list[Message] = []
        self._images, self._dialect, self._shown = images, dialect, shown
        self._thought = ""

    def add(self, item: Any, place: str) -> None:
        match item:
            case MessageItem():
                parts = tuple(self._part(part, place) for part in item.content)
                self.messages.append(Message(ROLES[item.role], parts))
            case OutputItem():
                self.messages.append(Message(Role.USER, (self._part(item.output, place),)))
            case ReasoningItem():
                self._thought = " ".join(part.text for part in item.summary).strip()
            case CallItem():
                self._call(item, place)

    def _part(self, part: TextPart | ImagePart, place: str) -> str | Frame:
        if isinstance(part, TextPart):
            return part.text
        self._shown = self._images.read(part.image_url, f"{place}.image_url")
        return self._shown

    def _call(self, item: CallItem, place: str) -> None:
        called = item.actions or ([item.action] if item.action else [])
        if self._shown is None or not called:
            raise ApiError(400, "expected an action after a screenshot that shows its place", place)
        dialect = find(self._dialect)
        size = Size(self._shown.width, self._shown.height)
        space = CoordinateMap(self._shown.box, size, dialect.extent or size)

        def placed(point: Point) -> Point:
            x, y = space.to_model(point)
            return Point(round(x), round(y)) if space.extent.width > 1 else Point(x, y)

        try:
            actions = tuple(on_points(action_of(each), placed) for each in called)
            text = dialect.render(Step(self._thought, actions))
        except (GeometryError, RenderError) as error:
            raise ApiError(
                400, f"the model cannot be told of this action: {error}", place
            ) from None
        self._thought = ""
        self.messages.append(Message(Role.ASSISTANT, (text,)))
