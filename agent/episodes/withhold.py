"""Secrets never reach the disk: they are taken out of every text before it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Withhold = Callable[[str], str]
"""Gives back the text as it may be written."""

WITHHELD = "[withheld]"

_FIXED = frozenset({"type", "button", "direction", "outcome", "crop"})
"""Members whose words come from this program, never from a user."""


class Secrets:
    """The texts that must not be written; usable as the `withhold` hook of a writer.

    A secret is also found in the spellings that it has inside a model's quoted argument and in
    JSON. One shorter than three characters is refused: taking it out of every text would tear
    ordinary words and numbers apart.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._spellings: set[str] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """From now on withhold this text too.

        Raises:
            ValueError: it is shorter than three characters.
        """
        if len(secret) < 3:
            raise ValueError(f"a secret needs at least 3 characters, actually: {len(secret)}")
        self._spellings |= spellings(secret)

    def __call__(self, text: str) -> str:
        """The text without the secrets, longest spelling first."""
        for spelling in sorted(self._spellings, key=len, reverse=True):
            text = text.replace(spelling, WITHHELD)
        return text


def spellings(secret: str) -> set[str]:
    """The secret as it is, and with backslashes before what a quoted argument or JSON escapes."""
    escaped = secret.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
    single, double = escaped.replace("'", "\\'"), escaped.replace('"', '\\"')
    return {secret, escaped, single, double, single.replace('"', '\\"')}


def nothing(text: str) -> str:
    """The hook that withholds nothing."""
    return text


def clean(value: Any, withhold: Withhold) -> tuple[Any, int]:
    """Pass every text inside a JSON value through the hook; also count the texts it changed.

    Lone surrogates, which UTF-8 cannot hold, become U+FFFD. The names of members are left alone,
    and so are the members whose words come from this program.
    """
    if isinstance(value, str):
        allowed = withhold(value)
        safe = allowed.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return safe, int(allowed != value)
    if isinstance(value, dict):
        pairs = {
            key: clean(item, nothing if key in _FIXED else withhold) for key, item in value.items()
        }
        return {key: item for key, (item, _) in pairs.items()}, sum(n for _, n in pairs.values())
    if isinstance(value, list | tuple):
        items = [clean(item, withhold) for item in value]
        return [item for item, _ in items], sum(n for _, n in items)
    return value, 0
