"""Who may talk to the server. The named attacks are those of rivals' published advisories."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import stat
from pathlib import Path

import pytest

from agent.policies.base import Decision, Observation
from server.access import GRANTS
from server.settings import Settings, SettingsError
from server.tokens import Tokens
from tests.server.conftest import (
    TOKEN,
    Door,
    Open,
    ScriptedPolicy,
    picture,
)

ROUTES = [
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/scripted-model"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/act"),
    ("GET", "/openapi.json"),
    ("GET", "/metrics"),
    ("GET", "/no/such/path"),
    ("OPTIONS", "/v1/act"),
]
BEARER = {"Authorization": f"Bearer {TOKEN.secret}"}


def raw(door: Door, request: str, body: bytes = b"") -> bytes:
    """What the server says to exactly these bytes, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as wire:
        wire.sendall(request.replace("\n", "\r\n").encode("latin-1") + body)
        received = bytearray()
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while piece := wire.recv(65536):
                received += piece
        return bytes(received)


def get(door: Door, *lines: str, path: str = "/v1/models", version: str = "1.1") -> int:
    """The status for a GET with exactly these header lines."""
    head = "\n".join((f"GET {path} HTTP/{version}", *lines, "Connection: close", "", ""))
    return int(raw(door, head).split(b" ")[1])


# The token


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_wants_the_token_on_loopback_too(door: Door, method: str, path: str) -> None:
    answer = door.bare.request(method, path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN.secret[:-1]}",
        f"Bearer {TOKEN.secret}x",
        f"Bearer {TOKEN.secret.upper()}",
        f"Basic {TOKEN.secret}",
        TOKEN.secret,
        f"Bearer Bearer {TOKEN.secret}",
        "Bearer é",
    ],
)
def test_a_wrong_token_is_refused(door: Door, value: str) -> None:
    assert get(door, f"Host: localhost:{door.port}", f"Authorization: {value}") == 401


def test_two_tokens_are_refused(door: Door) -> None:
    line = f"Authorization: Bearer {TOKEN.secret}"
    assert get(door, f"Host: localhost:{door.port}", line, line) == 401


def test_the_token_is_not_taken_from_query_or_cookie(door: Door) -> None:
    names = ("token", "access_token", "api_key", "key")
    for name in names:
        assert door.bare.get(f"/v1/models?{name}={TOKEN.secret}").status_code == 401
        cookie = {"Cookie": f"{name}={TOKEN.secret}"}
        assert door.bare.get("/v1/models", headers=cookie).status_code == 401


def test_no_cookie_is_ever_set(door: Door) -> None:
    assert "set-cookie" not in door.http.get("/v1/models").headers


def test_the_token_is_checked_before_the_body_is_read(door: Door) -> None:
    head = (
        f"POST /v1/act HTTP/1.1\nHost: 127.0.0.1:{door.port}\nContent-Type: application/json\n"
        "Content-Length: 1000000\nExpect: 100-continue\n\n"
    )
    said_first = raw(door, head)
    assert said_first.startswith(b"HTTP/1.1 401")
    assert b"100 Continue" not in said_first


def test_generated_tokens_have_256_bits_and_files_for_our_eyes_only(tmp_path: Path) -> None:
    first, second = (Tokens.obtain({"XDG_RUNTIME_DIR": str(tmp_path)}) for _ in range(2))
    assert first.folder is not None and first.folder.parent == tmp_path
    assert stat.S_IMODE(first.folder.stat().st_mode) == 0o700
    for name in GRANTS:
        file = first.folder / name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_text().strip() == first.named(name)
        assert len(first.named(name)) == 43
        assert first.named(name) not in repr(first)
    both = {tokens.named(name) for tokens in (first, second) for name in GRANTS}
    assert len(both) == 2 * len(GRANTS)
    first.forget()
    first.forget()
    assert not first.folder.exists()
    second.forget()


def test_a_token_from_the_environment_is_written_nowhere(tmp_path: Path) -> None:
    tokens = Tokens.obtain({"EYEHAND_TOKEN": "a" * 64, "XDG_RUNTIME_DIR": str(tmp_path)})
    assert tokens.secret == "a" * 64 and tokens.folder is not None
    written = {file.name: file.read_text().strip() for file in tokens.folder.iterdir()}
    assert set(written) == set(GRANTS) - {"all"}
    assert tokens.secret not in written.values()
    # The next start derives the same ones, so clients may keep them.
    assert written["infer"] == Tokens("a" * 64).named("infer")
    tokens.forget()


@pytest.mark.parametrize(
    "weak", ["secret", "a" * 42, "a" * 42 + " ", "a" * 42 + "é", "a" * 42 + ","]
)
def test_a_weak_token_is_refused_without_being_shown(weak: str) -> None:
    with pytest.raises(SettingsError, match="openssl rand -hex 32") as caught:
        Tokens.obtain({"EYEHAND_TOKEN": weak})
    assert weak not in str(caught.value)


