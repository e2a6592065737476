"""WebSockets are checked before they are accepted, with the guard that the server uses."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi import FastAPI, WebSocket
from starlette.middleware import Middleware
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from server import errors
from server.access import Access, require
from server.app import MESSAGE, bind, listening
from server.audit import Audit
from server.journal import Journal
from server.metrics import Metrics
from server.security import SUBPROTOCOL, TOKEN_PROTOCOL, Guard
from server.settings import Settings
from tests.server.conftest import TOKEN

SETTINGS = Settings(port=0)


def echo() -> FastAPI:
    app = FastAPI(
        middleware=[
            Middleware(Journal, metrics=Metrics(), audit=Audit(None)),
            Middleware(Guard, tokens=TOKEN, settings=SETTINGS),
        ]
    )
    errors.install(app)

    @app.websocket("/echo", dependencies=[require(Access.CONTROL)])
    async def endpoint(socket: WebSocket) -> None:
        await socket.accept(SUBPROTOCOL)
        async for text in socket.iter_text():
            await socket.send_text(f"{socket.scope['state']['token']} says {text}")

    return app


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with bind(SETTINGS) as listener:
        server = uvicorn.Server(listening(echo(), SETTINGS))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def offers(token: str) -> list[str]:
    return [SUBPROTOCOL, TOKEN_PROTOCOL + token]


def refused(
    port: int, path: str = "/echo", host: str = "127.0.0.1", **options: object
) -> tuple[int, str]:
    """Status and kind of error of an answer to the handshake that is no WebSocket."""
    url = f"ws://{host}:{port}{path}"
    with pytest.raises(InvalidStatus) as caught:
        connect(url, address=("127.0.0.1", port), **options)  # type: ignore[arg-type]
    body = errors.ErrorBody.model_validate_json(caught.value.response.body or b"")
    return caught.value.response.status_code, body.error.type


@pytest.mark.parametrize("name", ["all", "control"])
def test_a_token_among_the_subprotocols_opens_it(port: int, name: str) -> None:
    url = f"ws://127.0.0.1:{port}/echo"
    with connect(url, subprotocols=offers(TOKEN.named(name))) as socket:  # type: ignore[arg-type]
        assert socket.subprotocol == SUBPROTOCOL
        assert socket.response is not None
        assert TOKEN.named(name) not in str(socket.response.headers)
        socket.send("hello")
        assert socket.recv() == f"{name} says hello"


@pytest.mark.parametrize(
    "protocols",
    [
        None,
        [SUBPROTOCOL],
        offers("x" * 43),
        offers(""),
        offers(TOKEN.secret)[1:],
        [*offers(TOKEN.secret), TOKEN_PROTOCOL + "x"],
        [SUBPROTOCOL, TOKEN.secret],
    ],
)
def test_without_the_token_it_never_opens(port: int, protocols: list[str] | None) -> None:
    assert refused(port, subprotocols=protocols) == (401, "authentication_error")


def test_the_token_is_taken_from_nowhere_else(port: int) -> None:
    header = {"Authorization": f"Bearer {TOKEN.secret}", "Cookie": f"token={TOKEN.secret}"}
    path = f"/echo?token={TOKEN.secret}"
    assert refused(port, path, additional_headers=header) == (401, "authentication_error")


@pytest.mark.parametrize("name", ["infer", "watch"])
def test_a_token_of_another_scope_never_opens_it(port: int, name: str) -> None:
    assert refused(port, subprotocols=offers(TOKEN.named(name))) == (403, "permission_error")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://localhost:{port}", "null", "https://127.0.0.1:{port}"]
)
def test_a_page_of_another_origin_never_opens_it(port: int, origin: str) -> None:
    options = {"subprotocols": offers(TOKEN.secret), "origin": origin.format(port=port)}
    assert refused(port, **options) == (403, "permission_error")


def test_our_own_page_opens_it(port: int) -> None:
    own = f"http://127.0.0.1:{port}"
    with connect(
        f"ws://127.0.0.1:{port}/echo",
        subprotocols=offers(TOKEN.secret),  # type: ignore[arg-type]
        origin=own,  # type: ignore[arg-type]
    ) as socket:
        socket.send("x")
        assert socket.recv() == "all says x"


def test_a_foreign_host_never_opens_it(port: int) -> None:
    status, _ = refused(port, host="evil.example", subprotocols=offers(TOKEN.secret))
    assert status == 421


def test_a_huge_message_ends_the_connection(port: int) -> None:
    url = f"ws://127.0.0.1:{port}/echo"
    with connect(url, subprotocols=offers(TOKEN.secret)) as socket:  # type: ignore[arg-type]
        assert socket.protocol.extensions == []  # no compression, so no bombs
        socket.send("x" * (MESSAGE + 1))
        with pytest.raises(ConnectionClosedError) as caught:
            socket.recv()
        assert caught.value.rcvd is not None and caught.value.rcvd.code == 1009


def test_no_log_holds_the_token(port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    url = f"ws://127.0.0.1:{port}/echo?q={TOKEN.secret}"
    with connect(url, subprotocols=offers(TOKEN.secret)):  # type: ignore[arg-type]
        pass
    assert refused(port, f"/echo?token={TOKEN.secret}")[0] == 401
    ours = [record.getMessage() for record in caplog.records if record.name != "websockets.client"]
    assert any("WEBSOCKET - 401" in line or "WEBSOCKET /echo" in line for line in ours)
    assert not [line for line in ours if TOKEN.secret in line]
