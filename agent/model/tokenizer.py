"""Text <-> token ids: Moonshot's tiktoken vocabulary, and plain bytes for the embedded model.

Special tokens steer the model, so text never becomes one by accident: `encode` reads their names as
ordinary words unless the caller allows them, and `decode` gives special tokens no text.

    TokenizerError      a broken vocabulary file, an unknown special token, an id out of range
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tiktoken


class TokenizerError(ValueError):
    """The vocabulary cannot be read, or does not have what was asked for."""


class Tokenizer(ABC):
    """Text <-> token ids. Immutable once made, so it may be shared between threads.

    For every text without lone surrogates `decode(encode(text)) == text`; a lone surrogate becomes
    U+FFFD.

    Attributes:
        specials: special token name -> id.
    """

    specials: Mapping[str, int]

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Ids are 0..vocab_size-1."""

    @abstractmethod
    def encode(self, text: str, *, specials: bool = False) -> list[int]:
        """Text -> ids.

        Args:
            text: anything.
            specials: whether names of special tokens become these tokens; leave it off for every
                text that a user, a web page or a model wrote.
        """

    @abstractmethod
    def token_bytes(self, token: int) -> bytes:
        """The UTF-8 bytes of one token, maybe part of a character; empty for a special token.

        Raises:
            TokenizerError: the id is out of range.
        """

    def decode(self, tokens: Sequence[int]) -> str:
        """Ids -> text; special tokens have none, and broken UTF-8 becomes U+FFFD.

        Raises:
            TokenizerError: an id is out of range.
        """
        return b"".join(map(self.token_bytes, tokens)).decode("utf-8", "replace")

    def special(self, name: str) -> int:
        """The id of a special token.

        Raises:
            TokenizerError: the vocabulary has no such token.
        """
        if name not in self.specials:
            known = ", ".join(list(self.specials)[:24])
            raise TokenizerError(f"expected one of the special tokens {known}…; actually: {name!r}")
        return self.specials[name]

    @staticmethod
    def load(directory: Path | str) -> Tokenizer:
        """The tokenizer that lies next to a checkpoint's weights.

        Raises:
            TokenizerError: there is none, or its file is broken.
        """
        directory = Path(directory)
        described = directory / "tokenizer.json"
        if described.is_file() and (table := _read_json(described)).get("type") == "bytes":
            return ByteTokenizer(*_byte_lists(table, described))
        if (directory / "tiktoken.model").is_file():
            return TiktokenTokenizer.of_directory(directory)
        raise TokenizerError(
            f"expected tiktoken.model or a tokenizer.json of type 'bytes' in {directory}, found "
            "neither; copy the tokenizer's files next to the weights"
        )

    def _check(self, token: int) -> None:
        if not 0 <= token < self.vocab_size:
            raise TokenizerError(f"expected a token 0..{self.vocab_size - 1}, actually: {token}")


class ByteTokenizer(Tokenizer):
    """Ids 0..255 are bytes, then come special tokens, then pieces.

    A piece is a fixed string of an action's syntax that costs one token; at each position the
    longest matching piece wins.

    Args:
        specials: names of the special tokens, in id order from 256 on.
        pieces: strings of at least two bytes, in id order after the special tokens.

    Raises:
        TokenizerError: a name or piece is repeated, or too short.
    """

    def __init__(self, specials: Sequence[str], pieces: Sequence[str]) -> None:
        _check_byte_lists(specials, pieces)
        self.specials = {name: 256 + index for index, name in enumerate(specials)}
        encoded = [piece.encode() for piece in pieces]
        self._pieces = {piece: 256 + len(specials) + i for i, piece in enumerate(encoded)}
        self._bytes = [bytes([b]) for b in range(256)] + [b""] * len(specials) + encoded
        self._piece_texts = tuple(pieces)
        self._match_piece = _longest_first(encoded)
        self._match_special = _longest_first([name.encode() for name in specials])

    @property
    def vocab_size(self) -> int:
        """256 bytes, special tokens, pieces."""
        return len(self._bytes)

    def encode(self, text: str, *, specials: bool = False) -> list[int]:
        """Text -> ids; see `Tokenizer.encode`."""
        data = _without_surrogates(text).encode()
        if not specials:
            return self._encode_plain(data)
        ids: list[int] = []
        position = 0
        for match in self._match_special.finditer(data):
            ids += self._encode_plain(data[position : match.start()])
            ids.append(self.specials[match.group().decode()])
            position = match.end()
        return ids + self._encode_plain(data[position:])

    def token_bytes(self, token: int) -> bytes:
        """The bytes of one token; see `Tokenizer.token_bytes`."""
        self._check(token)
        return self._bytes[token]

    def save(self, directory: Path | str) -> None:
        """Write tokenizer.json into an existing directory."""
        table = {"type": "bytes", "specials": list(self.specials), "pieces": self._piece_texts}
        text = json.dumps(table, ensure_ascii=False, indent=1) + "\n"
        (Path(directory) / "tokenizer.json").write_text(text, encoding="utf-8")

    def _encode_plain(self, data: bytes) -> list[int]:
        ids: list[int] = []
        position = 0
        for match in self._match_piece.finditer(data):
            ids += data[position : match.start()]
            ids.append(self._pieces[match.group()])
            position = match.end()
        ids += data[position:]
        return ids


