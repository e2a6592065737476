"""The bearer tokens: 256 bits each that a page in the agent's own browser cannot read."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hmac import compare_digest, digest
from pathlib import Path

from server.access import GRANTS
from server.settings import SettingsError

VARIABLE = "EYEHAND_TOKEN"
SHAPE = re.compile(r"[A-Za-z0-9._~-]{43,}")
"""What may also stand in Sec-WebSocket-Protocol; 43 characters hold 256 random bits in base64."""


@dataclass(frozen=True, repr=False)
class Tokens:
    """The secrets of which every request must show one.

    The one called "all" opens everything. From it follow, one way, those that open a part:
    token = base64url(HMAC-SHA256(all, "eyehand " + name)).

    Attributes:
        secret: "all"; never logged, not part of the repr.
        folder: where they were written, one file per name; None when they were not.
    """

    secret: str
    folder: Path | None = None

    @classmethod
    def obtain(cls, environ: Mapping[str, str]) -> Tokens:
        """Those of `EYEHAND_TOKEN`, else fresh ones, written to a folder that only we can read.

        A chosen secret is written nowhere, only what follows from it.

        Raises:
            SettingsError: the variable holds something too short to be a secret.
        """
        chosen = environ.get(VARIABLE, "")
        if chosen and not SHAPE.fullmatch(chosen):
            raise SettingsError(
                f"{VARIABLE} must be at least 43 letters, digits or any of . _ ~ -, actually: "
                f"{len(chosen)} characters; make one with: openssl rand -hex 32"
            )
        runtime = environ.get("XDG_RUNTIME_DIR")
        parent = runtime if runtime and Path(runtime).is_dir() else None
        # mkdtemp makes a new folder of mode 0700: no other user can plant or read a file in it.
        folder = Path(tempfile.mkdtemp(prefix="eyehand-", dir=parent))
        tokens = cls(chosen or secrets.token_urlsafe(32), folder)
        for name in GRANTS:
            if not (chosen and name == "all"):
                _write(folder / name, tokens.named(name))
        return tokens

    def named(self, name: str) -> str:
        """The token of a name in `GRANTS`."""
        return self._all[name]

    def name_of(self, shown: bytes) -> str | None:
        """The name of a token, in time that does not depend on where it differs; None: unknown."""
        found = None
        for name, token in self._all.items():
            if compare_digest(shown, token.encode()):
                found = name
        return found

    def forget(self) -> None:
        """Delete the files. Safe to repeat."""
        if self.folder is not None and self.folder.is_dir():
            for name in GRANTS:
                (self.folder / name).unlink(missing_ok=True)
            self.folder.rmdir()

    @cached_property
    def _all(self) -> dict[str, str]:
        parts = {name: self._derived(name) for name in GRANTS if name != "all"}
        return {"all": self.secret, **parts}

    def _derived(self, name: str) -> str:
        made = digest(self.secret.encode(), f"eyehand {name}".encode(), "sha256")
        return urlsafe_b64encode(made).decode().rstrip("=")


def _write(path: Path, token: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(token + "\n")
