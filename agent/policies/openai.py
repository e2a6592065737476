"""Any OpenAI-compatible server as a policy: vLLM, SGLang, transformers serve, Eyehand's own."""

from __future__ import annotations

import base64
import io
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import openai
from PIL import Image

from actions.dialects import ParseError, parse
from agent.memory import messages
from agent.policies.base import Decision, Observation, Policy, PolicyError, Timing, Usage
from agent.policies.chat import Message
from agent.policies.profiles import Profile, profile_for
from vision.frame import Frame
from vision.geometry import CoordinateMap, Size
from vision.smart_resize import SmartResizeError


class OpenAIPolicy(Policy):
    """Asks a chat-completions server.

    Args:
        base_url: the API's root, for example "http://127.0.0.1:8000/v1".
        model: the served model's name; None means the first one that the server lists.
        profile: what the model expects; None means what its name points to.
        api_key: bearer token; servers without one ignore it.
        timeout: seconds for one answer.
        max_retries: how often a connection error, a 429 or a 5xx is tried again.

    Raises:
        PolicyError: the server cannot be asked for its models, or the model's name fits no
            profile.
    """

    def __init__(
        self,
        base_url: str,
        model: str | None = None,
        profile: Profile | None = None,
        api_key: str = "none",
        timeout: float = 120.0,
        max_retries: int = 2,
    ) -> None:
        self._base_url = base_url
        self._client = openai.OpenAI(
            base_url=base_url, api_key=api_key, timeout=timeout, max_retries=max_retries
        )
        self._pictures = _Pictures()
        try:
            self.model = model or self._first_model()
            self.profile = profile or profile_for(self.model)
        except ValueError as error:
            self.close()
            raise PolicyError(str(error)) from error
        except PolicyError:
            self.close()
            raise

    def models(self) -> tuple[str, ...]:
        """The names of the models that the server lists.

        Raises:
            PolicyError: it cannot be asked.
        """
        with self._explained():
            return tuple(model.id for model in self._client.models.list())

    def decide(self, observation: Observation) -> Decision:
        """Send the conversation, read the answer."""
        profile, frame = self.profile, observation.frame
        size = self._picture_size(frame)
        space = CoordinateMap(frame.box, size, profile.extent(size))
        text, usage, spent = self.ask(self._chat(observation), observation.max_tokens)
        decision = Decision(text, space, usage=usage, timing=Timing(total_ms=spent))
        try:
            return replace(decision, step=parse(text, profile.dialect))
        except ParseError as error:
            return replace(decision, error=str(error))

    def ask(
        self, chat: tuple[Message, ...], max_tokens: int | None = None
    ) -> tuple[str, Usage, float]:
        """The answer to a chat, its token counts and the milliseconds it took.

        Args:
            chat: the messages.
            max_tokens: most tokens to write, None means as many as the profile says.

        Raises:
            PolicyError: no answer can be had; the message names the fix.
        """
        began = time.perf_counter()
        with self._explained():
            reply = self._client.chat.completions.create(
                model=self.model,
                messages=[self._wire(message) for message in chat],
                temperature=0,
                max_tokens=max_tokens or self.profile.max_tokens,
            )
        spent = (time.perf_counter() - began) * 1000
        return self._text(reply), _usage(reply), spent

    def describe(self) -> dict[str, str]:
        """Server, model and profile; the weights are the server's business."""
        return {
            "policy": "openai",
            "endpoint": self._base_url,
            "model": self.model,
            "profile": self.profile.name,
            "dialect": self.profile.dialect,
        }

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _first_model(self) -> str:
        models = self.models()
        if not models:
            raise PolicyError(f"{self._base_url} lists no models; start the server with one")
        return models[0]

    def _chat(self, observation: Observation) -> tuple[Message, ...]:
        profile, task = self.profile, observation.instruction
        opening, closing = profile.opened(task), profile.closed(task)
        return messages(observation, opening, closing, profile.window, profile.remember)

    def _wire(self, message: Message) -> Any:
        """A message as the API takes it: a plain string when it is nothing but one text."""
        if len(message.parts) == 1 and isinstance(message.parts[0], str):
            return {"role": message.role, "content": message.parts[0]}
        return {"role": message.role, "content": [self._wire_part(part) for part in message.parts]}

    def _wire_part(self, part: str | Frame) -> dict[str, Any]:
        if isinstance(part, str):
            return {"type": "text", "text": part}
        url = self._pictures.data_url(part, self._picture_size(part))
        return {"type": "image_url", "image_url": {"url": url}}

    def _picture_size(self, frame: Frame) -> Size:
        try:
            return self.profile.picture_size(Size(frame.width, frame.height))
        except SmartResizeError as error:
            raise PolicyError(f"the screenshot cannot be sent: {error}") from error

    def _text(self, reply: Any) -> str:
        """The words of the first choice, from servers that may answer anything."""
        choices = getattr(reply, "choices", None)
        content = (
            getattr(getattr(choices[0], "message", None), "content", None) if choices else None
        )
        if not isinstance(content, str) or not content.strip():
            raise PolicyError(
                f"expected a chat completion with text from {self._base_url}, actually: "
                f"{str(reply)[:200]!r}; is this the API's root (it usually ends in /v1)?"
            )
        return content

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the client's errors into one sentence that names the fix."""
        try:
            yield
        except (openai.OpenAIError, ValueError) as error:
            raise PolicyError(explain(error, self._base_url)) from error


