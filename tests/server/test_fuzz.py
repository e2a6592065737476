"""The API against its own document (schemathesis), and bodies that only look like a chat."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from server.errors import ErrorBody
from tests.server.conftest import TOKEN, Door, picture

BEARER = {"Authorization": f"Bearer {TOKEN.secret}"}
FEW = settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]


PATHS = [
    "/v1/act",
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/responses/{response_id}",
    "/v1/models",
    "/v1/models/{name}",
    "/v1/sessions",
    "/v1/sessions/{name}",
    "/v1/sessions/{name}/screenshot",
    "/v1/sessions/{name}/lease",
    "/v1/sessions/{name}/run",
    "/v1/sessions/{name}/pause",
    "/v1/sessions/{name}/resume",
    "/v1/sessions/{name}/step",
    "/v1/sessions/{name}/supervise",
    "/v1/sessions/{name}/approve",
    "/v1/sessions/{name}/deny",
    "/v1/sessions/{name}/take-over",
    "/v1/sessions/{name}/hand-back",
    "/v1/sessions/{name}/input",
    "/v1/sessions/{name}/stop",
    "/v1/episodes",
    "/v1/episodes/{name}",
    "/v1/episodes/{name}/steps/{index}/picture",
    "/healthz",
    "/readyz",
    "/metrics",
]
LEFT_OUT = {("/v1/sessions", "POST")}
"""Every valid body starts a real display."""


@pytest.fixture(scope="session")
def document(door: Door) -> Any:
    return schemathesis.openapi.from_url(f"{door.url}/openapi.json", headers=BEARER)


@pytest.mark.parametrize("path", PATHS)
def test_an_operation_keeps_to_the_document(document: Any, path: str) -> None:
    for method in document[path]:
        if (path, method.upper()) in LEFT_OUT:
            continue
        strategy = document[path][method].as_strategy()

        @given(strategy)
        @FEW
        def keeps(case: Any) -> None:
            case.call_and_validate(headers=BEARER, checks=CHECKS)

        keeps()


def test_every_operation_is_tried(door: Door) -> None:
    assert set(door.http.get("/openapi.json").json()["paths"]) == set(PATHS)


PIECES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["user", "system", "text", "image_url", "data:image/png;base64,", "\ud800"])
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "image_url", "url", "x"]), inner
        )
    ),
    max_leaves=12,
)
GOOD = {"type": "image_url", "image_url": {"url": picture(40, 30)}}
PARTS = st.sampled_from([GOOD, {"type": "text", "text": "hi"}]) | PIECES
MESSAGES = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant", "system", "tool", "developer"]) | PIECES,
        "content": st.lists(PARTS, max_size=3) | PIECES,
    }
)
BODIES = st.fixed_dictionaries(
    {"messages": st.lists(MESSAGES, max_size=4) | PIECES},
    optional={
        "max_tokens": st.integers() | PIECES,
        "stop": st.lists(st.text(max_size=3), max_size=3) | PIECES,
        "seed": st.integers() | PIECES,
        "temperature": st.floats() | PIECES,
        "stream": st.booleans() | PIECES,
        "stream_options": PIECES,
        "n": st.integers() | PIECES,
    },
)


@given(BODIES)
@settings(FEW, max_examples=80)
def test_any_chat_body_is_answered_or_refused_in_the_error_form(door: Door, body: Any) -> None:
    kind = {"Content-Type": "application/json"}
    answer = door.http.post("/v1/chat/completions", content=json.dumps(body), headers=kind)
    assert answer.status_code in (200, 400, 413)
    if answer.status_code != 200:
        error = ErrorBody.model_validate_json(answer.content).error
        assert error.type in ("invalid_request_error", "request_too_large_error")
    assert door.http.get("/healthz").status_code == 200
