"""The append-only log of what was done through the door, and what was refused.

One JSON object per line: `time` (UTC, ISO 8601), `event`, and facts in our own words. Nothing that
a client wrote stands in it: no token, no path, no typed text.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from server.rate import Bucket
from server.settings import SettingsError

REFUSALS = (1.0, 60)
"""Per second and at once: more than these are only counted, so that nobody can fill the disk."""

Fact = str | int | float | bool | None


def default_path(environ: Mapping[str, str]) -> Path:
    """Where the audit log of this user lies."""
    state = (
        environ.get("XDG_STATE_HOME")
        or Path(environ.get("HOME", "~")).expanduser() / ".local/state"
    )
    return Path(state) / "eyehand" / "audit.jsonl"


class Audit:
    """Adds lines to a file, whole and in order; any thread may.

    Args:
        path: the file, made with mode 0600 if it is not there; None keeps no log.

    Raises:
        SettingsError: the file cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._handle = None if path is None else _opened(path)
        self._lock = threading.Lock()
        self._refusals = Bucket(*REFUSALS)
        self._uncounted = 0

    def __enter__(self) -> Audit:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def note(self, event: str, **facts: Fact) -> None:
        """Add a line; it is in the file when this returns.

        Raises:
            OSError: it is not. What was to be noted should then not be done.
        """
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": time, "event": event, **facts}) + "\n"
        with self._lock:
            if self._handle is not None:
                os.write(self._handle, line.encode())

    def refused(self, **facts: Fact) -> None:
        """Add a line about a refusal; `omitted` counts those since the last that got none."""
        with self._lock:
            if self._refusals.take() > 0:
                self._uncounted += 1
                return
            omitted, self._uncounted = self._uncounted, 0
        self.note("refused", **facts, omitted=omitted)

    def close(self) -> None:
        """Close the file; lines after that go nowhere. Safe to repeat."""
        with self._lock:
            if self._handle is not None:
                os.close(self._handle)
            self._handle = None


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(path, flags, 0o600)
    except OSError as error:
        raise SettingsError(
            f"cannot write the audit log {path} ({error.strerror}): choose another with --audit"
        ) from error
