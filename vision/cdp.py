"""One page of a running Chromium, reached through the Chrome DevTools Protocol.

The connection goes to the browser, not to the page: what a page opens (a pop-up, a link with a
target of its own) can then be followed, and the way back is known when it is closed.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count
from threading import RLock, Thread
from types import TracebackType
from typing import Any

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from vision.geometry import Size

ANSWER_SECONDS = 15.0
"""A page that needs longer to handle one event hangs."""

Answer = Future[dict[str, Any]]

Command = tuple[str, Mapping[str, Any]]
"""A method of the protocol and its parameters."""


class CdpError(OSError):
    """The browser or its page cannot be reached, has gone, or refused a command."""


class CdpRefusal(CdpError):
    """The page did not do what it was told; it may later, when it is loading just now."""


class _ClosedError(CdpError):
    """The page was closed before it answered."""


@dataclass(frozen=True)
class _Tab:
    """One page that was attached to: its target, and the session that commands it."""

    target: str
    session: str


class CdpPage:
    """The page that a user would see in front, alive inside a `with` block or until `close`.

    A page that the current one opens takes its place; when it is closed, the one before is current
    again. Dialogs of page scripts cannot be seen in a picture of the page, so they are answered at
    once: alerts and "leave this page?" with yes, questions with no. Thread-safe.

    Args:
        address: of the DevTools server, such as "http://127.0.0.1:9222", or its WebSocket URL.
        viewport: give the page this size in CSS pixels, whatever its window; None leaves it alone.
        scale: device pixels per CSS pixel; only with a viewport.

    Attributes:
        socket_url: the WebSocket URL of the browser.
        viewport: as given.
        patience: seconds to wait for each answer; a page that needs longer hangs.

    Raises:
        CdpError: nothing answers there, or no page is open.
    """

    def __init__(self, address: str, viewport: Size | None = None, scale: float = 1.0) -> None:
        self.viewport, self._scale = viewport, scale
        self.patience = ANSWER_SECONDS
        self._following = RLock()
        self._numbers = count(1)
        self._awaited: dict[int, tuple[str | None, Answer]] = {}
        self._tabs: list[_Tab] = []
        self._opened: list[str] = []
        with ExitStack() as held:
            try:
                self.socket_url = _socket_of(address)
                self._socket = held.enter_context(
                    connect(self.socket_url, max_size=None, compression=None)
                )
            except (OSError, WebSocketException) as error:
                raise CdpError(
                    f"expected Chromium's DevTools at {address}, actually: {error}; start it with "
                    "--remote-debugging-port=9222"
                ) from error
            reader = Thread(target=self._read, name="eyehand-cdp", daemon=True)
            reader.start()
            held.callback(reader.join)
            held.callback(self._socket.close)
            self._attach(self._front_page())
            self._command("Target.setDiscoverTargets", {"discover": True}, None)
            self._held = held.pop_all()

    @property
    def target(self) -> str:
        """The id of the page in front.

        Raises:
            CdpError: there is none any more.
        """
        return self._front().target

    def title_and_url(self) -> tuple[str, str]:
        """Of the page in front, also while that is busy.

        Raises:
            CdpError: there is none any more.
        """
        about = self._command("Target.getTargetInfo", {"targetId": self.target}, None)
        return about["targetInfo"]["title"], about["targetInfo"]["url"]

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Command the page, and wait for its answer.

        Raises:
            CdpError: the page or the browser has gone, refuses, or does not answer in time.
        """
        while True:
            with suppress(_ClosedError):  # then there is another one in front
                return self._command(method, params, self._front().session)

    def call_all(
        self, commands: Iterable[Command], ahead: int = 100, patience: float | None = None
    ) -> None:
        """Send commands without waiting for each, and then until all of them are answered.

        Args:
            commands: may raise to break off.
            ahead: so many may be unanswered before the next one is sent.
            patience: seconds to wait for an answer; None means `self.patience`.

        Raises:
            CdpError: as `call`; those that were sent may have been carried out.
        """
        session, patience = self._front().session, patience or self.patience
        underway: deque[Answer] = deque()
        for method, params in commands:
            underway.append(self._send(method, params, session))
            while len(underway) > ahead:
                _result(underway.popleft(), patience)
        with suppress(_ClosedError):  # by what we sent, as a click on "OK" may
            for answer in underway:
                _result(answer, patience)

    def navigate(self, url: str) -> None:
        """Open another address in the page, and wait until it has loaded.

        Raises:
            CdpError: it cannot be opened.
        """
        answer = self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise CdpError(f"{url} cannot be opened: {answer['errorText']}")
        self.wait_until_loaded()

    def wait_until_loaded(self) -> None:
        """Wait until the page has loaded, or has had time enough for it."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            with suppress(CdpRefusal):
                if self.evaluate("document.readyState") == "complete":
                    return
            time.sleep(0.01)

    def evaluate(self, expression: str) -> Any:
        """The value, as JSON has it, of an expression in the page; a promise is awaited.

        Raises:
            CdpError: it throws.
        """
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise CdpError(f"the page throws: {answer['exceptionDetails'].get('text')}")
        return answer["result"].get("value")

    def close(self) -> None:
        """Let go of the browser, which stays as it is. Safe to repeat."""
        self._held.close()

    def __enter__(self) -> CdpPage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _front(self) -> _Tab:
        """The page in front, which the current one may have opened just now."""
        with self._following:
            while self._opened:
                self._attach(self._opened.pop(0))
            if not self._tabs:
                raise CdpError("the page is gone: it was closed; open another one")
            return self._tabs[-1]

    def _front_page(self) -> str:
        """The target of the page that was used last."""
        targets = self._command("Target.getTargets", {}, None)["targetInfos"]
        pages = [target["targetId"] for target in targets if target["type"] == "page"]
        if not pages:
            raise CdpError("expected an open page in the browser, actually there is none; open one")
        return str(pages[0])

    def _attach(self, target: str) -> None:
        params = {"targetId": target, "flatten": True}
        session = str(self._command("Target.attachToTarget", params, None)["sessionId"])
        self._tabs.append(_Tab(target, session))
        self._command("Page.enable", {}, session)
        self._command("Page.bringToFront", {}, session)
        if self.viewport is not None:
            width, height = map(int, self.viewport)
            size = {"width": width, "height": height}
            metrics = {**size, "deviceScaleFactor": self._scale, "mobile": False}
            self._command("Emulation.setDeviceMetricsOverride", metrics, session)

    def _command(
        self, method: str, params: Mapping[str, Any], session: str | None
    ) -> dict[str, Any]:
        return _result(self._send(method, params, session), self.patience)

    def _send(self, method: str, params: Mapping[str, Any], session: str | None) -> Answer:
        """Send a command; its answer."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        answer = Answer()
        self._awaited[number] = session, answer
        try:
            self._socket.send(json.dumps(message))
        except (OSError, WebSocketException) as error:
            raise _lost(error) from error
        return answer

    def _read(self) -> None:
        """Pass on what the browser says, until it is gone; on a thread of its own."""
        try:
            while True:
                message = json.loads(self._socket.recv())
                if "method" in message:
                    self._hear(message["method"], message["params"], message.get("sessionId"))
                else:
                    self._pass_on(message)
        except (OSError, WebSocketException) as error:
            for _, answer in list(self._awaited.values()):
                answer.set_exception(_lost(error))

    def _pass_on(self, message: dict[str, Any]) -> None:
        """Hand an answer to whoever waits for it, unless that was called off."""
        _, answer = self._awaited.pop(message["id"], (None, Answer()))
        if "error" in message:
            answer.set_exception(CdpRefusal(f"the page refuses: {message['error']['message']}"))
        else:
            answer.set_result(message["result"])

    def _hear(self, event: str, params: dict[str, Any], session: str | None) -> None:
        """Take notice of an event."""
        match event:
            case "Page.javascriptDialogOpening":
                accept = {"accept": params["type"] in ("alert", "beforeunload")}
                self._send("Page.handleJavaScriptDialog", accept, session)
            case "Target.targetCreated":
                info = params["targetInfo"]
                if info["type"] == "page" and info.get("openerId") in self._targets:
                    self._opened.append(info["targetId"])
            case "Target.targetDestroyed" | "Target.targetCrashed":
                self._forget(params["targetId"])

    def _forget(self, target: str) -> None:
        """A page was closed: nothing will answer for it any more."""
        gone = {tab.session for tab in self._tabs if tab.target == target}
        self._tabs = [tab for tab in self._tabs if tab.target != target]
        self._opened = [opened for opened in self._opened if opened != target]
        for number, (session, answer) in list(self._awaited.items()):
            if session in gone:
                del self._awaited[number]
                answer.set_exception(_ClosedError("the page was closed"))

    @property
    def _targets(self) -> set[str]:
        return {tab.target for tab in self._tabs}


def _socket_of(address: str) -> str:
    """The WebSocket URL of the browser itself.

    Raises:
        OSError: nothing answers there.
    """
    if address.startswith(("ws://", "wss://")):
        return address
    try:
        answer = httpx.get(f"{address.rstrip('/')}/json/version", timeout=ANSWER_SECONDS)
        return str(answer.raise_for_status().json()["webSocketDebuggerUrl"])
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError) as error:
        raise OSError(str(error) or type(error).__name__) from error


def _result(answer: Answer, seconds: float) -> dict[str, Any]:
    try:
        return answer.result(seconds)
    except TimeoutError as error:
        raise CdpError(f"the page does not answer for {seconds:g} s; reload or close it") from error


def _lost(error: Exception) -> CdpError:
    return CdpError(f"the browser is gone: {error}; start it again")
