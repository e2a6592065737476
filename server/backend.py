"""The model side of the server: who decides, who chats, and a chat that asks the decider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.policies.base import Decision, Observation, Policy, Turn
from agent.policies.chat import ChatModel, Emit, Finish, Message, Reply, Role
from vision.frame import Frame

MARKER = "## User Instruction"
"""The heading of the published UI-TARS prompt under which the task stands."""
NO_SCREEN = "No screenshot was sent. I look at a screenshot and answer with the next action."


@dataclass(frozen=True)
class Backend:
    """What one server serves.

    Attributes:
        name: the model's name in `/v1/models` and in answers.
        policy: decides for `/v1/act`.
        chat: answers `/v1/chat/completions`; it may share weights and caches with `policy`, since
            the server calls both at once only where both allow several calls.
    """

    name: str
    policy: Policy
    chat: ChatModel

    @property
    def parallel(self) -> int:
        """How many calls of both may run at once."""
        return min(self.policy.parallel, self.chat.parallel)


class PolicyChat(ChatModel):
    """Answers a UI-TARS chat through a policy.

    The task is what follows `MARKER` in the newest user text that has it, else the newest user
    text; the last picture is the screen; what the assistant wrote earlier is the history. A policy
    decides in its own way, so `seed` and `temperature` change nothing here.

    Args:
        policy: what decides.
        context_tokens: how many tokens it may read and write in all.
    """

    def __init__(self, policy: Policy, context_tokens: int) -> None:
        self.parallel = policy.parallel
        self._policy = policy
        self._context = context_tokens

    @property
    def context_tokens(self) -> int:
        """As given."""
        return self._context

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
        """The policy's text; a hint in words when there is no picture to decide on.

        Raises:
            PolicyError: the policy cannot decide.
        """
        observation = observation_of(messages, max_tokens)
        if observation is None:
            reply = Reply(cut(NO_SCREEN, stop))
        else:
            watched = replace(observation, check=lambda: emit(""))
            reply = _reply(self._policy.decide(watched), max_tokens, stop)
        emit(reply.text)
        return reply


def _reply(decision: Decision, max_tokens: int, stop: tuple[str, ...]) -> Reply:
    full = decision.usage.completion_tokens >= max_tokens
    return Reply(
        cut(decision.text, stop),
        Finish.LENGTH if full else Finish.STOP,
        decision.usage,
        decision.timing,
    )


def observation_of(messages: Sequence[Message], max_tokens: int | None) -> Observation | None:
    """A chat as what a policy may look at, None when it holds no picture."""
    shown = [frame for message in messages for frame in message.frames]
    if not shown:
        return None
    return Observation(instruction_of(messages), shown[-1], _history(messages), max_tokens)


def instruction_of(messages: Sequence[Message]) -> str:
    """The task of a chat, without the template around it; empty when there is no user text."""
    texts = [text for m in messages if m.role is not Role.ASSISTANT and (text := m.text.strip())]
    for text in reversed(texts):
        _, marker, task = text.partition(MARKER)
        if marker:
            return task.strip()
    said = [text for m in messages if m.role is Role.USER and (text := m.text.strip())]
    return said[-1] if said else ""


def cut(text: str, stop: tuple[str, ...]) -> str:
    """The text up to the first stop string."""
    ends = [at for string in stop if (at := text.find(string)) >= 0]
    return text[: min(ends, default=len(text))]


def _history(messages: Sequence[Message]) -> tuple[Turn, ...]:
    """What the assistant wrote so far, each with the picture that it was shown before."""
    turns: list[Turn] = []
    frame: Frame | None = None
    for message in messages:
        if message.role is Role.ASSISTANT:
            turns.append(Turn(frame, message.text))
            frame = None
        else:
            frame = next(reversed(message.frames), frame)
    return tuple(turns)