RESERVED = 256
"""Slots for special tokens after Moonshot's byte-pair vocabulary."""

_KIMI_VL_SPECIALS = {
    0: "[BOS]",
    1: "[EOS]",
    2: "<|im_end|>",
    3: "<|im_user|>",
    4: "<|im_assistant|>",
    6: "<|start_header_id|>",
    7: "<|end_header_id|>",
    9: "[EOT]",
    10: "<|im_system|>",
    11: "<|tool_calls_section_begin|>",
    12: "<|tool_calls_section_end|>",
    13: "<|tool_call_begin|>",
    14: "<|tool_call_argument_begin|>",
    15: "<|tool_call_end|>",
    17: "<|im_middle|>",
    18: "<|media_start|>",
    19: "<|media_content|>",
    20: "<|media_end|>",
    21: "<|media_pad|>",
    254: "[UNK]",
    255: "[PAD]",
}
"""Offsets into the reserved slots, for a directory without tokenizer_config.json."""

_HEAD = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]"
_TAIL = r"\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]"
_SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
PATTERN = "|".join(
    [
        r"[\p{Han}]+",
        rf"[^\r\n\p{{L}}\p{{N}}]?[{_HEAD}]*[{_TAIL}]+{_SUFFIX}",
        rf"[^\r\n\p{{L}}\p{{N}}]?[{_HEAD}]+[{_TAIL}]*{_SUFFIX}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
"""How Moonshot's tokenizers cut text before merging; `&&` is set intersection."""

_LONGEST_TEXT = 400_000
_LONGEST_RUN = 25_000
_RUN = re.compile(rf"\s{{1,{_LONGEST_RUN}}}|\S{{1,{_LONGEST_RUN}}}")


class TiktokenTokenizer(Tokenizer):
    """Moonshot's byte-pair vocabulary with 256 slots for special tokens behind it.

    Args:
        ranks: token bytes -> id; the ids are 0..n-1 and every single byte is there.
        names: id -> name of a special token; unnamed slots are called `<|reserved_token_ID|>`.

    Raises:
        TokenizerError: ids have gaps, a byte is missing, a name is repeated or outside the slots.
    """

    def __init__(self, ranks: Mapping[bytes, int], names: Mapping[int, str]) -> None:
        _check_ranks(ranks)
        slots = range(len(ranks), len(ranks) + RESERVED)
        _check_names(names, slots)
        self.specials = {names.get(i, f"<|reserved_token_{i}|>"): i for i in slots}
        self._encoding = tiktoken.Encoding(
            "moonshot",
            pat_str=PATTERN,
            mergeable_ranks=dict(ranks),
            special_tokens=dict(self.specials),
        )
        self._base = len(ranks)

    @classmethod
    def of_directory(cls, directory: Path) -> TiktokenTokenizer:
        """Read tiktoken.model and, when present, tokenizer_config.json's added_tokens_decoder.

        Raises:
            TokenizerError: a file is broken.
        """
        ranks = _read_ranks(directory / "tiktoken.model")
        described = directory / "tokenizer_config.json"
        added = _read_json(described).get("added_tokens_decoder") if described.is_file() else None
        if added is None:
            return cls(ranks, {len(ranks) + at: name for at, name in _KIMI_VL_SPECIALS.items()})
        try:
            names = {int(token): str(entry["content"]) for token, entry in added.items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise TokenizerError(
                f"expected added_tokens_decoder in {described} to map ids to objects with "
                f"'content', actually: {error!r}"
            ) from error
        return cls(ranks, names)

    @property
    def vocab_size(self) -> int:
        """Byte-pair tokens and reserved slots."""
        return self._base + RESERVED

    def encode(self, text: str, *, specials: bool = False) -> list[int]:
        """Text -> ids; see `Tokenizer.encode`."""
        ids: list[int] = []
        for chunk in _chunks(_without_surrogates(text)):
            if specials:
                ids += self._encoding.encode(chunk, allowed_special="all")
            else:
                ids += self._encoding.encode_ordinary(chunk)
        return ids

    def token_bytes(self, token: int) -> bytes:
        """The bytes of one token; see `Tokenizer.token_bytes`."""
        self._check(token)
        return b"" if token >= self._base else self._encoding.decode_single_token_bytes(token)


def _chunks(text: str) -> Iterator[str]:
    """Cut where Moonshot's tokenizer does, so that endless runs cost neither time nor stack.

    Pieces of 400,000 characters, and inside them a cut wherever 25,000 characters in a row are all
    white space or all not.
    """
    for start in range(0, len(text), _LONGEST_TEXT):
        piece = text[start : start + _LONGEST_TEXT]
        begin = 0
        for run in _RUN.finditer(piece):
            at = run.start()
            if at > begin and piece[at - 1].isspace() == piece[at].isspace():
                yield piece[begin:at]  # only a full run is followed by one of its own kind
                begin = at
        yield piece[begin:]


def _without_surrogates(text: str) -> str:
    """Surrogate pairs become their character, lone ones U+FFFD, as in tiktoken."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _longest_first(choices: Sequence[bytes]) -> re.Pattern[bytes]:
    """A pattern that matches the longest of the choices, or never when there are none."""
    ordered = sorted(choices, key=len, reverse=True)
    return re.compile(b"|".join(map(re.escape, ordered)) or rb"(?!)")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TokenizerError(f"expected {path} to be a JSON file, actually: {error}") from error
    if not isinstance(table, dict):
        raise TokenizerError(f"expected {path} to hold an object, actually: {type(table).__name__}")
    return table


def _byte_lists(table: dict[str, Any], path: Path) -> tuple[list[str], list[str]]:
    lists = (table.get("specials"), table.get("pieces"))
    for value in lists:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise TokenizerError(f"expected 'specials' and 'pieces' in {path} to list strings")
    return lists  # type: ignore[return-value]  # just checked


def _check_byte_lists(specials: Sequence[str], pieces: Sequence[str]) -> None:
    names = [*specials, *pieces]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise TokenizerError(f"expected distinct special tokens and pieces, repeated: {repeated}")
    short = [name for name in names if len(name.encode()) < 2]
    if short:
        raise TokenizerError(f"expected special tokens and pieces of two bytes, actually: {short}")


def _read_ranks(path: Path) -> dict[bytes, int]:
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error) as error:
            raise TokenizerError(
                f"expected 'base64 rank' in line {number} of {path}, actually: {line[:40]!r}"
            ) from error
    return ranks


def _check_ranks(ranks: Mapping[bytes, int]) -> None:
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise TokenizerError(f"expected all 256 single bytes in the vocabulary, missing: {missing}")
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise TokenizerError(f"expected the ranks 0..{len(ranks) - 1} once each; the file is cut")


def _check_names(names: Mapping[int, str], slots: range) -> None:
    outside = {token: name for token, name in names.items() if token not in slots}
    if outside:
        raise TokenizerError(
            f"expected special tokens with ids {slots.start}..{slots.stop - 1}, actually: {outside}"
        )
    if len(set(names.values())) < len(names):
        raise TokenizerError(f"expected distinct special token names, actually: {names}")
