"""The words of generated screens; a hash of the word decides to which split it belongs."""

from __future__ import annotations

import random
import zlib
from functools import lru_cache
from importlib.resources import files

ONSETS = (
    *("b", "bl", "br", "c", "ch", "cl", "cr", "d", "dr", "f", "fl", "fr", "g", "gl", "gr", "h"),
    *("j", "k", "kl", "l", "m", "n", "p", "ph", "pl", "pr", "qu", "r", "s", "sh", "sk", "sl"),
    *("sp", "st", "t", "th", "tr", "v", "w", "x", "y", "z"),
)
VOWELS = ("a", "e", "i", "o", "u", "a", "e", "i", "o", "ai", "ea", "ee", "ie", "oo", "ou", "y")
CODAS = ["", "", "", "", "n", "r", "s", "l", "m", "t", "ck", "nd", "st", "x", "p", "ng", "d", "b"]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def split_of(word: str) -> str:
    """The only split whose screens may use a word: one in ten validates, one in ten tests."""
    return {0: "validation", 1: "test"}.get(zlib.crc32(word.lower().encode()) % 10, "train")


@lru_cache(maxsize=16)
def of_split(kind: str, split: str) -> tuple[str, ...]:
    """The words of a split: kind is "interface", "running" or "names"."""
    text = files(__package__).joinpath("words", f"{kind}.txt").read_text("utf-8")
    return tuple(sorted({word for word in text.split() if split_of(word) == split}))


class Vocabulary:
    """Draws words of one split.

    Args:
        rng: where the randomness comes from.
        split: "train", "validation" or "test".
    """

    def __init__(self, rng: random.Random, split: str) -> None:
        self._rng = rng
        self._split = split
        self._interface = of_split("interface", split)
        self._running = of_split("running", split)
        self._names = of_split("names", split)

    def label(self) -> str:
        """What a button or a field may be called: one or two words, a pseudo-word, a code."""
        kind = self._rng.random()
        if kind < 0.45:
            return self._cased(self._rng.choice(self._interface))
        if kind < 0.62:
            words = self._rng.sample(self._interface, 2)
            return self._cased(" ".join(words))
        if kind < 0.82:
            return self._cased(self.invented())
        return self.code()

    def short(self) -> str:
        """A label of one word."""
        kind = self._rng.random()
        if kind < 0.5:
            return self._cased(self._rng.choice(self._interface))
        return self._cased(self.invented()) if kind < 0.8 else self.code()

    def running(self) -> str:
        """A word of running text, in lower case."""
        if self._rng.random() < 0.85:
            return self._rng.choice(self._running)
        return self.invented()

    def sentence(self, words: int) -> list[str]:
        """Running text: capitalised sentences with commas and full stops, one string per word."""
        text = []
        start = True
        for _ in range(words):
            word = self.running()
            word = word.capitalize() if start else word
            start = self._rng.random() < 0.15
            text.append(word + ("." if start else "," if self._rng.random() < 0.06 else ""))
        return text

    def name(self) -> str:
        """A given or a family name."""
        return self._rng.choice(self._names)

    def invented(self) -> str:
        """A word that means nothing, of one to three syllables."""
        while True:
            rng = self._rng
            word = "".join(
                rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS)
                for _ in range(rng.choice((1, 2, 2, 3)))
            )
            if split_of(word) == self._split and len(word) > 1:
                return word

    def code(self) -> str:
        """Letters and digits without a meaning, a number, a date, a price or an address."""
        rng = self._rng
        kind = rng.random()
        if kind < 0.35:
            return self._letters(rng.randint(2, 7))
        if kind < 0.6:
            return str(rng.randint(0, 10 ** rng.randint(1, 5)))
        if kind < 0.72:
            return self.date()
        if kind < 0.85:
            return f"{self.name().lower()}@{self.invented()}.{rng.choice(('com', 'org', 'net'))}"
        return f"${rng.randint(1, 99)}.{rng.randint(0, 99):02}"

    def date(self) -> str:
        """A date in one of three notations."""
        rng = self._rng
        day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1990, 2030)
        return rng.choice(
            (f"{month:02}/{day:02}/{year}", f"{year}-{month:02}-{day:02}", f"{day}.{month}.{year}")
        )

    def _letters(self, count: int) -> str:
        while True:
            word = "".join(self._rng.choice(ALPHABET) for _ in range(count))
            if split_of(word) == self._split:
                return word

    def _cased(self, text: str) -> str:
        return self._rng.choice((str.capitalize, str.capitalize, str.title, str.lower, str.upper))(
            text
        )
