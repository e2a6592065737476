"""What whoever runs the server can ask it."""

from __future__ import annotations

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.server.conftest import TOKEN, Door, Open, picture, said, shown


def samples(door: Door) -> dict[tuple[str, ...], float]:
    """Name and label values -> value."""
    families = text_string_to_metric_families(door.http.get("/metrics").text)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_health_and_readiness(door: Door) -> None:
    assert door.http.get("/healthz").json() == {"status": "ok"}
    ready = {"status": "ready", "model": "scripted-model", "waiting": 0, "room": 3}
    assert door.http.get("/readyz").json() == ready


def test_requests_and_tokens_are_counted(open_door: Open) -> None:
    door = open_door()
    door.act()
    door.act(instruction="")
    door.chat(said("user", "x"), shown(picture(40, 30)))
    door.bare.post("/v1/act", json={})
    door.http.get(f"/{TOKEN.secret}")
    counted = samples(door)
    assert counted["eyehand_requests_total", "POST", "/v1/act", "200"] == 1
    assert counted["eyehand_requests_total", "POST", "/v1/act", "400"] == 1
    assert counted["eyehand_requests_total", "POST", "-", "401"] == 1
    assert counted["eyehand_requests_total", "GET", "-", "404"] == 1
    assert counted["eyehand_tokens_total", "prompt"] == 600
    assert counted["eyehand_tokens_total", "cached"] == 400
    assert counted["eyehand_tokens_total", "completion"] == 40
    assert counted["eyehand_queue_requests",] == 0
    assert counted["eyehand_request_seconds_count", "/v1/act"] == 2
    assert TOKEN.secret not in door.http.get("/metrics").text


@pytest.mark.parametrize("path", ["/v1/act", "/v1/chat/completions", "/v1/models", "/readyz"])
def test_the_api_describes_itself(door: Door, path: str) -> None:
    document = door.http.get("/openapi.json").json()
    (operation,) = document["paths"][path].values()
    assert "default" in operation["responses"]
    assert "ErrorBody" in json.dumps(operation["responses"]["default"])