# Scopes: what the client declares changes nothing (CVE-2026-25253 trusted it)


@pytest.mark.parametrize(
    ("name", "act", "models", "health"),
    [("all", 200, 200, 200), ("infer", 200, 200, 200), ("watch", 403, 403, 200),
     ("control", 403, 403, 200)],
)  # fmt: skip
def test_a_token_opens_only_its_scope(
    door: Door, name: str, act: int, models: int, health: int
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN.named(name)}", "X-Scope": "infer", "Scope": "all"}
    body = {"instruction": "x", "screenshot": picture(40, 40), "scope": "all", "scopes": ["infer"]}
    answers = (
        door.bare.post("/v1/act?scope=infer", json=body, headers=headers),
        door.bare.get("/v1/models", headers=headers),
        door.bare.get("/healthz", headers=headers),
    )
    assert [answer.status_code for answer in answers] == [act, models, health]
    if act == 403:
        error = answers[0].json()["error"]
        assert error["type"] == "permission_error" and "infer" in error["message"]


def test_every_route_but_the_operations_wants_a_scope(door: Door) -> None:
    def forbidden(path: str, method: str) -> set[str]:
        narrow = {name: {"Authorization": f"Bearer {TOKEN.named(name)}"} for name in GRANTS}
        asked = {n: door.bare.request(method, path, headers=h, json={}) for n, h in narrow.items()}
        return {name for name, answer in asked.items() if answer.status_code == 403}

    paths = door.http.get("/openapi.json").json()["paths"]
    closed = {path: forbidden(path, method) for path, each in paths.items() for method in each}
    assert {path for path, names in closed.items() if not names} == {
        "/healthz",
        "/readyz",
        "/metrics",
    }
    assert closed["/v1/act"] == {"watch", "control"}


def test_a_token_may_not_ask_more_often_than_the_rate(open_door: Open) -> None:
    door = open_door(settings=Settings(port=0, rate=0.1, burst=2))
    statuses = [door.http.get("/healthz").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    refused = door.http.get("/healthz")
    assert 1 <= int(refused.headers["retry-after"]) <= 10
    assert refused.json()["error"]["type"] == "rate_limit_error"
    # Another token has its own, and a wrong one uses up nobody's.
    other = {"Authorization": f"Bearer {TOKEN.named('infer')}"}
    assert [door.bare.get("/healthz").status_code for _ in range(5)] == [401] * 5
    assert door.bare.get("/healthz", headers=other).status_code == 200


# The Host: DNS rebinding (CVE-2025-9611, CVE-2026-11624)


def test_loopback_names_with_the_right_port_are_served(door: Door) -> None:
    line = f"Authorization: Bearer {TOKEN.secret}"
    for name in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
        assert get(door, f"Host: {name}:{door.port}", line) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "localhost",
        "127.0.0.1:1",
        "127.0.0.1:{port}.evil.example",
        "127.0.0.1.evil.example:{port}",
        "evil@127.0.0.1:{port}",
        "0.0.0.0:{port}",
        "127.0.0.1:{port},evil.example",
    ],
)
def test_a_foreign_host_is_refused_even_with_the_token(door: Door, host: str) -> None:
    line = f"Authorization: Bearer {TOKEN.secret}"
    assert get(door, f"Host: {host.format(port=door.port)}", line) == 421


def test_an_empty_or_absent_host_is_refused(door: Door) -> None:
    line = f"Authorization: Bearer {TOKEN.secret}"
    assert get(door, "Host:", line) == 400
    assert get(door, line) == 400
    assert get(door, line, version="1.0") == 400


def test_two_hosts_are_refused(door: Door) -> None:
    host = f"Host: 127.0.0.1:{door.port}"
    line = f"Authorization: Bearer {TOKEN.secret}"
    assert get(door, host, "Host: evil.example", line) == 400


def test_forwarded_headers_change_nothing(door: Door) -> None:
    lines = (f"Authorization: Bearer {TOKEN.secret}", f"X-Forwarded-Host: 127.0.0.1:{door.port}")
    assert get(door, "Host: evil.example", *lines) == 421


def test_more_hosts_can_be_allowed(open_door: Open) -> None:
    door = open_door(settings=Settings(port=0, hosts=("Agent.example", "agent.example:8443")))
    for host in ("agent.example", "AGENT.example:8443"):
        assert door.http.get("/v1/models", headers={"Host": host}).status_code == 200
    answer = door.http.get("/v1/models", headers={"Host": "agent.example:1"})
    assert answer.status_code == 421