def explain(error: Exception, base_url: str) -> str:
    """One sentence on what went wrong with a server, and what to do about it."""
    match error:
        case openai.APITimeoutError():
            return f"{base_url} did not answer in time; is the model too slow, or still loading?"
        case openai.APIConnectionError():
            return (
                f"{base_url} cannot be reached ({error.__cause__ or error}); "
                "start the server, or correct --endpoint"
            )
        case openai.APIStatusError():
            return f"{base_url} answered {error.status_code}: {_said(error)}; {_fix(error)}"
        case _:
            return f"{base_url} gave an answer that is no OpenAI API: {error}; correct --endpoint"


def _said(error: openai.APIStatusError) -> str:
    """The server's own words, cut to a line."""
    body = error.body
    words = body.get("message") if isinstance(body, dict) else body
    return " ".join(str(words or error.message).split())[:300]


def _fix(error: openai.APIStatusError) -> str:
    fixes = {
        400: "the model may not take pictures, or not so many or so large ones",
        401: "set the key in EYEHAND_API_KEY",
        403: "this key may not use this model",
        404: "check the model's name, and that --endpoint ends in the API's root (often /v1)",
        413: "raise the server's request limit",
        422: "the server wants another request format",
        429: "wait, or raise the server's rate limit",
    }
    return fixes.get(error.status_code, "see the server's log")


def _usage(reply: Any) -> Usage:
    """Token counts, where the server gives them."""
    counts = getattr(reply, "usage", None)
    details = getattr(counts, "prompt_tokens_details", None)
    return Usage(
        prompt_tokens=getattr(counts, "prompt_tokens", None) or 0,
        cached_tokens=getattr(details, "cached_tokens", None) or 0,
        completion_tokens=getattr(counts, "completion_tokens", None) or 0,
    )


class _Pictures:
    """PNG data URLs of the latest frames: a picture of the history is encoded only once."""

    LIMIT = 16

    def __init__(self) -> None:
        self._urls: OrderedDict[tuple[str, Size], str] = OrderedDict()

    def data_url(self, frame: Frame, size: Size) -> str:
        """The frame, resized to whole (width, height), as a PNG data URL."""
        key = (frame.digest, size)
        if key not in self._urls:
            self._urls[key] = _encode(frame, size)
        self._urls.move_to_end(key)
        while len(self._urls) > self.LIMIT:
            self._urls.popitem(last=False)
        return self._urls[key]


def _encode(frame: Frame, size: Size) -> str:
    image = frame.to_image()
    if image.size != tuple(size):
        image = image.resize((int(size.width), int(size.height)), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")
