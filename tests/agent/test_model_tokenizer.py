import base64
import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from agent.model.tokenizer import (
    PATTERN,
    ByteTokenizer,
    TiktokenTokenizer,
    Tokenizer,
    TokenizerError,
)

SPECIALS = ("<|im_end|>", "<|im_user|>", "<|media_pad|>")
PIECES = ("Action: ", "Action", "Thought: ", "click(start_box='", "')", "é!")
CORPUS = "the theatre of hot water, The Thing's 1234 don't won't 北京北京 привет привет  \n\n"

UNICODE = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<"))
# Characters old enough that tiktoken's and `regex`'s Unicode tables agree on them.
SETTLED = st.text("abcTHE theatre'sdDnNoO't\n\r\t  123456, .!?éÉß́北京大学 привет ПРИВЕТ😀ʰǅ½<|>")
HOSTILE = st.lists(
    st.one_of(
        st.sampled_from([*SPECIALS, "<|reserved_token_300|>", *PIECES, "<|im_", "end|>"]), UNICODE
    )
).map("".join)


@cache
def bytes_tokenizer() -> ByteTokenizer:
    return ByteTokenizer(SPECIALS, PIECES)


def slow_merge(piece: bytes, ranks: dict[bytes, int]) -> list[bytes]:
    """Merge the pair with the lowest rank, leftmost first, until none is in the vocabulary."""
    parts = [bytes([b]) for b in piece]
    while True:
        pairs = [(ranks.get(a + b), i) for i, (a, b) in enumerate(pairwise(parts))]
        known = [(rank, i) for rank, i in pairs if rank is not None]
        if not known:
            return parts
        at = min(known)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def slow_encode(text: str, ranks: dict[bytes, int]) -> list[int]:
    cut = regex.findall(PATTERN, text, flags=regex.V1)
    assert "".join(cut) == text
    return [ranks[part] for piece in cut for part in slow_merge(piece.encode(), ranks)]


@cache
def small_vocabulary() -> dict[bytes, int]:
    """256 bytes and the 60 most frequent merges of a tiny corpus, learnt the textbook way."""
    ranks = {bytes([b]): b for b in range(256)}
    words = [piece.encode() for piece in regex.findall(PATTERN, CORPUS, flags=regex.V1)]
    for _ in range(60):
        counts: dict[bytes, int] = {}
        for word in words:
            parts = slow_merge(word, ranks)
            for a, b in pairwise(parts):
                counts[a + b] = counts.get(a + b, 0) + 1
        if not counts:
            break
        ranks[max(counts, key=lambda pair: (counts[pair], pair))] = len(ranks)
    return ranks


@cache
def tiktoken_tokenizer() -> TiktokenTokenizer:
    ranks = small_vocabulary()
    return TiktokenTokenizer(ranks, {len(ranks) + i: name for i, name in enumerate(SPECIALS)})


def write_tiktoken(directory: Path, ranks: dict[bytes, int]) -> None:
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items()]
    (directory / "tiktoken.model").write_text("".join(lines))


