"""One answer in the making: what to write next, given the state of the last token."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from actions.dialects.scanner import escape
from agent.model.arithmetic import work_out
from agent.model.constraint import Grammar
from agent.model.copying import copy
from agent.model.kimi_vl import Encoded, KimiVL
from agent.model.lexical import Sought
from agent.model.pointing import places, point
from agent.model.quoting import BYTES, CLOSINGS, LONGEST, TYPING, quote
from agent.model.tokenizer import Tokenizer
from vision.geometry import Point
from vision.image import Prepared

ACTION = "Action: "
LAST = -1e4
"""Logit of what is chosen only where nothing else is left, as on a picture of one patch."""

BOX_START, BOX_END = "<|box_start|>", "<|box_end|>"


@dataclass(frozen=True)
class Wish:
    """How an answer should be written.

    Attributes:
        max_tokens: most tokens to write.
        stop: token ids that end the text.
        choose: logits (vocabulary,) -> token; None = the most likely one.
        emit: called with every token as it is written; whether to go on. It may raise.
        grammar: what may be written, None = anything. Its end is a stop token.
        asked: tokens of the instruction, which a quoting head may quote.
        avoided: points in model space that the first coordinate is near only if it must.
        forbidden: tokens that an action begins with only if it must.
    """

    max_tokens: int
    stop: Collection[int] = ()
    choose: Callable[[Tensor], int] | None = None
    emit: Callable[[int], bool] | None = None
    grammar: Grammar | None = None
    asked: Sequence[int] = ()
    avoided: Sequence[Point] = ()
    forbidden: Sequence[int] = ()


class Writer:
    """Writes one answer, token by token; it never runs the decoder itself.

    Attributes:
        ids: what was written.
        masses: probability mass around each point.
        asked: the instruction, as far as heads look at it.

    Args:
        model: its pointing head is asked for coordinates when it has one.
        tokenizer: its vocabulary.
        wish: how to write.
        screen: the picture that may be pointed at, None without a picture.
    """

    def __init__(
        self,
        model: KimiVL,
        tokenizer: Tokenizer,
        wish: Wish,
        screen: tuple[Prepared, Encoded] | None,
    ) -> None:
        self.ids: list[int] = []
        self.masses: list[float] = []
        self._model, self._tokenizer, self._wish, self._screen = model, tokenizer, wish, screen
        self.asked = tuple(wish.asked[:LONGEST])
        self._found = model.look_up(self.asked, screen[1]) if screen else None
        self._ended = False
        self._wanted = True
        pointing = model.pointer is not None and screen and BOX_START in tokenizer.specials
        self._opening = tokenizer.specials[BOX_START] if pointing else None
        self._typing = tokenizer.encode(TYPING)[-1] if model.quoter is not None else None
        self._action = tokenizer.encode(ACTION)[-1]
        self._closings = [tokenizer.encode(closing)[0] for closing in CLOSINGS]
        self._quoted = self._texting = False
        grammar = wish.grammar
        self._stop = frozenset(wish.stop) | ({grammar.end} if grammar else frozenset())
        self._constraint = None if grammar is None else grammar.begin(self._opening)

    @property
    def stopped(self) -> bool:
        """Whether the answer is what it would be without a limit."""
        if self._constraint is not None and self._constraint.hurried:
            return False
        return self._ended or self._complete

    @property
    def done(self) -> bool:
        """Whether nothing more will be written."""
        full = len(self.ids) >= self._wish.max_tokens
        return full or self._ended or not self._wanted or self._complete

    @property
    def points(self) -> bool:
        """Whether a point comes next, for which no logits are needed."""
        return bool(self.ids) and self.ids[-1] == self._opening

    def hints(self) -> dict[int, Tensor]:
        """What is to be added to embeddings of the instruction, by index in `Wish.asked`."""
        if self._found is None or not self._found.ends:
            return {}
        assert self._model.lexicon is not None and self._screen is not None
        hints = self._model.lexicon.hints(self._found.shares, self._screen[1].patches)
        return dict(zip(self._found.ends, hints, strict=True))

    def begin(self) -> list[int]:
        """Write what every answer begins with; it is for the caller to feed."""
        return [] if self._constraint is None else self._take([])

    def write(self, state: Tensor, logits: Tensor | None) -> list[int]:
        """Write on.

        Args:
            state: (hidden,) of the last token.
            logits: (vocabulary,) at that state; None where `points`.

        Returns:
            What was written, for the caller to feed; empty when a stop token came.
        """
        quoted: list[int] = []
        if logits is None:
            following = self._point(state)
        elif quoted := self._quote(state):
            following = quoted
        else:
            following = self._choose(self._of_text(logits))
        self._quoted = bool(quoted)
        if following[0] in self._stop:
            self._ended = True
            return []
        return self._take(following)

    @property
    def _complete(self) -> bool:
        return self._constraint is not None and self._constraint.complete

    def _choose(self, logits: Tensor) -> list[int]:
        choose = self._wish.choose or _likeliest
        if self._wish.forbidden and self.ids and self.ids[-1] == self._action:
            logits = logits.clone()
            logits[list(self._wish.forbidden)] = LAST
            logits[:BYTES] = LAST  # else it would be spelled
        if self._constraint is None:
            return [choose(logits)]
        return self._constraint.next(logits, choose, self._wish.max_tokens - len(self.ids))

    def _take(self, tokens: list[int]) -> list[int]:
        """Write tokens and what the grammar forces after them; all that was written."""
        room = self._wish.max_tokens - len(self.ids)
        run = tokens[:room] if self._constraint is None else self._constraint.advance(tokens, room)
        self.ids += run
        for token in run:
            self._texting = token == self._typing or (self._texting and token not in self._closings)
        if self._wish.emit is not None:
            self._wanted = all(self._wish.emit(token) for token in run)
        return run

    def _quote(self, state: Tensor) -> list[int]:
        """What is to be typed, where it stands in the instruction or on the screen, or follows."""
        quoter = self._model.quoter
        if quoter is None or not self.ids or self.ids[-1] != self._typing:
            return []
        quoted = self._tokenizer.decode(quote(quoter, state, self.asked))
        text = quoted or self._copy(state) or self._worked_out()
        tokens = self._tokenizer.encode(escape(text))
        room = self._wish.max_tokens - len(self.ids)
        fits = self._constraint is None or self._constraint.admits(tokens, room)
        return tokens if fits else []

    def _copy(self, state: Tensor) -> str:
        """What is to be typed, where it stands on the screen; else nothing."""
        copier = self._model.copier
        if copier is None or self._screen is None or not self._screen[1].pages:
            return ""
        encoded = self._screen[1]
        return copy(copier, state, encoded.pages[0], encoded.patches, self._sought(state))

    def _worked_out(self) -> str:
        """What the exercise on the screen comes to; else nothing."""
        if self._model.copier is None or self._screen is None or not self._screen[1].lines:
            return ""
        prepared, encoded = self._screen
        patches = torch.from_numpy(prepared.patches).to(encoded.patches)
        return work_out(self._model, patches, prepared.grid_hw, encoded.lines[0])

    def _of_text(self, logits: Tensor) -> Tensor:
        """The logits without pieces of actions inside a text, of all but its end after a quotation.

        A text is spelled; else the beginning of another action may be typed.
        """
        if not self._quoted and not self._texting:
            return logits
        left = torch.full_like(logits, float("-inf"))
        left[self._closings] = logits[self._closings]
        if not self._quoted:
            left[:BYTES] = logits[:BYTES]
        return left

    def _point(self, state: Tensor) -> list[int]:
        """Tokens of "(x,y)" and the closing box token, for where the pointing head looks."""
        assert self._screen is not None
        prepared, encoded = self._screen
        sought, bias = self._sought(state), self._avoid(state)
        place, mass = choose_point(self._model, state, encoded, prepared, sought, bias)
        self.masses.append(mass)
        text = f"({round(place.x)},{round(place.y)}){BOX_END}"
        return self._tokenizer.encode(text, specials=True)

    def _avoid(self, state: Tensor) -> Tensor | None:
        """(L,) what is added to the logits of pointing where there are points to be avoided.

        A patch to be avoided takes those beside it along, as a label is wider than a patch.
        """
        if self.masses or not self._wish.avoided or self._screen is None:
            return None
        prepared, side = self._screen[0], self._model.config.vision.patch_size
        rows, columns = prepared.grid_hw
        bias = state.new_zeros(rows * columns)
        for place in self._wish.avoided:
            x, y = prepared.map.model_to_image(place)
            row, column = int(y // side), int(x // side)
            bias.view(rows, columns)[row, max(0, column - 1) : column + 2] = LAST
        return bias

    def _sought(self, state: Tensor) -> Sought | None:
        """The words of the instruction, where they are looked for on the screen."""
        lexicon, quoter, found = self._model.lexicon, self._model.quoter, self._found
        if lexicon is None or quoter is None or found is None or not self.asked:
            return None
        known = quoter.read(torch.tensor([self.asked], device=state.device))[:, list(found.ends)]
        own = torch.ones(known.shape[:2], dtype=torch.bool, device=state.device)
        return Sought(known, own, found.shares[None])


def choose_point(
    model: KimiVL,
    state: Tensor,
    encoded: Encoded,
    prepared: Prepared,
    sought: Sought | None = None,
    bias: Tensor | None = None,
) -> tuple[Point, float]:
    """The point that a state means, in model space, and the probability mass around it.

    Args:
        model: a network with a pointing head.
        state: (hidden,), the decoder's state at the box token.
        encoded: the picture pointed at.
        prepared: its grid and coordinate map.
        sought: the words of the instruction.
        bias: (L,), added to the logits of its patches.
    """
    rows, columns = prepared.grid_hw
    side = model.config.vision.patch_size
    states, only = state.unsqueeze(0), torch.zeros(1, dtype=torch.long, device=state.device)
    pointed = point(model, states, encoded.patches[None], only, prepared.grid_hw, sought)
    logits = pointed.logits[0]
    logits = (logits if bias is None else logits + bias).view(rows, columns)
    width, height = prepared.map.image
    # Patches whose centre is padding cannot be meant; the first one always can.
    logits[max(1, round(height / side)) :] = float("-inf")
    logits[:, max(1, round(width / side)) :] = float("-inf")
    weights = logits.flatten().softmax(-1).view(rows, columns)
    best = weights.argmax()
    row, column = divmod(int(best), columns)
    offset = places(model, states, pointed, best[None])[0]
    x = min((column + float(offset[0])) * side, width - 0.5)
    y = min((row + float(offset[1])) * side, height - 0.5)
    around = weights[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    return prepared.map.image_to_model(Point(x, y)), float(around.sum())


def _likeliest(logits: Tensor) -> int:
    return int(logits.argmax())
