"""Kimi-VL: MoonViT, projector and Moonlight decoder as one network.

Visual tokens overwrite the embeddings at the media placeholder; the decoder sees one causal
sequence with plain positions. State-dict keys are the published checkpoint's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn

from agent.model.cache import Cache, Packed
from agent.model.config import KimiVLConfig
from agent.model.copying import CopyingHead
from agent.model.decoder import LanguageModel
from agent.model.inscriptions import Inscriptions
from agent.model.lexical import Found, Lexicon, Lines, find, read_lines, words
from agent.model.pointer import PointingHead, ReadingHead
from agent.model.quoting import QuotingHead
from agent.model.second_look import SecondLook
from agent.model.transcript import Transcript, transcribe
from vision.moonvit import Grid, MoonVit
from vision.projector import Projector

ZERO_AT_FIRST = (
    *("lexicon.hint.weight", "lexicon.spread.weight"),
    *("second_look.found.weight", "inscriptions.told.weight"),
)
"""Weights of parts that change nothing until they have learned to."""


@dataclass(frozen=True)
class Encoded:
    """What the encoder made of some images.

    Attributes:
        patches: (L, vision hidden), packed, raster order inside each image.
        tokens: (L / 4, text hidden), the visual tokens, packed.
        grids: (rows, columns) of each image in patches.
        letters: (L, cells, classes) logits of the letter tower, if there is one.
        lines: the same of each image as `Lexicon` looks at it, if a head needs it.
        pages: the same of each image as text, if there is a `CopyingHead`.
    """

    patches: Tensor
    tokens: Tensor
    grids: tuple[Grid, ...]
    letters: Tensor | None = None
    lines: tuple[Lines, ...] = ()
    pages: tuple[Transcript, ...] = ()

    @property
    def nbytes(self) -> int:
        """Memory that it takes, the tower's logits not counted."""
        lines = sum(
            part.shares.nbytes + part.names.nbytes + part.weights.nbytes + part.heights.nbytes
            for part in self.lines
        )
        return self.patches.nbytes + self.tokens.nbytes + lines


