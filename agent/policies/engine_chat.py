"""Kimi-VL in this process, answering chats in its own template."""

from __future__ import annotations

import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from actions.dialects import ParseError, parse
from agent.memory import messages
from agent.model import chat as template
from agent.model.constraint import ConstraintError, Grammar
from agent.model.engine import TOGETHER, ContextError, Engine
from agent.model.job import Generation, Picture
from agent.model.tokenizer import Tokenizer
from agent.policies.base import Decision, Observation, Policy, PolicyError, Timing, Usage
from agent.policies.chat import ChatModel, Emit, Finish, Message, PromptTooLong, Reply
from agent.policies.profiles import Profile
from vision.frame import Frame
from vision.geometry import CoordinateMap, Size
from vision.image import KIMI_VL, ImageConfig, ImageError, prepare, resized_size


class EngineChat(ChatModel):
    """A network with Kimi-VL's chat template.

    Args:
        engine: the network.
        image: how its pictures are prepared.
        grammar: what its answers are held to, None = nothing.
    """

    parallel = TOGETHER

    def __init__(
        self, engine: Engine, image: ImageConfig = KIMI_VL, grammar: Grammar | None = None
    ) -> None:
        self.engine = engine
        self.image = image
        self.grammar = grammar

    @property
    def context_tokens(self) -> int:
        """The network's context."""
        return self.engine.context

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        stop: tuple[str, ...],
        seed: int | None,
        temperature: float,
        emit: Emit,
    ) -> Reply:
        """Answer; see `ChatModel.complete`."""
        began = time.perf_counter()
        tokenizer = self.engine.tokenizer
        writer = _Writer(tokenizer, stop, emit)
        with explained():
            frames = [frame for message in messages for frame in message.frames]
            pictures = [Picture(prepare(frame, self.image), frame.digest) for frame in frames]
            visual = [p.prepared.grid_hw[0] * p.prepared.grid_hw[1] // 4 for p in pictures]
            ids = template.chat_prompt(tokenizer, [_templated(m) for m in messages], visual)
            end = tokenizer.special(template.END)
            choose = sampler(temperature, seed)
            made = self.engine.generate(
                ids, pictures, max_tokens, [end], choose, writer.take, self.grammar,
                check=lambda: emit(""),
            )  # fmt: skip
        finish = Finish.STOP if made.stopped or writer.cut else Finish.LENGTH
        return Reply(writer.finish(), finish, usage_of(made), timing_of(made, began))


class ChatPolicy(Policy):
    """A chat model as a policy, through the profile that fits it.

    Args:
        chat: free in what it answers, for whoever talks to it without the profile.
        profile: its prompt, dialect and memory.
        name: its name and weight hash.
        grammar: what decisions are held to, None = nothing.
    """

    parallel = TOGETHER

    def __init__(
        self,
        chat: EngineChat,
        profile: Profile,
        name: dict[str, str],
        grammar: Grammar | None = None,
    ) -> None:
        self.chat = chat
        self._deciding = EngineChat(chat.engine, chat.image, grammar)
        self.profile = profile
        self._name = name

    def decide(self, observation: Observation) -> Decision:
        """Send the conversation, read the answer."""
        profile, frame = self.profile, observation.frame
        size = Size(frame.width, frame.height)
        with explained():
            image = resized_size(size, self.chat.image)
        space = CoordinateMap(frame.box, image, profile.extent(image))
        reply = self._deciding.complete(
            self._messages(observation),
            max_tokens=observation.max_tokens or profile.max_tokens,
            stop=(),
            seed=None,
            temperature=0.0,
            emit=lambda _: observation.check(),
        )
        decision = Decision(reply.text, space, usage=reply.usage, timing=reply.timing)
        try:
            return replace(decision, step=parse(reply.text, profile.dialect))
        except ParseError as error:
            return replace(decision, error=str(error))

    def describe(self) -> dict[str, str]:
        """Name, weight hash, profile and dialect."""
        profile = self.profile
        return {
            "policy": "local",
            **self._name,
            "profile": profile.name,
            "dialect": profile.dialect,
        }

    def _messages(self, observation: Observation) -> tuple[Message, ...]:
        return messages(
            observation,
            self.profile.opened(observation.instruction),
            self.profile.closed(observation.instruction),
            self.profile.window,
            self.profile.remember,
        )


def sampler(temperature: float, seed: int | None) -> Callable[[Tensor], int] | None:
    """Chooses tokens at a temperature; None (the most likely one) at temperature 0."""
    if temperature <= 0:
        return None
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed % 2**63)

    def choose(logits: Tensor) -> int:
        shares = (logits.cpu() / temperature).softmax(-1)
        return int(torch.multinomial(shares, 1, generator=generator))

    return choose


@contextmanager
def explained() -> Iterator[None]:
    """Turn what the engine, its grammar and the preprocessing refuse into policy errors."""
    try:
        yield
    except ContextError as error:
        raise PromptTooLong(str(error)) from error
    except ConstraintError as error:
        raise PolicyError(f"the answer cannot be held to its grammar: {error}") from error
    except ImageError as error:
        raise PolicyError(f"the screenshot cannot be read: {error}") from error


def usage_of(made: Generation) -> Usage:
    """Token counts of a generation."""
    return Usage(made.prompt_tokens, made.cached_tokens, len(made.ids))


def timing_of(made: Generation, began: float) -> Timing:
    """Milliseconds of a generation whose request came at `began` (`time.perf_counter`)."""
    total = (time.perf_counter() - began) * 1e3
    return Timing(made.encode_ms, made.prefill_ms, made.decode_ms, total)


def _templated(message: Message) -> template.Message:
    parts = (template.Media.IMAGE if isinstance(p, Frame) else p for p in message.parts)
    return template.Message(message.role.value, tuple(parts))


class _Writer:
    """Tokens -> text pieces: whole characters only, and nothing of a stop string."""

    def __init__(self, tokenizer: Tokenizer, stop: tuple[str, ...], emit: Emit) -> None:
        self._tokenizer, self._stop, self._emit = tokenizer, stop, emit
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._written = ""
        self._text = ""
        self._sent = 0
        self.cut = False

    def take(self, token: int) -> bool:
        """Add a token and hand out what is certain; whether to go on."""
        self._written += self._decoder.decode(self._tokenizer.token_bytes(token))
        text = self._written
        ends = [at for stop in self._stop if (at := text.find(stop)) >= 0]
        self.cut = bool(ends)
        self._send(text[: min(ends)] if ends else text[: len(text) - self._held(text)])
        return not self.cut

    def finish(self) -> str:
        """Hand out the rest; the whole text."""
        if not self.cut:
            self._send(self._written + self._decoder.decode(b"", final=True))
        return self._text

    def _held(self, text: str) -> int:
        """Length of the longest end of the text that may be the start of a stop string."""
        return max(
            (n for stop in self._stop for n in range(1, len(stop)) if text.endswith(stop[:n])),
            default=0,
        )

    def _send(self, text: str) -> None:
        self._text = text
        if len(text) > self._sent:
            self._emit(text[self._sent :])
            self._sent = len(text)
