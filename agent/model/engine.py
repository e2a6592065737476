"""Runs the network: token ids and pictures in, token ids out. Knows nothing about prompts.

- A picture is encoded once; its features are kept by content.
- What a new prompt shares with earlier ones, pictures included, is not computed again.
- Requests of several threads are read and continued together, one pass for all; they come and go
  between two passes. Each gets what it would get alone.
- With a pointing head, coordinates are not sampled: at the box token the head chooses a patch, and
  the digits are appended without a forward pass of their own. They are in range by construction.
- With a grammar, only what it leaves open is sampled; what it forces goes into the forward pass of
  the token before, at the beginning into that of the prompt.

    ContextError        a prompt that does not fit the context
      BudgetError       or not the memory that the engine may use
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from functools import partial

import torch
from torch import Tensor

from agent.model.cache import Packed
from agent.model.constraint import Grammar
from agent.model.job import Generation, Job, Picture
from agent.model.kimi_vl import KimiVL
from agent.model.store import FullError, Store
from agent.model.tokenizer import Tokenizer
from agent.model.writer import Wish, Writer
from vision.geometry import Point

BUDGET = 2 << 30
"""Bytes for histories and pictures: 69,000 tokens of Kimi-VL's history."""

TOGETHER = 8
"""Requests in one pass; others wait. More rows no longer cost the same as one."""

LONGEST_ALONE, LONGEST_SHARED = 4096, 512
"""Tokens of one sequence in one pass. The first bounds memory, the second the time that others
wait for their next token.
"""


class ContextError(ValueError):
    """A prompt that does not fit the context."""


class BudgetError(ContextError):
    """A prompt that does not fit the memory that the engine may use."""


