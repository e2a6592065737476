"""A Chromium without any display, for an agent that lives in one page."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from agent.environments.browser import BrowserError, find_program
from agent.environments.display import START_SECONDS, spawn

_ARGUMENTS = (
    "--headless",
    "--hide-scrollbars",
    "--remote-debugging-port=0",  # a free one
    "--no-first-run",
    # Quiet on the network; software rendering gives the same pixels on every machine.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--disable-gpu",
)


class HeadlessBrowser:
    """A Chromium with a throw-away profile, alive inside a `with` block.

    Raises:
        BrowserError: on entering, when there is no Chromium or it does not start.
    """

    def __init__(self) -> None:
        self._held = ExitStack()
        self.address = ""

    def __enter__(self) -> HeadlessBrowser:
        program = find_program()
        with ExitStack() as stack:
            profile = Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory("-eyehand-chromium", ignore_cleanup_errors=True)
                )
            )
            sandbox = () if os.geteuid() else ("--no-sandbox",)  # refused to root
            command = [program, *_ARGUMENTS, *sandbox, f"--user-data-dir={profile}", "about:blank"]
            log = profile / "chromium.log"
            process = spawn(command, dict(os.environ), log, stack)
            self.address = f"http://127.0.0.1:{_port(profile, process, log)}"
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()


def _port(profile: Path, process: subprocess.Popen[bytes], log: Path) -> int:
    """The port that Chromium has chosen; it writes it into its profile."""
    answer = profile / "DevToolsActivePort"
    deadline = time.monotonic() + START_SECONDS
    while not (answer.exists() and "\n" in answer.read_text()):
        if process.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace").strip().splitlines()[-3:]
            raise BrowserError(f"Chromium did not start: {' | '.join(said) or 'no output'}")
        time.sleep(0.01)
    return int(answer.read_text().splitlines()[0])
