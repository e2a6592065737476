"""Kimi-VL's chat template, straight to token ids.

Only the template's own marks become special tokens; what people, pages and models wrote is always
read as plain words, so a text that spells `<|im_end|>` cannot end its message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

from agent.model.tokenizer import Tokenizer

DEFAULT_SYSTEM = "You are a helpful assistant"
END = "<|im_end|>"
"""Ends every message; a chat model stops here, not at [EOS]."""

_OPENING = {
    "system": "<|im_system|>",
    "user": "<|im_user|>",
    "assistant": "<|im_assistant|>",
}


class ChatError(ValueError):
    """Messages that the template cannot express."""


class Media(Enum):
    """A part of a message that is not text."""

    IMAGE = "image"


@dataclass(frozen=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: "system", "user" or "assistant".
        parts: texts and images in reading order.
    """

    role: str
    parts: tuple[str | Media, ...]

    def __post_init__(self) -> None:
        """Refuse roles that Kimi-VL was not trained on."""
        if self.role not in _OPENING:
            raise ChatError(f"expected a role of {sorted(_OPENING)}, actually: {self.role!r}")


def chat_prompt(
    tokenizer: Tokenizer, messages: Sequence[Message], image_tokens: Sequence[int]
) -> list[int]:
    """Token ids of a conversation, up to where the assistant's next message begins.

    Args:
        tokenizer: knows Kimi-VL's special tokens.
        messages: at least one; a default system message is put first when there is none.
        image_tokens: visual tokens of each image (grid_h * grid_w / 4), in reading order.

    Raises:
        ChatError: no message, or another number of images than of `image_tokens`.
        TokenizerError: the vocabulary lacks one of the template's marks.
    """
    _check(messages, image_tokens)
    if messages[0].role != "system":
        messages = [Message("system", (DEFAULT_SYSTEM,)), *messages]
    counts = iter(image_tokens)
    ids: list[int] = []
    for message in messages:
        ids += _opening(tokenizer, message.role)
        ids += _content(tokenizer, message.parts, counts)
        ids.append(tokenizer.special(END))
    return ids + _opening(tokenizer, "assistant")


def _opening(tokenizer: Tokenizer, role: str) -> list[int]:
    mark, middle = tokenizer.special(_OPENING[role]), tokenizer.special("<|im_middle|>")
    return [mark, *tokenizer.encode(role), middle]


def _content(
    tokenizer: Tokenizer, parts: Sequence[str | Media], counts: Iterator[int]
) -> list[int]:
    """Neighbouring texts are one text: a token may span their border."""
    ids: list[int] = []
    for is_image, group in groupby(parts, lambda part: isinstance(part, Media)):
        if is_image:
            for _ in group:
                ids += _image(tokenizer, next(counts))
        else:
            ids += tokenizer.encode("".join(map(str, group)))
    return ids


def _image(tokenizer: Tokenizer, count: int) -> list[int]:
    return [
        tokenizer.special("<|media_start|>"),
        *tokenizer.encode("image"),
        tokenizer.special("<|media_content|>"),
        *[tokenizer.special("<|media_pad|>")] * count,
        tokenizer.special("<|media_end|>"),
    ]


def _check(messages: Sequence[Message], image_tokens: Sequence[int]) -> None:
    if not messages:
        raise ChatError("expected at least one message, actually: none")
    images = sum(isinstance(part, Media) for message in messages for part in message.parts)
    if images != len(image_tokens):
        raise ChatError(
            f"expected the token counts of {images} images, actually: {list(image_tokens)}"
        )
    if any(count < 1 for count in image_tokens):
        raise ChatError(f"expected a token or more an image, actually: {list(image_tokens)}")
