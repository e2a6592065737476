"""Keeps what the network writes inside a grammar, with llguidance's matcher.

- `Grammar` is compiled once for a vocabulary; a `Constraint` follows one answer.
- Tokens that the grammar forces are neither sampled nor given a forward pass of their own.
- An answer does not end halfway: near the limit a token is taken only where an end still fits
  behind it, otherwise the shortest ending is written.

    ConstraintError     a broken grammar, or a token that it does not allow
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask
from torch import Tensor

from agent.model.tokenizer import Tokenizer

CLOSERS = ("\nAction: ", "')", "'", ")", ",", ".", "Action: ", "wait()", "call_user()")
"""What brings an answer nearer to its end, best first; of the actions, those that do least. A text
that must not be empty becomes a full stop.
"""

NEAR = 128
"""Tokens of room above which endings are not looked at: more than any of our grammars needs."""

LONGER = len("(1000,1000)") - len("(0,0)")
"""Tokens by which a point of the pointing head may exceed the shortest one."""


class ConstraintError(ValueError):
    """The grammar cannot be compiled, or does not allow a token that was chosen."""


class Grammar:
    """A grammar compiled for one vocabulary. Immutable, so it may be shared between threads.

    Args:
        lark: in the notation of llguidance; special tokens are written `<|name|>`.
        tokenizer: the vocabulary.
        end: the special token that ends an answer.
        closers: what brings an answer nearer to its end, best first.

    Raises:
        ConstraintError: the grammar is broken; the message says where.
    """

    def __init__(
        self, lark: str, tokenizer: Tokenizer, end: str, closers: Sequence[str] = CLOSERS
    ) -> None:
        self.tokenizer = tokenizer
        self.end = tokenizer.special(end)
        vocabulary = LLTokenizer(TokenizerWrapper(_Vocabulary(tokenizer, self.end)))
        self._matcher = LLMatcher(vocabulary, LLMatcher.grammar_from_lark(lark), log_level=0)
        if self._matcher.is_error():
            raise ConstraintError(
                f"expected a grammar that llguidance reads, actually: {self._matcher.get_error()}"
            )
        self.closers = [tokenizer.encode(text) for text in closers]

    def begin(self, opening: int | None = None) -> Constraint:
        """The constraint of one answer.

        Args:
            opening: the token after which somebody else writes a point, None when nobody does.
        """
        return Constraint(self, self._matcher.deep_copy(), opening)


class Constraint:
    """One answer as the grammar sees it. Whatever is written must go through `advance`.

    Attributes:
        hurried: whether the ending was written for lack of room, not chosen.
    """

    def __init__(self, grammar: Grammar, matcher: LLMatcher, opening: int | None) -> None:
        self.hurried = False
        self._grammar = grammar
        self._matcher = matcher
        self._opening = -1 if opening is None else opening  # no token is -1
        self._bits = allocate_token_bitmask(1, grammar.tokenizer.vocab_size)

    @property
    def complete(self) -> bool:
        """Whether nothing can follow but the end."""
        return self._matcher.is_stopped()

    def next(self, logits: Tensor, choose: Callable[[Tensor], int], room: int) -> list[int]:
        """The next tokens: one that is chosen, or the shortest ending when room runs short.

        Args:
            logits: (vocabulary,); non-finite ones count as very small or very large.
            choose: logits -> token; the logits of what the grammar forbids are minus infinity.
            room: how many tokens may still be written.
        """
        token = choose(self._masked(logits))
        if room > NEAR or token == self._grammar.end or self._fits(token, room):
            return [token]
        self.hurried = True
        ending = self._ending(self._matcher.deep_copy(), room)
        return [token] if ending is None else ending or [self._grammar.end]

    def admits(self, tokens: Sequence[int], room: int) -> bool:
        """Whether these tokens may come next and leave room for an ending.

        Args:
            tokens: what somebody else would write.
            room: how many tokens may still be written, these included.
        """
        allowed = self._matcher.validate_tokens(list(tokens)) == len(tokens)
        return allowed and len(tokens) + NEAR <= room

    def advance(self, tokens: Sequence[int], room: int) -> list[int]:
        """Note what is written, and what the grammar forces after it.

        Args:
            tokens: what was chosen; empty at the beginning.
            room: how many tokens may still be written, these included.

        Returns:
            These tokens and the forced ones, up to the room or to the opening of a point.

        Raises:
            ConstraintError: the grammar does not allow the tokens.
        """
        run: list[int] = []
        more = list(tokens) or self._matcher.compute_ff_tokens()
        while more and len(run) < room:
            more = self._until_opening(more)[: room - len(run)]
            if not self._matcher.consume_tokens(more):
                raise ConstraintError(
                    f"expected tokens that the grammar allows, actually: {more} after {run}"
                )
            run += more
            more = [] if run[-1] == self._opening else self._matcher.compute_ff_tokens()
        return run

    def _until_opening(self, tokens: list[int]) -> list[int]:
        if self._opening not in tokens:
            return tokens
        return tokens[: tokens.index(self._opening) + 1]

    def _masked(self, logits: Tensor) -> Tensor:
        """Logits that are finite exactly where the grammar allows the token."""
        allowed = torch.zeros(len(logits), dtype=torch.bool)
        bits = self._allowed(self._matcher)
        allowed[: len(bits)] = torch.from_numpy(bits)
        finite = logits.nan_to_num(nan=-1e4, posinf=1e4, neginf=-1e4)
        return finite.masked_fill(~allowed.to(logits.device), float("-inf"))

    def _allowed(self, matcher: LLMatcher) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """(vocabulary,): which tokens may come next."""
        fill_next_token_bitmask(matcher, self._bits)
        if matcher.is_error():
            raise ConstraintError(f"the grammar cannot be followed: {matcher.get_error()}")
        size = self._grammar.tokenizer.vocab_size
        return np.unpackbits(self._bits.view(np.uint8)[0], count=size, bitorder="little").view(bool)

    def _fits(self, token: int, room: int) -> bool:
        """Whether an ending fits behind the token."""
        after = self._matcher.deep_copy()
        if not after.consume_token(token):
            return True  # `advance` complains
        ending = self._ending(after, room)
        if ending is None:
            return False
        rest = [token, *ending]
        return (
            len(rest) + LONGER * rest.count(-1 if self._opening is None else self._opening) <= room
        )

    def _ending(self, matcher: LLMatcher, room: int) -> list[int] | None:
        """A short way from a state, which it uses up, to an end; None when there is no room."""
        path: list[int] = []
        while not matcher.is_accepting():
            step = matcher.compute_ff_tokens() or self._step(matcher)
            if len(path) + len(step) > room:
                return None
            matcher.consume_tokens(step)
            path += step
        return path

    def _step(self, matcher: LLMatcher) -> list[int]:
        """The best closer that the grammar allows, else the first token."""
        for closer in self._grammar.closers:
            if matcher.validate_tokens(closer) == len(closer):
                return closer
        return [int(self._allowed(matcher).argmax())]


class _Vocabulary:
    """A tokenizer as llguidance wants it: special tokens have their names."""

    bos_token_id = None

    def __init__(self, tokenizer: Tokenizer, end: int) -> None:
        names = {token: name.encode() for name, token in tokenizer.specials.items()}
        size = tokenizer.vocab_size
        self.tokens = [names.get(token) or tokenizer.token_bytes(token) for token in range(size)]
        self.special_token_ids = sorted(names)
        self.eos_token_id = end
        self._tokenizer = tokenizer

    def __call__(self, text: bytes) -> list[int]:
        return self._tokenizer.encode(text.decode())
