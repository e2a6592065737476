"""The token: it is always needed, comes from one place only, and opens no more than its scope."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from server.access import GRANTS
from server.settings import Settings, SettingsError
from server.tokens import Tokens
from tests.server.conftest import (
    TOKEN,
    Door,
    Open,
    picture,
)
from tests.server.wire import get, raw

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