class KimiVL(nn.Module):
    """The whole network."""

    def __init__(self, config: KimiVLConfig) -> None:
        super().__init__()
        self.config = config
        self.vision_tower = MoonVit(config.vision)
        self.multi_modal_projector = Projector(config.vision, config.text.hidden_size)
        self.language_model = LanguageModel(config.text)
        self.pointer = PointingHead(config, config.pointer) if config.pointer else None
        self.reader = ReadingHead(config, config.pointer) if config.pointer else None
        quote_size = config.pointer.quote_size if config.pointer else 0
        self.quoter = QuotingHead(config, quote_size) if quote_size else None
        word_heads = config.pointer.word_heads if config.pointer else 0
        self.lexicon = Lexicon(config, word_heads, quote_size) if word_heads else None
        copy_size = config.pointer.copy_size if config.pointer else 0
        self.copier = CopyingHead(config, copy_size) if copy_size else None
        inscribed = self.copier is not None and config.pointer and config.pointer.inscriptions
        self.inscriptions = Inscriptions(config, copy_size) if inscribed else None
        looks = bool(config.pointer and config.pointer.look_size)
        self.second_look = SecondLook(config, word_heads + 2) if looks else None

    @property
    def reads(self) -> bool:
        """Whether a head needs the lines of letters of a picture."""
        return self.lexicon is not None or self.copier is not None

    def encode(self, patches: Tensor, grids: Sequence[Grid]) -> Encoded:
        """Packed patches (L, 3, 14, 14) of images with these grids -> features and tokens."""
        embedded, letters = self.vision_tower.embed(patches, grids)
        features = self.vision_tower.encoder(embedded, grids)
        tokens = self.multi_modal_projector(features, grids)
        lines: tuple[Lines, ...] = ()
        if self.reads and letters is not None:
            images = letters.split([rows * columns for rows, columns in grids])
            lines = tuple(read_lines(x, grid) for x, grid in zip(images, grids, strict=True))
        pages = () if self.copier is None else tuple(transcribe(each) for each in lines)
        if self.inscriptions is not None and any(page.text for page in pages):
            assert self.copier is not None, "the configuration says so"
            sizes = [rows * columns for rows, columns in grids]
            known = self.copier.read_all(pages, features, [0, *accumulate(sizes[:-1])])
            tokens = tokens + self.inscriptions(known, pages, grids)
        return Encoded(features, tokens, tuple(grids), letters, lines, pages)

    def look_up(self, asked: Sequence[int], encoded: Encoded) -> Found | None:
        """The words of an instruction on the one picture encoded; None without a lexicon."""
        if self.lexicon is None or not encoded.lines:
            return None
        found = words(asked)
        return Found(tuple(word.end for word in found), find(encoded.lines[0], found))

    def embed(self, ids: Tensor, visual: Tensor | None = None) -> Tensor:
        """Token ids (B, T) and packed visual tokens (n, hidden) -> embeddings (B, T, hidden).

        Raises:
            ValueError: the number of placeholders is not the number of visual tokens.
        """
        embeddings = self.language_model.model.embed_tokens(ids)
        place = ids == self.config.media_placeholder_token_id
        given = 0 if visual is None else len(visual)
        if int(place.sum()) != given:
            raise ValueError(f"{int(place.sum())} media placeholders for {given} visual tokens")
        if visual is None:
            return embeddings
        return embeddings.masked_scatter(place.unsqueeze(-1), visual.to(embeddings.dtype))

    def hidden(
        self,
        ids: Tensor,
        visual: Tensor | None = None,
        positions: Tensor | None = None,
        mask: Tensor | None = None,
        cache: Cache | Packed | None = None,
        hints: Tensor | None = None,
    ) -> Tensor:
        """Decoder states (B, T, hidden); arguments as in `Decoder.forward`.

        `hints` (B, T, hidden), from `Lexicon.hints`, are added to the embeddings.
        """
        embeddings = self.embed(ids, visual)
        if hints is not None:
            embeddings = embeddings + hints.to(embeddings.dtype)
        return self.language_model.model(embeddings, positions, mask, cache)

    def forward(
        self,
        ids: Tensor,
        patches: Tensor | None = None,
        grids: Sequence[Grid] = (),
        cache: Cache | None = None,
    ) -> Tensor:
        """Logits (B, T, vocabulary) of ids (B, T) and the packed patches of their images."""
        visual = None if patches is None else self.encode(patches, grids).tokens
        return self.language_model.lm_head(self.hidden(ids, visual, cache=cache))

    @torch.no_grad()
    def initialize(self, seed: int) -> None:
        """Random weights for training from scratch: every layer keeps the size of its input.

        Matrices and kernels get normal(0, 1 / sqrt(fan in)), residual outputs are scaled down by
        depth, embeddings and letter codes get normal(0, 1), positions normal(0, 0.2), biases
        zero; other vectors stay as they are. The seed alone decides.
        """
        generator = torch.Generator().manual_seed(seed)
        depth = self.config.text.num_hidden_layers + self.config.vision.num_hidden_layers
        for name, parameter in self.named_parameters():
            if name.endswith(".bias"):
                parameter.zero_()
            if parameter.dim() < 2:
                continue
            std = parameter[0].numel() ** -0.5
            if name.endswith(("wo.weight", "fc1.weight", "o_proj.weight", "down_proj.weight")):
                std *= depth**-0.5
            elif name.endswith("embed_tokens.weight"):
                std = 1.0
            elif name.endswith("pos_emb.weight"):
                std = 0.2
            elif name.endswith("codes.code.weight"):
                std = 1.0
            elif name.endswith(".mix.weight"):
                std *= 0.5
            elif name.endswith(ZERO_AT_FIRST):
                std = 0.0
            parameter.normal_(0, std, generator=generator)
        if self.lexicon is not None:  # at first, words are where they stand, and say nothing else
            self.lexicon.spread.weight[..., 2, 4] = 0.6 / self.lexicon.heads