class Engine:
    """One network, what it keeps in memory, and the requests that it works on.

    Any number of threads may call `generate` at once.

    Args:
        model: put into eval mode.
        tokenizer: its vocabulary.
        budget: bytes for histories and encoded pictures, beside the weights.
    """

    def __init__(self, model: KimiVL, tokenizer: Tokenizer, budget: int = BUDGET) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.store = Store(model, budget)
        self._placeholder = model.config.media_placeholder_token_id
        self._device = model.language_model.lm_head.weight.device
        self._waiting: deque[Job] = deque()
        self._active: list[Job] = []
        # Of the threads whose requests are not done, one makes the next step; the others sleep.
        self._turn = threading.Condition()
        self._stepping = False

    @property
    def context(self) -> int:
        """How many tokens prompt and answer may have together."""
        return self.model.config.text.max_position_embeddings

    @property
    def requests(self) -> int:
        """How many requests it works on now, waiting ones included."""
        return len(self._waiting) + len(self._active)

    def generate(
        self,
        ids: Sequence[int],
        pictures: Sequence[Picture] = (),
        max_tokens: int = 256,
        stop: Collection[int] = (),
        choose: Callable[[Tensor], int] | None = None,
        emit: Callable[[int], bool] | None = None,
        grammar: Grammar | None = None,
        check: Callable[[], object] | None = None,
        avoided: Sequence[Point] = (),
        forbidden: Sequence[int] = (),
    ) -> Generation:
        """Continue a prompt. The callbacks may run on the thread of another request.

        Args:
            ids: the prompt, with one media placeholder per visual token.
            pictures: in the order of their placeholders.
            max_tokens: most tokens to write; less where context or memory leave less room.
            stop: token ids that end the text.
            choose: logits (vocabulary,) -> token; None = the most likely one.
            emit: called with every token as it is written; whether to go on. It may raise.
            grammar: what may be written, None = anything. Its end is a stop token. An answer under
                it is whole wherever `max_tokens` leaves room for a short one.
            check: called between steps; an exception ends the request, which then raises it.
            avoided: points in model space that the first coordinate is near only if it must.
            forbidden: tokens that an action begins with only if it must.

        Raises:
            ContextError: the prompt does not fit the context.
            BudgetError: it does not fit the memory.
            ValueError: another number of placeholders than of visual tokens.
            ConstraintError: `choose` chose what the grammar forbids.
        """
        room = self._room(ids, pictures)
        asked = _behind_pictures(ids, self._placeholder)
        most = min(max_tokens, room)
        wish = Wish(most, stop, choose, emit, grammar, asked, avoided, forbidden)
        make = partial(Writer, self.model, self.tokenizer, wish)
        job = Job(ids, pictures, len(ids) - len(asked), make, check)
        with self._turn:
            self._waiting.append(job)
        try:
            self._work(job)
        finally:
            self._abandon(job)
        return job.result()

    def _room(self, ids: Sequence[int], pictures: Sequence[Picture]) -> int:
        """How many tokens may follow a prompt; it is checked."""
        if not 0 < len(ids) < self.context:
            raise ContextError(
                f"expected 1..{self.context - 1} prompt tokens, actually: {len(ids)}"
            )
        grids = [picture.prepared.grid_hw for picture in pictures]
        visual, places = sum(h * w // 4 for h, w in grids), list(ids).count(self._placeholder)
        if visual != places:
            raise ValueError(f"{places} media placeholders for {visual} visual tokens")
        different = {picture.digest: picture.prepared for picture in pictures}
        taken = sum(self.store.picture_bytes(prepared) for prepared in different.values())
        fitting = (self.store.budget - taken) // self.store.token_bytes
        if fitting <= len(ids):
            needed = taken + (len(ids) + 1) * self.store.token_bytes
            raise BudgetError(
                f"expected a request of at most {self.store.budget / 1e6:.0f} MB, actually: "
                f"{needed / 1e6:.0f} MB for {len(ids)} prompt tokens and {len(different)} "
                "pictures; send less, or give the engine more memory"
            )
        return min(self.context, fitting) - len(ids)

    # Turns: threads and requests.

    def _work(self, job: Job) -> None:
        """Step until the job is done, in turns with the threads of the other jobs."""
        while True:
            with self._turn:
                self._turn.wait_for(lambda: job.done or not self._stepping)
                if job.done:
                    return
                self._stepping = True
            try:
                self._step()
            finally:
                with self._turn:
                    self._stepping = False
                    self._turn.notify_all()

    def _abandon(self, job: Job) -> None:
        """Give up a job whose thread was interrupted."""
        if not job.done:
            job.fail(InterruptedError("the request was abandoned"))
            with self._turn:
                if not self._stepping:
                    self._sweep()

    @torch.inference_mode()
    def _step(self) -> None:
        """Let every job that there is room for read its next tokens and write the one after."""
        for job in [*self._waiting, *self._active]:
            if job.check is not None:
                _guarded(job, job.check)
        self._sweep()
        self._admit()
        self._sweep()
        self._make_room()
        if self._active:
            self._advance(self._active)
        self._sweep()

    def _sweep(self) -> None:
        """Let go of jobs that are done."""
        for job in [job for job in self._waiting if job.done]:
            self._waiting.remove(job)
        for job in [job for job in self._active if job.done]:
            self._release(job)

    def _admit(self) -> None:
        """Begin waiting jobs, first come first served, as far as memory allows."""
        while self._waiting and len(self._active) < TOGETHER:
            job = self._waiting[0]
            try:
                _guarded(job, self._begin, job)
            except FullError:
                return  # those that run now will make room; one alone always has room
            self._waiting.popleft()

    def _begin(self, job: Job) -> None:
        borrowed: list[str] = []
        try:
            encoded = []
            for picture in job.pictures:
                encoded.append(self.store.borrow(picture.digest, picture.prepared))
                borrowed.append(picture.digest)
            job.look(encoded)
            keys = _content_keys(job, self._placeholder)
            history = self.store.open(keys)
        except BaseException:
            for digest in borrowed:
                self.store.give_back(digest)
            raise
        job.begin(history)
        history.keys = keys
        self._active.append(job)

    def _release(self, job: Job) -> None:
        self._active.remove(job)
        assert job.history is not None
        self.store.close(job.history)
        for picture in job.pictures:
            self.store.give_back(picture.digest)

    def _make_room(self) -> None:
        """Enlarge histories for the next step; where memory ends, the youngest job must wait."""
        for job in list(self._active):
            while job in self._active:
                assert job.history is not None
                try:
                    self.store.reserve(job.history, job.history.length + self._portion(job))
                    break
                except FullError:
                    youngest = self._active[-1]
                    self._release(youngest)
                    youngest.suspend()
                    self._waiting.appendleft(youngest)

    def _portion(self, job: Job) -> int:
        longest = LONGEST_ALONE if len(self._active) == 1 else LONGEST_SHARED
        return min(job.unread, longest)

    # One pass of the network.

    def _advance(self, jobs: Sequence[Job]) -> None:
        lengths = [self._portion(job) for job in jobs]
        before = [job.history.length for job in jobs if job.history]
        try:
            states = self._read(jobs, lengths)
        except BaseException as error:
            for job, length in zip(jobs, before, strict=True):
                assert job.history is not None
                job.history.cache.truncate(length)
                if isinstance(error, Exception):
                    job.fail(error)
            if isinstance(error, Exception):
                return
            raise
        ready = [(job, state) for job, state in zip(jobs, states, strict=True) if not job.unread]
        asking = [state for job, state in ready if not job.writer.points]
        logits = iter(self._logits(torch.stack(asking))) if asking else iter(())
        for job, state in ready:
            of_job = None if job.writer.points else next(logits)
            _guarded(job, job.write, state, of_job)
            assert job.history is not None
            job.history.keys += job.tokens[len(job.history.keys) :]

    def _read(self, jobs: Sequence[Job], lengths: Sequence[int]) -> list[Tensor]:
        """Feed every job's next tokens; the state (hidden,) of the last one of each."""
        portions = [job.portion(n, self._placeholder) for job, n in zip(jobs, lengths, strict=True)]
        ids = torch.tensor([[token for part, _ in portions for token in part]], device=self._device)
        seen = [visual for _, visual in portions if visual is not None]
        caches = [job.history.cache for job in jobs if job.history]
        cache = caches[0] if len(jobs) == 1 else Packed(caches, lengths)
        visual = torch.cat(seen) if seen else None
        hints = self._hints(jobs, lengths)
        states = self.model.hidden(ids, visual, cache=cache, hints=hints)[0]
        ends = torch.tensor(lengths).cumsum(0) - 1
        return list(states[ends])

    def _hints(self, jobs: Sequence[Job], lengths: Sequence[int]) -> Tensor | None:
        """(1, T, hidden) of what the jobs read next; None where none of it has a hint."""
        places: dict[int, Tensor] = {}
        before = 0
        for job, length in zip(jobs, lengths, strict=True):
            assert job.history is not None
            start = job.history.length
            places |= {
                before + index - start: hint
                for index, hint in job.hints.items()
                if start <= index < start + length
            }
            before += length
        if not places:
            return None
        values = torch.stack(list(places.values()))
        return values.new_zeros(1, before, values.shape[1]).index_copy(
            1, torch.tensor(list(places), device=values.device), values.unsqueeze(0)
        )

    def _logits(self, states: Tensor) -> Tensor:
        """(n, hidden) -> (n, vocabulary) in fp32; a placeholder cannot be written, only shown."""
        logits = self.model.language_model.lm_head(states).float()
        logits[:, self._placeholder] = float("-inf")
        return logits


def _guarded(job: Job, act: Callable[..., object], *given: object) -> None:
    """Let an error of one job end that job alone; only a lack of room is not its fault."""
    try:
        act(*given)
    except FullError:
        raise
    except Exception as error:
        job.fail(error)


def _behind_pictures(ids: Sequence[int], placeholder: int) -> Sequence[int]:
    """What stands behind the last picture: its last placeholder and the token that ends it."""
    places = [index for index, token in enumerate(ids) if token == placeholder]
    return ids[places[-1] + 2 :] if places else ids


def _content_keys(job: Job, placeholder: int) -> list[object]:
    """Tokens as cache keys: a placeholder stands for one visual token of one picture.

    A token with a hint is another than the same token without one.
    """
    visual = iter(
        (picture.digest, index)
        for picture in job.pictures
        for index in range(picture.prepared.grid_hw[0] * picture.prepared.grid_hw[1] // 4)
    )
    keys = [next(visual, token) if token == placeholder else token for token in job.tokens]
    return [("hinted", key) if index in job.hints else key for index, key in enumerate(keys)]
