"""The bearer token: 256 bits that a page in the agent's own browser cannot read."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path

from server.settings import SettingsError

VARIABLE = "EYEHAND_TOKEN"
SHAPE = re.compile(r"[!-~]{43,}")
"""Printable ASCII without blanks; 43 characters hold 256 random bits in URL-safe base64."""


@dataclass(frozen=True, repr=False)
class Token:
    """The secret that every request must show.

    Attributes:
        secret: the token itself; never logged, not part of the repr.
        file: where a generated token was written, None when the user chose it.
    """

    secret: str
    file: Path | None = None

    @classmethod
    def obtain(cls, environ: Mapping[str, str]) -> Token:
        """The token of `EYEHAND_TOKEN`, else a fresh one in a fresh file that only we can read.

        Raises:
            SettingsError: the variable holds something too short to be a secret.
        """
        chosen = environ.get(VARIABLE, "")
        if not chosen:
            return cls._generate(environ.get("XDG_RUNTIME_DIR"))
        if not SHAPE.fullmatch(chosen):
            raise SettingsError(
                f"{VARIABLE} must be at least 43 printable ASCII characters without blanks, "
                f"actually: {len(chosen)} characters; make one with: openssl rand -hex 32"
            )
        return cls(chosen)

    @classmethod
    def _generate(cls, runtime: str | None) -> Token:
        secret = secrets.token_urlsafe(32)
        folder = runtime if runtime and Path(runtime).is_dir() else None
        # mkstemp opens exclusively with mode 0600: no other user can plant or read the file.
        handle, name = tempfile.mkstemp(prefix="eyehand-token-", dir=folder)
        with os.fdopen(handle, "w") as file:
            file.write(secret + "\n")
        return cls(secret, Path(name))

    def matches(self, shown: bytes) -> bool:
        """Whether this is the token, in time that does not depend on where it differs."""
        return compare_digest(shown, self.secret.encode())

    def forget(self) -> None:
        """Delete the file of a generated token. Safe to repeat."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)
