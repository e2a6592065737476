"""A page in Chromium, driven by nothing but `Runtime.evaluate`.

Playwright would ask Chromium for everything that goes over the network, and so every picture of a
live view would be sent a second time, in base64, to Playwright's own process: on one core that cost
as much as the view itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from agent.environments.browser import PROGRAMS

_START_SECONDS = 60.0
_ANSWER_SECONDS = 60.0


class PageError(Exception):
    """Chromium does not come up, or an expression failed in the page."""


class Page:
    """One page. Not thread-safe."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0

    def evaluate(self, expression: str) -> Any:
        """Its value, a promise's when that is there.

        Raises:
            PageError: it threw.
            TimeoutError: no answer.
        """
        self._number += 1
        asked = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        message = {"id": self._number, "method": "Runtime.evaluate", "params": asked}
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(_ANSWER_SECONDS))
            if answer.get("id") == self._number:
                break
        result = answer.get("result", {})
        if "exceptionDetails" in result or "error" in answer:
            raise PageError(f"{expression[:80]}: {str(answer)[:400]}")
        return result["result"].get("value")


@contextmanager
def page(url: str, width: int, height: int) -> Iterator[Page]:
    """A headless Chromium that shows that URL."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = [
            "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--remote-debugging-port=0", f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
        ]  # fmt: skip
        program = next(path for name in PROGRAMS if (path := Path("/usr/bin", name)).exists())
        process = subprocess.Popen(
            [program, *options, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            with connect(_address(Path(profile)), max_size=None) as socket:
                yield Page(socket)
        finally:
            process.terminate()
            process.wait(20)


def _address(profile: Path) -> str:
    """The WebSocket of the only page."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        try:
            port = (profile / "DevToolsActivePort").read_text().split()[0]
            listed = httpx.get(f"http://127.0.0.1:{port}/json", timeout=5).json()
            return next(str(each["webSocketDebuggerUrl"]) for each in listed
                        if each["type"] == "page")  # fmt: skip
        except (OSError, IndexError, StopIteration, httpx.HTTPError):
            time.sleep(0.05)
    raise PageError(f"Chromium did not come up within {_START_SECONDS:g} s")
