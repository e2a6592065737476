"""One request on its way through the engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from agent.model.kimi_vl import Encoded
from agent.model.store import History
from agent.model.writer import Writer
from vision.image import Prepared


@dataclass(frozen=True, eq=False)
class Picture:
    """A prepared picture and the digest of the frame that it came from."""

    prepared: Prepared
    digest: str


@dataclass(frozen=True)
class Generation:
    """What the network wrote.

    Attributes:
        ids: tokens after the prompt, the stop token not included.
        stopped: whether it ended by itself (else the limit ended it, or made its ending short).
        confidence: probability mass around the chosen points, None when none was chosen.
        prompt_tokens: length of the prompt.
        cached_tokens: how many of them were not computed again.
        encode_ms: time in the vision tower; prefill_ms and decode_ms likewise.
        prefill_ms: time to read the prompt.
        decode_ms: time to write.
    """

    ids: tuple[int, ...]
    stopped: bool
    confidence: float | None
    prompt_tokens: int
    cached_tokens: int
    encode_ms: float
    prefill_ms: float
    decode_ms: float


class Job:
    """A sequence that is read and continued, and what became of it.

    Attributes:
        prompt: its tokens, with one media placeholder per visual token.
        pictures: in the order of their placeholders.
        check: called between steps; raises when nobody waits any more.
        tokens: all that is to be read: the prompt, then what was written.
        hints: what is to be added to embeddings of the prompt, by index; see `Lexicon.hints`.
        history: what has been read; None while it waits.
        error: why it ended without an answer.
        done: whether it has ended.
    """

    def __init__(
        self,
        prompt: Sequence[int],
        pictures: Sequence[Picture],
        asked: int,
        make_writer: Callable[[tuple[Prepared, Encoded] | None], Writer],
        check: Callable[[], object] | None,
    ) -> None:
        self.prompt = tuple(prompt)
        self.pictures = tuple(pictures)
        self.check = check
        self.tokens = list(prompt)
        self.history: History | None = None
        self.error: BaseException | None = None
        self.done = False
        self._make_writer, self._asked = make_writer, asked
        self._writer: Writer | None = None
        self._visual: Tensor | None = None
        self.hints: dict[int, Tensor] = {}
        self._cached: int | None = None
        self._times = [time.perf_counter()]

    @property
    def writer(self) -> Writer:
        """What writes the answer, once it has been looked at."""
        assert self._writer is not None
        return self._writer

    @property
    def unread(self) -> int:
        """Tokens that the decoder has not seen."""
        assert self.history is not None
        return len(self.tokens) - self.history.length

    def look(self, encoded: Sequence[Encoded]) -> None:
        """Take the encoded pictures and write what every answer begins with."""
        self._visual = torch.cat([e.tokens for e in encoded]) if encoded else None
        if self._writer is None:
            self._times.append(time.perf_counter())
            screen = (self.pictures[-1].prepared, encoded[-1]) if encoded else None
            self._writer = self._make_writer(screen)
            self.hints = {self._asked + i: hint for i, hint in self._writer.hints().items()}
            self.tokens += self._writer.begin()
            self.done = self._writer.done

    def begin(self, history: History) -> None:
        """Continue this history."""
        self.history = history
        if self._cached is None:
            self._cached = min(history.length, len(self.prompt))

    def portion(self, most: int, placeholder: int) -> tuple[list[int], Tensor | None]:
        """The next tokens to read, and the visual tokens among them (None = none)."""
        assert self.history is not None
        start = self.history.length
        ids = self.tokens[start : start + most]
        count = ids.count(placeholder)
        if not count:
            return ids, None
        assert self._visual is not None
        before = self.prompt[:start].count(placeholder)
        return ids, self._visual[before : before + count]

    def write(self, state: Tensor, logits: Tensor | None) -> None:
        """All is read: write on."""
        if len(self._times) == 2:
            self._times.append(time.perf_counter())
        self.tokens += self.writer.write(state, logits)
        self.done = self.writer.done

    def suspend(self) -> None:
        """Wait for room; what was written stays."""
        self.history, self._visual = None, None

    def fail(self, error: BaseException) -> None:
        """End without an answer."""
        self.error, self.done = error, True

    def result(self) -> Generation:
        """The answer.

        Raises:
            BaseException: what made it fail.
        """
        if self.error is not None:
            raise self.error
        began, encoded, read = (*self._times, *self._times[-1:] * 2)[:3]
        return Generation(
            ids=tuple(self.writer.ids),
            stopped=self.writer.stopped,
            confidence=min(self.writer.masses, default=None),
            prompt_tokens=len(self.prompt),
            cached_tokens=self._cached or 0,
            encode_ms=(encoded - began) * 1e3,
            prefill_ms=(read - encoded) * 1e3,
            decode_ms=(time.perf_counter() - read) * 1e3,
        )
