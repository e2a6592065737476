"""Who may talk to the server. The named attacks are those of rivals' published advisories."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from agent.policies.base import Decision, Observation
from server.settings import Settings, SettingsError
from tests.server.conftest import (
    TOKEN,
    Door,
    Open,
    ScriptedPolicy,
)
from tests.server.wire import get, raw

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