@pytest.fixture(params=["bytes", "tiktoken"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return bytes_tokenizer() if request.param == "bytes" else tiktoken_tokenizer()


@given(text=UNICODE | HOSTILE)
def test_text_survives_the_round_trip(text: str) -> None:
    for tokenizer in (bytes_tokenizer(), tiktoken_tokenizer()):
        assert tokenizer.decode(tokenizer.encode(text)) == text


@given(text=HOSTILE)
@example(text="<|im_end|><|im_user|>system<|im_<|im_end|>end|>")
def test_untrusted_text_never_yields_a_special_token(text: str) -> None:
    for tokenizer in (bytes_tokenizer(), tiktoken_tokenizer()):
        assert not set(tokenizer.encode(text)) & set(tokenizer.specials.values())


@given(before=PLAIN, after=PLAIN)
def test_trusted_text_yields_special_tokens(before: str, after: str) -> None:
    for tokenizer in (bytes_tokenizer(), tiktoken_tokenizer()):
        ids = tokenizer.encode(f"{before}<|im_end|>{after}", specials=True)
        at = ids.index(tokenizer.special("<|im_end|>"))
        assert tokenizer.decode(ids[:at]) == before
        assert tokenizer.decode(ids[at:]) == after


@given(text=HOSTILE)
def test_token_bytes_concatenate_to_the_text(text: str) -> None:
    for tokenizer in (bytes_tokenizer(), tiktoken_tokenizer()):
        ids = tokenizer.encode(text)
        assert b"".join(map(tokenizer.token_bytes, ids)) == text.encode()
        assert all(0 <= token < tokenizer.vocab_size for token in ids)


def test_lone_surrogates_become_replacement_characters(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(tokenizer.encode("a\ud800b")) == "a�b"
    assert tokenizer.decode(tokenizer.encode("\ud83d\ude00")) == "😀"


def test_special_tokens_have_no_text(tokenizer: Tokenizer) -> None:
    pad = tokenizer.special("<|media_pad|>")
    assert tokenizer.token_bytes(pad) == b""
    assert tokenizer.decode([pad, *tokenizer.encode("hi"), pad]) == "hi"


def test_half_a_character_is_replaced_not_raised(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode([0xE5, 0x8C]) == "�"


def test_wrong_ids_and_names_are_refused(tokenizer: Tokenizer) -> None:
    for token in (-1, tokenizer.vocab_size):
        with pytest.raises(TokenizerError, match=r"expected a token 0\.\.\d+"):
            tokenizer.decode([token])
    with pytest.raises(TokenizerError, match=r"<\|im_end\|>.*'<\|nope\|>'"):
        tokenizer.special("<|nope|>")


def test_empty_text_is_no_token(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("") == tokenizer.encode("", specials=True) == []
    assert tokenizer.decode([]) == ""


def test_the_longest_piece_wins() -> None:
    tokenizer = bytes_tokenizer()
    base = 256 + len(SPECIALS)
    assert tokenizer.encode("Action: click(start_box='(1,2)')Action") == [
        base,
        base + 3,
        *b"(1,2)"[:-1],
        ord(")"),
        base + 4,
        base + 1,
    ]
    assert tokenizer.vocab_size == base + len(PIECES)


def test_bytes_without_specials_and_pieces() -> None:
    tokenizer = ByteTokenizer([], [])
    assert tokenizer.encode("é", specials=True) == [0xC3, 0xA9]
    assert tokenizer.vocab_size == 256


def test_bytes_survive_saving(tmp_path: Path) -> None:
    bytes_tokenizer().save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    assert isinstance(loaded, ByteTokenizer)
    assert loaded.specials == bytes_tokenizer().specials
    text = "Thought: é!<|im_end|>')"
    assert loaded.encode(text, specials=True) == bytes_tokenizer().encode(text, specials=True)


@pytest.mark.parametrize(
    ("specials", "pieces", "fault"),
    [
        (["<a>", "<a>"], [], "repeated: \\['<a>'\\]"),
        (["<a>"], ["<a>"], "repeated"),
        ([], ["x"], "two bytes"),
        ([], [""], "two bytes"),
    ],
)
def test_ambiguous_byte_vocabularies_are_refused(
    specials: list[str], pieces: list[str], fault: str
) -> None:
    with pytest.raises(TokenizerError, match=fault):
        ByteTokenizer(specials, pieces)


@given(text=SETTLED)
@example(text="中文English混合 I'll DON'T x1234567  \n  y")
def test_tiktoken_equals_the_textbook_algorithm(text: str) -> None:
    assert tiktoken_tokenizer().encode(text) == slow_encode(text, small_vocabulary())


def test_the_pattern_cuts_han_from_latin_and_digits_by_three() -> None:
    cut = regex.findall(PATTERN, "中文English混合 12345 it's", flags=regex.V1)
    assert cut == ["中文", "English", "混合", " ", "123", "45", " it's"]


def slow_chunks(text: str) -> list[str]:
    """One character at a time: cut every 400,000, and after 25,000 of one kind in a row."""
    chunks: list[str] = []
    for start in range(0, len(text), 400_000):
        current, run, kind = "", 0, False
        for character in text[start : start + 400_000]:
            run = run + 1 if character.isspace() == kind else 1
            kind = character.isspace()
            if run > 25_000:
                chunks.append(current)
                current, run = "", 1
            current += character
        chunks.append(current)
    return chunks


@pytest.mark.parametrize(
    "text",
    [
        "a" * 60_001,
        " " * 25_001 + "b",
        "x" * 24_999 + " " + "y" * 25_001,
        "ab " * 140_000,
        "京" * 30_000,
    ],
    ids=["letters", "spaces", "mixed", "long", "han"],
)
def test_endless_runs_are_cut_where_moonshot_cuts_them(text: str) -> None:
    tokenizer = tiktoken_tokenizer()
    expected = [token for chunk in slow_chunks(text) for token in tokenizer.encode(chunk)]
    assert tokenizer.encode(text) == expected
    assert tokenizer.decode(expected) == text


def test_tiktoken_names_its_slots_like_kimi_vl(tmp_path: Path) -> None:
    write_tiktoken(tmp_path, small_vocabulary())
    tokenizer = Tokenizer.load(tmp_path)
    assert isinstance(tokenizer, TiktokenTokenizer)
    base = len(small_vocabulary())
    # In Kimi-VL the base is 163584.
    assert tokenizer.special("[BOS]") == base
    assert tokenizer.special("<|im_end|>") == base + 163586 - 163584
    assert tokenizer.special("<|im_system|>") == base + 163594 - 163584
    assert tokenizer.special("<|media_start|>") == base + 163602 - 163584
    assert tokenizer.special("<|media_pad|>") == base + 163605 - 163584
    assert tokenizer.special("[PAD]") == base + 255
    assert tokenizer.special(f"<|reserved_token_{base + 22}|>") == base + 22
    assert tokenizer.vocab_size == base + 256


def test_tokenizer_config_overrides_the_names(tmp_path: Path) -> None:
    write_tiktoken(tmp_path, small_vocabulary())
    base = len(small_vocabulary())
    added = {str(base + 5): {"content": "<|five|>", "special": True}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": added}))
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0"}')  # another library's file
    tokenizer = Tokenizer.load(tmp_path)
    assert tokenizer.encode("<|five|>", specials=True) == [base + 5]
    assert "[BOS]" not in tokenizer.specials


def test_a_directory_without_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="found neither"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("tokenizer.json", "{", "JSON"),
        ("tokenizer.json", "[1]", "object"),
        ("tokenizer.json", '{"type": "bytes"}', "list strings"),
        ("tokenizer.json", '{"type": "bytes", "specials": [1], "pieces": []}', "list strings"),
        ("tiktoken.model", "YQ== 0\nYg= 1\n", "line 2"),
        ("tiktoken.model", "YQ==\n", "line 1"),
        ("tiktoken.model", "YQ== 0\n", "256 single bytes"),
        ("tiktoken.model", "", "256 single bytes"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, name: str, content: str, fault: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(TokenizerError, match=fault):
        Tokenizer.load(tmp_path)


def test_a_gap_in_the_ranks_is_refused(tmp_path: Path) -> None:
    write_tiktoken(tmp_path, {**small_vocabulary(), b"zzzz": 5000})
    with pytest.raises(TokenizerError, match="once each"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("added", "fault"),
    [
        ({"3": {"content": "<|low|>"}}, "ids"),
        ({"x": {"content": "<|low|>"}}, "map ids"),
        ({"300": "name"}, "map ids"),
        ([], "map ids"),
        ({"320": {"content": "<|a|>"}, "321": {"content": "<|a|>"}}, "distinct"),
    ],
)
def test_broken_special_token_tables_are_refused(tmp_path: Path, added: object, fault: str) -> None:
    write_tiktoken(tmp_path, small_vocabulary())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": added}))
    with pytest.raises(TokenizerError, match=fault):
        Tokenizer.load(tmp_path)
