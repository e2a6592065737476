"""Our tokenizer with Moonshot's real vocabulary, against an independent implementation.

`splintr` carries the vocabulary that Kimi-K2 publishes, byte for byte; Kimi-VL has the same number
of tokens, the same pattern and the same special ids, under one other name (`<|media_start|>`).
"""

import base64
from pathlib import Path

import pytest
import splintr
from hypothesis import given
from hypothesis import strategies as st

from agent.model.tokenizer import PATTERN, TiktokenTokenizer, Tokenizer

BASE = 163584
TEXT = st.text(
    "abcTHE 'sdDll\n\r\t  0123456789,.!?éÉß́北京大学中文 привет😀ʰǅ½<|>ひらカナ한국어ไทย",
    max_size=60,
)


@pytest.fixture(scope="module")
def theirs() -> splintr.AnyTokenizer:
    return splintr.Tokenizer.from_pretrained("kimi_k2")


@pytest.fixture(scope="module")
def ours(theirs: splintr.AnyTokenizer, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    directory: Path = tmp_path_factory.mktemp("kimi")
    tokens = (base64.b64encode(bytes(theirs.decode_token_bytes(i))).decode() for i in range(BASE))
    lines = (f"{token} {rank}\n" for rank, token in enumerate(tokens))
    (directory / "tiktoken.model").write_text("".join(lines))
    return Tokenizer.load(directory)


def test_pattern_size_and_special_ids_are_kimis(
    ours: Tokenizer, theirs: splintr.AnyTokenizer
) -> None:
    assert isinstance(ours, TiktokenTokenizer)
    assert PATTERN == splintr.KIMI_PATTERN
    assert ours.vocab_size == splintr.base_vocab_size("kimi_k2") == 163840
    named = {name: token for name, token in ours.specials.items() if "reserved" not in name}
    assert named.pop("<|media_start|>") == theirs.special_token_id("<|media_begin|>") == 163602
    assert named == {name: theirs.special_token_id(name) for name in named}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello world", [19180, 2695]),
        ("Hello, world!", [19180, 11, 2695, 0]),
        ("你好世界", [33845, 2243]),
        ("1234567890", [6694, 12972, 16242, 15]),
        ("中文English混合", [16717, 44372, 13935]),
    ],
)
def test_published_examples(ours: Tokenizer, text: str, expected: list[int]) -> None:
    assert ours.encode(text) == expected


@given(text=TEXT)
def test_equals_an_independent_implementation(
    ours: Tokenizer, theirs: splintr.AnyTokenizer, text: str
) -> None:
    assert ours.encode(text) == list(theirs.encode_ordinary(text))
    assert ours.decode(ours.encode(text)) == text


def test_equals_an_independent_implementation_on_source_code(
    ours: Tokenizer, theirs: splintr.AnyTokenizer
) -> None:
    for file in sorted(Path(__file__).parent.glob("test_model_*.py")):
        text = file.read_text(encoding="utf-8")
        assert ours.encode(text) == list(theirs.encode_ordinary(text))
