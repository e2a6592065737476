"""The model's work for one chat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.policies.chat import Emit, Message, Reply
from server.queue import Ticket
from server.service import Service


@dataclass(frozen=True)
class Wish:
    """How an answer is to be written.

    Attributes:
        max_tokens: most tokens, None means as many as the context holds.
        stop: strings that end it.
        seed: makes sampling repeatable, None leaves it open.
        temperature: 0..2, 0 is greedy.
    """

    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    temperature: float = 0.0


def asking(
    service: Service, messages: tuple[Message, ...], wish: Wish, emit: Emit
) -> Callable[[Ticket[Any]], Reply]:
    """A job that answers a chat; it ends early when the client leaves."""
    chat = service.backend.chat
    most = chat.context_tokens

    def work(ticket: Ticket[Any]) -> Reply:
        def emit_while_wanted(text: str) -> None:
            ticket.check()
            if text:
                emit(text)

        answer = chat.complete(
            messages,
            max_tokens=min(wish.max_tokens or most, most),
            stop=wish.stop,
            seed=wish.seed,
            temperature=wish.temperature,
            emit=emit_while_wanted,
        )
        service.metrics.spent(answer.usage)
        return answer

    return work
