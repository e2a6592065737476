"""sqlite-web, a web program from PyPI, on a database of ours."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from agent.testing.desktop import Desktop
from agent.testing.tester import Tester

PROGRAM = ("sqlite_web", "pip install sqlite-web")
PATIENCE = 60.0
"""Seconds: OCR takes several for one look where other work keeps the processor busy."""
pytestmark = [pytest.mark.desktop(640, 320), pytest.mark.timeout(300)]


@pytest.fixture
def url(installed: str, tmp_path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.execute("create table customers (name text, town text)")
        database.execute("insert into customers values ('Ada', 'London')")
        database.commit()
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    arguments = ["--no-browser", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        [installed, *arguments, str(tmp_path / "shop.db")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while server.poll() is None:
            with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), 1)):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait()


def test_a_table_shows_its_rows(desktop: Desktop, agent: Tester, url: str) -> None:
    desktop.open(url)
    agent.do('Click on "customers"', within=PATIENCE)
    agent.do('Click on "Content"', within=PATIENCE)
    agent.expect('a cell that says "London"', within=PATIENCE)
