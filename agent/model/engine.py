"""Runs the network: token ids and pictures in, token ids out. Knows nothing about prompts.

- A picture is encoded once; its features are kept by content.
- The latent cache of the last prompt is kept: what a new prompt shares with it, pictures included,
  is not computed again.
- With a pointing head, coordinates are not sampled: at the box token the head chooses a patch, and
  the digits are appended without a forward pass of their own. They are in range by construction.
- With a grammar, only what it leaves open is sampled; what it forces goes into the forward pass of
  the token before, at the beginning into that of the prompt.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from agent.model.constraint import Grammar
from agent.model.decoder import Cache
from agent.model.kimi_vl import Encoded, KimiVL
from agent.model.tokenizer import Tokenizer
from vision.geometry import Point
from vision.image import Prepared

BOX_START, BOX_END = "<|box_start|>", "<|box_end|>"


class ContextError(ValueError):
    """A prompt that does not fit the context."""


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


class Engine:
    """One network and its caches.

    Not thread-safe: one `generate` at a time.

    Args:
        model: put into eval mode.
        tokenizer: its vocabulary.
        pictures: how many encoded pictures are kept.
    """

    def __init__(self, model: KimiVL, tokenizer: Tokenizer, pictures: int = 8) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self._kept = pictures
        self._encoded: OrderedDict[str, Encoded] = OrderedDict()
        self._weight = model.language_model.lm_head.weight
        self._cache = self._new_cache()
        self._seen: list[object] = []

    @property
    def context(self) -> int:
        """How many tokens prompt and answer may have together."""
        return self.model.config.text.max_position_embeddings

    @torch.inference_mode()
    def generate(
        self,
        ids: Sequence[int],
        pictures: Sequence[Picture] = (),
        max_tokens: int = 256,
        stop: Collection[int] = (),
        choose: Callable[[Tensor], int] | None = None,
        emit: Callable[[int], bool] | None = None,
        grammar: Grammar | None = None,
    ) -> Generation:
        """Continue a prompt.

        Args:
            ids: the prompt, with one media placeholder per visual token.
            pictures: in the order of their placeholders.
            max_tokens: most tokens to write; less where the context leaves less room.
            stop: token ids that end the text.
            choose: logits (vocabulary,) -> token; None = the most likely one.
            emit: called with every token as it is written; whether to go on. It may raise.
            grammar: what may be written, None = anything. Its end is a stop token. An answer under
                it is whole wherever `max_tokens` leaves room for a short one.

        Raises:
            ContextError: the prompt alone fills the context.
            ConstraintError: `choose` chose what the grammar forbids.
        """
        if not 0 < len(ids) < self.context:
            raise ContextError(
                f"expected 1..{self.context - 1} prompt tokens, actually: {len(ids)}"
            )
        began = time.perf_counter()
        encoded = [self._encode(picture) for picture in pictures]
        encoded_at = time.perf_counter()
        limit = min(max_tokens, self.context - len(ids))
        writer = _Writer(self, pictures, encoded, limit, emit, grammar)
        forced = writer.begin()
        cached, state = self._prefill([*ids, *forced], pictures, encoded)
        prefilled_at = time.perf_counter()
        writer.write(state, frozenset(stop), choose or _likeliest)
        ended = time.perf_counter()
        return Generation(
            ids=tuple(writer.ids),
            stopped=writer.stopped,
            confidence=min(writer.masses, default=None),
            prompt_tokens=len(ids),
            cached_tokens=min(cached, len(ids)),
            encode_ms=(encoded_at - began) * 1e3,
            prefill_ms=(prefilled_at - encoded_at) * 1e3,
            decode_ms=(ended - prefilled_at) * 1e3,
        )

    def feed(self, ids: Sequence[int], visual: Tensor | None = None) -> Tensor:
        """Append tokens to the cache; the state (hidden,) of the last one."""
        tensor = torch.tensor([list(ids)], device=self._weight.device)
        return self.model.hidden(tensor, visual, cache=self._cache)[0, -1]

    def logits(self, state: Tensor) -> Tensor:
        """(hidden,) -> (vocabulary,) in fp32; a placeholder cannot be written, only shown."""
        logits = self.model.language_model.lm_head(state).float()
        logits[self.model.config.media_placeholder_token_id] = float("-inf")
        return logits

    def remember(self, ids: Sequence[int]) -> None:
        """Note what `feed` put into the cache after the prompt."""
        self._seen.extend(ids)

    def _encode(self, picture: Picture) -> Encoded:
        if picture.digest not in self._encoded:
            patches = torch.from_numpy(picture.prepared.patches).to(self._weight)
            self._encoded[picture.digest] = self.model.encode(patches, [picture.prepared.grid_hw])
        self._encoded.move_to_end(picture.digest)
        while len(self._encoded) > self._kept:
            self._encoded.popitem(last=False)
        return self._encoded[picture.digest]

    def _prefill(
        self, ids: Sequence[int], pictures: Sequence[Picture], encoded: Sequence[Encoded]
    ) -> tuple[int, Tensor]:
        """Compute what the cache does not hold; (tokens reused, state of the last token)."""
        keys = _content_keys(ids, pictures, encoded, self.model.config.media_placeholder_token_id)
        shared, most = 0, min(len(self._seen), len(keys) - 1, self._cache.length)
        while shared < most and self._seen[shared] == keys[shared]:
            shared += 1
        self._cache.truncate(shared)
        self._seen = keys[:shared]
        visual = torch.cat([e.tokens for e in encoded]) if encoded else None
        if visual is not None:
            visual = visual[_placeholders(keys[:shared]) :]
        state = self.feed(ids[shared:], visual if visual is not None and len(visual) else None)
        self._seen = keys
        return shared, state

    def _new_cache(self) -> Cache:
        weight = self._weight
        return Cache(self.model.config.text, dtype=weight.dtype, device=weight.device)


class _Writer:
    """One answer in the making."""

    def __init__(
        self,
        engine: Engine,
        pictures: Sequence[Picture],
        encoded: Sequence[Encoded],
        limit: int,
        emit: Callable[[int], bool] | None,
        grammar: Grammar | None,
    ) -> None:
        self.engine = engine
        self.ids: list[int] = []
        self.masses: list[float] = []
        self._ended = False
        self._limit = limit
        self._emit = emit
        self._wanted = True
        self._screen = (pictures[-1], encoded[-1]) if pictures else None
        specials = engine.tokenizer.specials
        pointing = engine.model.pointer is not None and pictures and BOX_START in specials
        self._opening = specials[BOX_START] if pointing else None
        self._end = frozenset[int]() if grammar is None else frozenset([grammar.end])
        self._constraint = None if grammar is None else grammar.begin(self._opening)

    @property
    def stopped(self) -> bool:
        """Whether the answer is what it would be without a limit."""
        if self._constraint is not None and self._constraint.hurried:
            return False
        return self._ended or self._complete

    def begin(self) -> list[int]:
        """Write what every answer begins with; it is for the caller to feed."""
        return [] if self._constraint is None else self._take([])

    def write(self, state: Tensor, stop: frozenset[int], choose: Callable[[Tensor], int]) -> None:
        """Write from the state of the last token on, until a stop token or the limit."""
        while self._goes_on():
            if self.ids and self.ids[-1] == self._opening:
                following = self._point(state)
            else:
                following = self._choose(self.engine.logits(state), choose)
            if following[0] in stop | self._end:
                self._ended = True
                return
            run = self._take(following)
            if self._goes_on():
                state = self.engine.feed(run)
                self.engine.remember(run)

    def _goes_on(self) -> bool:
        return len(self.ids) < self._limit and self._wanted and not self._complete

    @property
    def _complete(self) -> bool:
        return self._constraint is not None and self._constraint.complete

    def _choose(self, logits: Tensor, choose: Callable[[Tensor], int]) -> list[int]:
        if self._constraint is None:
            return [choose(logits)]
        return self._constraint.next(logits, choose, self._limit - len(self.ids))

    def _take(self, tokens: list[int]) -> list[int]:
        """Write tokens and what the grammar forces after them; all that was written."""
        room = self._limit - len(self.ids)
        run = tokens[:room] if self._constraint is None else self._constraint.advance(tokens, room)
        self.ids += run
        if self._emit is not None:
            self._wanted = all(self._emit(token) for token in run)
        return run

    def _point(self, state: Tensor) -> list[int]:
        """Tokens of "(x,y)" and the closing box token, for where the pointing head looks."""
        assert self._screen is not None
        picture, encoded = self._screen
        point, mass = choose_point(self.engine.model, state, encoded, picture.prepared)
        self.masses.append(mass)
        text = f"({round(point.x)},{round(point.y)}){BOX_END}"
        return self.engine.tokenizer.encode(text, specials=True)


def choose_point(
    model: KimiVL, state: Tensor, encoded: Encoded, prepared: Prepared
) -> tuple[Point, float]:
    """The point that a state means, in model space, and the probability mass around it.

    Args:
        model: a network with a pointing head.
        state: (hidden,), the decoder's state at the box token.
        encoded: the picture pointed at.
        prepared: its grid and coordinate map.
    """
    assert model.pointer is not None
    rows, columns = prepared.grid_hw
    side = model.config.vision.patch_size
    keys = model.pointer.keys(encoded.patches).to(state.dtype)
    logits = model.pointer(state.unsqueeze(0), keys)[0].view(rows, columns)
    width, height = prepared.map.image
    # Patches whose centre is padding cannot be meant; the first one always can.
    logits[max(1, round(height / side)) :] = float("-inf")
    logits[:, max(1, round(width / side)) :] = float("-inf")
    weights = logits.flatten().softmax(-1).view(rows, columns)
    best = int(weights.argmax())
    row, column = divmod(best, columns)
    offset = model.pointer.offsets(state.unsqueeze(0), keys[best].unsqueeze(0))[0]
    x = min((column + float(offset[0])) * side, width - 0.5)
    y = min((row + float(offset[1])) * side, height - 0.5)
    around = weights[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    return prepared.map.image_to_model(Point(x, y)), float(around.sum())


def _likeliest(logits: Tensor) -> int:
    return int(logits.argmax())


def _content_keys(
    ids: Sequence[int], pictures: Sequence[Picture], encoded: Sequence[Encoded], placeholder: int
) -> list[object]:
    """Tokens as cache keys: a placeholder stands for one visual token of one picture."""
    visual = iter(
        (picture.digest, index)
        for picture, made in zip(pictures, encoded, strict=True)
        for index in range(len(made.tokens))
    )
    return [next(visual, token) if token == placeholder else token for token in ids]


def _placeholders(keys: Sequence[object]) -> int:
    return sum(isinstance(key, tuple) for key in keys)
