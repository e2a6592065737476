"""Servers in processes of their own, for the API benchmark."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

TOKEN = "b" * 43
START_SECONDS = 180.0
"""A server that does not answer by then is given up."""
REQUEST_SECONDS = 60.0
"""A request that takes longer is an error."""


@dataclass(frozen=True)
class Served:
    """A running server: its root URL and its process id."""

    url: str
    pid: int

    def client(self) -> httpx.Client:
        """One client with its own connection."""
        header = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.Client(base_url=self.url, headers=header, timeout=REQUEST_SECONDS)

    def megabytes(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024


@contextmanager
def eyehand(*options: str) -> Iterator[Served]:
    """`eyehand serve` as a user starts it, by default with the embedded model."""
    port = free_port()
    with TemporaryDirectory() as folder:
        command = ["-c", "from agent.cli import app; app()", "serve", "--port", str(port), *options]
        environ = {"EYEHAND_TOKEN": TOKEN, "XDG_STATE_HOME": folder}
        with server([sys.executable, *command], environ, port, "/readyz", Path(folder)) as running:
            yield running


@contextmanager
def server(
    command: Sequence[str], environ: dict[str, str], port: int, path: str, folder: Path
) -> Iterator[Served]:
    """A process that answers on that port, at that path, as soon as it is up.

    Raises:
        RuntimeError: it does not come up; the message is the end of what it wrote.
    """
    log = folder / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, env=os.environ | environ, stdout=out, stderr=out)
    try:
        url, end = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
        while not answers(url + path):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{command[-1]} does not come up:\n{log.read_text()[-3000:]}")
            time.sleep(0.2)
        yield Served(url, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    """Whether a server is ready."""
    try:
        header = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.get(url, headers=header, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def quantile(values: list[float], share: float) -> float:
    """The value that this share of all is not above."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]
