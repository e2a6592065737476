"""Secrets by name: the model writes `{{secret:NAME}}`, and only the keyboard gets to know more.

A value is looked up in a file of the user, in the environment, and in the keyring of the desktop,
in this order. `SecretError` is a `ValueError`; its message never holds a value.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

SERVICE = "eyehand"
"""What the keyring calls us: `keyring set eyehand NAME` stores a secret."""

LEAST = 3
"""Characters of a secret; a shorter one could not be kept out of texts without tearing them."""

_PLACE = re.compile(r"\{\{secret:([^{}]*)\}\}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class SecretError(ValueError):
    """A secret cannot be had; the message says where it was looked for."""


def has_secret(text: str) -> bool:
    """Whether a text names a secret."""
    return _PLACE.search(text) is not None


def fill(text: str, lookup: Callable[[str], str]) -> str:
    """The text with every named secret in its place.

    Raises:
        SecretError: there is none of that name.
    """
    return _PLACE.sub(lambda match: lookup(match.group(1)), text)


class SecretStore:
    """Where secrets are looked up.

    Args:
        file: a TOML file of `name = "value"` lines that only its owner may read; None means none.
        environment: where `EYEHAND_SECRET_` and the name in capitals, `_` for `-` and `.`, is
            looked up.

    Raises:
        SecretError: the file cannot be used; all its faults at once.
    """

    def __init__(
        self, file: Path | None = None, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._known = {} if file is None else _read(file)
        self._environment = environment

    def known(self) -> tuple[str, ...]:
        """The values that can be told without asking for a name: those of the file."""
        return tuple(self._known.values())

    def __call__(self, name: str) -> str:
        """The value of a secret.

        Raises:
            SecretError: there is none of that name, or it is too short.
        """
        if not _NAME.fullmatch(name):
            raise SecretError(
                "expected the name of a secret (letters, digits, `-`, `_` and `.`), "
                f"actually: {name[:64]!r}"
            )
        variable = "EYEHAND_SECRET_" + re.sub("[-.]", "_", name).upper()
        value = self._known.get(name) or self._environment.get(variable) or _from_keyring(name)
        if not value:
            raise SecretError(
                f"there is no secret {name!r}; the user can set {variable}, put it into the file "
                f"of --secrets, or run `keyring set {SERVICE} {name}`"
            )
        if len(value) < LEAST:
            raise SecretError(f"the secret {name!r} is shorter than {LEAST} characters")
        return value


def _read(file: Path) -> dict[str, str]:
    try:
        if os.name == "posix" and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SecretError(f"others may read {file}; run `chmod 600 {file}`")
        found = tomllib.loads(file.read_text("utf-8"))
    except tomllib.TOMLDecodeError:
        # Its message would quote the file.
        raise SecretError(f'expected lines such as name = "value" in {file}') from None
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(f"cannot read the secrets in {file}: {type(error).__name__}") from None
    faults = [
        f"{name}: expected a text of at least {LEAST} characters"
        for name, value in found.items()
        if not isinstance(value, str) or len(value) < LEAST
    ]
    if faults:
        raise SecretError(f"{file}: " + "; ".join(faults))
    return found


def _from_keyring(name: str) -> str | None:
    """The value in the keyring; None also where there is no keyring to ask."""
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(SERVICE, name)
    except KeyringError:
        return None
