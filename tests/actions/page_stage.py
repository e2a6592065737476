"""A page that journals its input, in a Chromium without a display."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from agent.environments.headless import HeadlessBrowser
from vision.cdp import CdpPage
from vision.geometry import Size

PAGE = Path(__file__).with_name("journal_page.html")


class Journalist(BaseHTTPRequestHandler):
    """Serves the page, and appends what it sends to the journal."""

    def __init__(self, journal: Path, *arguments: Any) -> None:
        self.journal = journal
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self.answer(PAGE.read_bytes())

    def do_POST(self) -> None:
        with self.journal.open("ab") as file:
            file.write(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(b"")

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


@contextmanager
def journalling_server(journal: Path) -> Iterator[str]:
    """The address of the page; what it receives is appended to the file."""
    journal.touch()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Journalist, journal)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@dataclass(frozen=True)
class PageStage:
    """The page, and the file that it writes.

    Attributes:
        address: of the browser's DevTools.
        url: of the page.
        page: a connection of the tests' own.
        journal: the file that the page writes.
    """

    address: str
    url: str
    page: CdpPage
    journal: Path

    def received(self) -> list[dict[str, Any]]:
        """What the page received since the last call; everything sent before is in it."""
        assert self.page.evaluate("flush()")
        events = [json.loads(line) for line in self.journal.read_text().splitlines()]
        self.journal.write_text("")
        return [event for event in events if event["event"] not in ("ready", "flush")]


@contextmanager
def open_page_stage(folder: Path, size: Size, scale: float = 1.0) -> Iterator[PageStage]:
    journal = folder / "page.jsonl"
    with (
        journalling_server(journal) as url,
        HeadlessBrowser() as browser,
        CdpPage(browser.address, size, scale) as page,
    ):
        page.navigate(url)
        stage = PageStage(browser.address, url, page, journal)
        stage.received()
        yield stage