# Origin and site: pages, the agent's own browser on loopback included (AutoJack)


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://localhost:1",
        "http://localhost",
        "https://127.0.0.1:{port}",
        "http://localhost:{port}",
        "file://",
        "chrome-extension://abc",
    ],
)
def test_a_page_of_another_origin_is_refused_even_with_the_token(door: Door, origin: str) -> None:
    headers = {"Origin": origin.format(port=door.port)}
    assert door.http.get("/v1/models", headers=headers).status_code == 403


def test_our_own_pages_are_allowed_but_need_the_token(door: Door) -> None:
    headers = {"Origin": door.url, "Sec-Fetch-Site": "same-origin"}
    assert door.http.get("/v1/models", headers=headers).status_code == 200
    assert door.bare.get("/v1/models", headers=headers).status_code == 401


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "x"])
def test_another_site_is_refused(door: Door, site: str) -> None:
    answer = door.http.get("/v1/models", headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403


def test_an_address_that_a_person_typed_still_needs_the_token(door: Door) -> None:
    assert door.bare.get("/v1/models", headers={"Sec-Fetch-Site": "none"}).status_code == 401


def test_there_are_no_cors_headers(door: Door) -> None:
    preflight = {
        "Origin": "http://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
        "Access-Control-Request-Private-Network": "true",
    }
    answers = [
        door.bare.options("/v1/act", headers=preflight),
        door.http.options("/v1/act", headers=preflight),
        door.http.get("/v1/models"),
    ]
    assert [answer.status_code for answer in answers[:2]] == [403, 403]
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control")]


# Content type: what a form or an image tag could send


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/jsonx",
        "text/plain; application/json",
    ],
)
def test_only_json_is_read(door: Door, kind: str) -> None:
    answer = door.http.post("/v1/act", content=b"{}", headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_json_with_a_charset_is_read(door: Door) -> None:
    kind = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert door.http.post("/v1/act", content=b"{}", headers=kind).status_code == 400


def test_a_compressed_body_is_refused(door: Door) -> None:
    answer = door.http.post("/v1/act", json={}, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415


def test_a_websocket_is_refused_before_it_opens(door: Door) -> None:
    lines = (
        f"Host: 127.0.0.1:{door.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    )
    head = "\n".join(("GET /v1/models HTTP/1.1", *lines, "", ""))
    assert raw(door, head).startswith(b"HTTP/1.1 401")


# What the server tells


def test_unknown_paths_and_methods_answer_in_the_error_form(door: Door) -> None:
    missing = door.http.get("/no/such/path")
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "not_found_error")
    wrong = door.http.delete("/v1/act")
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (405, "method_not_allowed_error")


@pytest.mark.parametrize("request_", ["nonsense\n\n", "GET / HTTP/1.1\nHost: a\nHost: b\n\n"])
def test_what_is_no_http_is_answered_in_the_error_form(door: Door, request_: str) -> None:
    head, _, body = raw(door, request_).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


def test_logs_hold_neither_token_nor_typed_text(
    open_door: Open, caplog: pytest.LogCaptureFixture
) -> None:
    def fault(observation: Observation) -> Decision:
        raise RuntimeError(f"cannot type {observation.instruction}")

    caplog.set_level(logging.DEBUG)
    door = open_door(ScriptedPolicy(fault))
    answer = door.act(instruction="my password is hunter2")
    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "server_error"
    door.bare.get(f"/v1/models?token={TOKEN.secret}")
    door.http.get(f"/{TOKEN.secret}")
    door.http.post("/v1/act", json={"instruction": ["hunter2"]})
    server = [record for record in caplog.records if not record.name.startswith("httpcore")]
    lines = [record.getMessage() for record in server if not record.name.startswith("httpx")]
    assert any("POST /v1/act 500" in line for line in lines)
    assert any("RuntimeError in" in line and "test_security" in line for line in lines)
    assert not [line for line in lines if "hunter2" in line or TOKEN.secret in line]
    assert all(record.exc_info is None for record in server)


# The address


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])  # noqa: S104
def test_an_address_that_others_reach_needs_tls_or_a_flag(host: str) -> None:
    with pytest.raises(SettingsError, match="clear text"):
        Settings(host=host)
    assert Settings(host=host, insecure=True).host == host
    assert Settings(host=host, certificate=Path("c.pem"), key=Path("k.pem")).tls


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(SettingsError, match="key"):
        Settings(certificate=Path("c.pem"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_addresses_need_no_flag(host: str) -> None:
    assert Settings(host=host).loopback


def test_the_default_address_is_loopback() -> None:
    assert Settings().loopback


def test_binding_every_address_does_not_allow_every_host(open_door: Open) -> None:
    settings = Settings(host="0.0.0.0", port=0, insecure=True)  # noqa: S104
    door = open_door(settings=settings)
    assert door.http.get("/v1/models").status_code == 200
    foreign = {"Host": f"0.0.0.0:{door.port}"}
    assert door.http.get("/v1/models", headers=foreign).status_code == 421
