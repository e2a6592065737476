"""What the engine keeps between steps, within a budget: histories and encoded pictures.

A history is what the decoder remembers of one sequence. When its request ends it stays, and a
later prompt that begins alike continues it. What nobody uses is given up first, oldest first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import torch

from agent.model.cache import Cache
from agent.model.kimi_vl import Encoded, KimiVL
from vision.image import Prepared
from vision.stem import CELL, LETTER_CLASSES

SLACK = 64
"""Tokens by which a history grows beyond what is needed now, where the budget has room."""


class FullError(MemoryError):
    """The budget is used up by what is in use."""


@dataclass(eq=False)
class History:
    """The latent cache of one sequence.

    Attributes:
        cache: batch 1.
        keys: what each token in it stands for; never shorter than the cache.
        used: when it was used last; larger is later.
    """

    cache: Cache
    keys: list[object] = field(default_factory=list)
    used: int = 0

    @property
    def length(self) -> int:
        """Tokens in use."""
        return self.cache.length

    def truncate(self, length: int) -> None:
        """Forget all tokens after the first `length`."""
        self.cache.truncate(length)
        del self.keys[length:]

    def shared(self, keys: Sequence[object]) -> int:
        """How many tokens it has in common with the beginning of these."""
        most = min(self.length, len(keys))
        return bisect_left(range(1, most + 1), True, key=lambda n: self.keys[:n] != keys[:n])


@dataclass(eq=False)
class _Picture:
    encoded: Encoded
    users: int = 0
    used: int = 0


class Store:
    """Histories and encoded pictures of one network.

    Not thread-safe.

    Args:
        model: the network.
        budget: bytes that all of it may take.
    """

    def __init__(self, model: KimiVL, budget: int) -> None:
        self.budget = budget
        self._model = model
        self._weight = model.language_model.lm_head.weight
        self._open: list[History] = []
        self._idle: list[History] = []
        self._pictures: dict[str, _Picture] = {}
        self._clock = 0

    @property
    def token_bytes(self) -> int:
        """What one token costs in a history."""
        text = self._model.config.text
        return text.latent_size * text.num_hidden_layers * self._weight.element_size()

    @property
    def held(self) -> int:
        """Bytes taken now."""
        return self._sum(self._open + self._idle, self._pictures.values())

    @property
    def in_use(self) -> int:
        """Bytes that cannot be given up, because a request needs them."""
        return self._sum(self._open, [p for p in self._pictures.values() if p.users])

    def picture_bytes(self, prepared: Prepared) -> int:
        """What a picture will cost."""
        rows, columns = prepared.grid_hw
        config = self._model.config
        width = config.vision.hidden_size if self._model.pointer else 0
        values = rows * columns * width + rows * columns // 4 * config.text.hidden_size
        cells = rows * columns * (config.vision.patch_size // CELL) ** 2
        letters = cells * (LETTER_CLASSES + 2) if self._model.reads else 0
        return values * self._weight.element_size() + letters

    def borrow(self, digest: str, prepared: Prepared) -> Encoded:
        """The features of a picture, encoded unless they are known; `give_back` when done.

        Raises:
            FullError: there is no room for them.
        """
        if digest not in self._pictures:
            self.make_room(self.picture_bytes(prepared))
            patches = torch.from_numpy(prepared.patches).to(self._weight)
            encoded = replace(self._model.encode(patches, [prepared.grid_hw]), letters=None)
            if self._model.pointer is None:
                encoded = replace(encoded, patches=encoded.patches[:0].clone())
            self._pictures[digest] = _Picture(encoded)
        picture = self._pictures[digest]
        picture.users += 1
        picture.used = self._now()
        return picture.encoded

    def give_back(self, digest: str) -> None:
        """One request needs this picture no more."""
        self._pictures[digest].users -= 1

    def open(self, keys: Sequence[object]) -> History:
        """A history that holds as much as is known of a sequence, but not its last token.

        An idle history that has more in common with it than it would lose is continued; otherwise
        the common part is copied.

        Raises:
            FullError: there is no room for a copy, nor for an empty history.
        """
        before = keys[:-1]
        best = max(self._idle, key=lambda history: history.shared(before), default=None)
        shared = best.shared(before) if best else 0
        if best is None or shared == 0:
            history = self._copy(None, 0, len(keys))
        elif best.length - shared <= shared or not self._spared(best, len(keys)):
            self._idle.remove(best)
            best.truncate(shared)
            history = best
        else:
            history = self._copy(best, shared, len(keys))
        history.used = self._now()
        self._open.append(history)
        return history

    def close(self, history: History) -> None:
        """The sequence goes on no more; what is known of it stays while there is room."""
        self._open.remove(history)
        history.truncate(history.length)
        history.used = self._now()
        if history.length:
            self._idle.append(history)

    def reserve(self, history: History, tokens: int) -> None:
        """Make a history large enough for this many tokens in all.

        Raises:
            FullError: there is no room.
        """
        missing = tokens - history.cache.capacity
        if missing <= 0:
            return
        for more in (max(missing + SLACK, history.cache.capacity // 2), missing):
            try:
                self.make_room(more * self.token_bytes)
            except FullError:
                continue
            history.cache.reserve(history.cache.capacity + more)
            return
        raise FullError

    def make_room(self, size: int) -> None:
        """Give up what nobody uses, oldest first, until this many bytes fit.

        Raises:
            FullError: they do not fit beside what is in use; then nothing is given up.
        """
        if self.in_use + size > self.budget:
            raise FullError
        while self.held + size > self.budget:
            self._forget_oldest()

    def _spared(self, history: History, tokens: int) -> bool:
        """Whether there is room for this many tokens without giving up that history."""
        self._idle.remove(history)
        self._open.append(history)
        try:
            self.make_room(tokens * self.token_bytes)
        except FullError:
            return False
        finally:
            self._open.remove(history)
            self._idle.append(history)
        return True

    def _copy(self, source: History | None, shared: int, tokens: int) -> History:
        self.make_room(tokens * self.token_bytes)
        weight = self._weight
        cache = Cache(self._model.config.text, 1, tokens, weight.dtype, weight.device)
        if source is None:
            return History(cache)
        for new, old in zip(cache.layers, source.cache.layers, strict=True):
            new.append(old.latent[:, :shared])
        return History(cache, source.keys[:shared])

    def _forget_oldest(self) -> None:
        free = [digest for digest, picture in self._pictures.items() if not picture.users]
        digest = min(free, key=lambda d: self._pictures[d].used, default=None)
        history = min(self._idle, key=lambda h: h.used, default=None)
        if digest is None or (history and history.used < self._pictures[digest].used):
            assert history is not None
            self._idle.remove(history)
        else:
            del self._pictures[digest]

    def _sum(self, histories: Iterable[History], pictures: Iterable[_Picture]) -> int:
        tokens = sum(history.cache.capacity for history in histories)
        return tokens * self.token_bytes + sum(p.encoded.nbytes for p in pictures)

    def _now(self) -> int:
        self._clock += 1
        return self._clock
