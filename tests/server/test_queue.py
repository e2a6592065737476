"""The line in front of the model: its end, and clients that leave it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

from agent.policies.base import Decision, Observation
from server.settings import Settings
from tests.server.conftest import (
    TOKEN,
    Door,
    Open,
    ScriptedChat,
    ScriptedPolicy,
    middle,
    picture,
    said,
    shown,
    wait_for,
)


class Gate:
    """A policy's rule that waits until the test opens it."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.threads: set[int] = set()

    def __call__(self, observation: Observation) -> Decision:
        self.threads.add(threading.get_ident())
        assert self.opened.wait(20)
        return middle(observation)


def waiting(door: Door) -> int:
    answer = door.http.get("/readyz")
    return 3 if answer.status_code == 503 else int(answer.json()["waiting"])


def leave(door: Door, path: str, body: object) -> None:
    """Send a request and go away before the answer."""
    header = {"Authorization": f"Bearer {TOKEN.secret}"}
    with (
        httpx.Client(base_url=door.url, headers=header, timeout=0.3) as client,
        pytest.raises(httpx.ReadTimeout),
    ):
        client.post(path, json=body)


def test_beyond_the_bound_a_request_is_told_when_to_come_back(open_door: Open) -> None:
    gate = Gate()
    policy = ScriptedPolicy(gate)
    door = open_door(policy)
    with ThreadPoolExecutor(3) as pool:
        taken = [pool.submit(door.act) for _ in range(3)]
        wait_for(lambda: waiting(door) == 3)
        refused = door.act()
        with pytest.raises(openai.RateLimitError):
            door.openai.chat.completions.create(model="m", messages=[said("user", "x")])
        ready = door.http.get("/readyz")
        health = door.http.get("/healthz")
        gate.opened.set()
        assert [answer.result().status_code for answer in taken] == [200, 200, 200]
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert (ready.status_code, health.status_code) == (503, 200)
    assert door.act().status_code == 200
    assert len(policy.seen) == 4
    assert len(gate.threads) == 1, "the model belongs to one thread"


def test_the_official_client_retries_after_a_429(open_door: Open) -> None:
    gate = Gate()
    door = open_door(ScriptedPolicy(gate), settings=Settings(port=0, queue=1))
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(door.act)
        wait_for(lambda: len(gate.threads) == 1)
        threading.Timer(0.2, gate.opened.set).start()
        patient = door.openai.with_options(max_retries=3)
        answer = patient.chat.completions.create(model="m", messages=[said("user", "x")])
        assert answer.choices[0].message.content
        assert taken.result().status_code == 200


def test_a_client_that_leaves_frees_its_place(open_door: Open) -> None:
    gate = Gate()
    policy = ScriptedPolicy(gate)
    door = open_door(policy)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(door.act)
        wait_for(lambda: len(policy.seen) == 1)
        leave(door, "/v1/act", {"instruction": "leaving", "screenshot": picture(50, 50)})
        wait_for(lambda: waiting(door) == 1)
        gate.opened.set()
        assert first.result().status_code == 200
    assert door.act(instruction="later").status_code == 200
    assert [seen.instruction for seen in policy.seen] == ["press OK", "later"]


@pytest.mark.parametrize("path", ["/v1/act", "/v1/chat/completions", "/v1/responses"])
def test_the_policy_stops_deciding_for_a_client_that_left(open_door: Open, path: str) -> None:
    ended = threading.Event()
    steps: list[int] = []

    def write(observation: Observation) -> Decision:
        try:
            while True:
                observation.check()
                steps.append(len(steps))
                time.sleep(0.01)
        finally:
            ended.set()

    door = open_door(ScriptedPolicy(write))
    words = {"type": "input_text", "text": "press OK"}
    image = {"type": "input_image", "image_url": picture(50, 50)}
    bodies: dict[str, object] = {
        "/v1/act": {"instruction": "press OK", "screenshot": picture(50, 50)},
        "/v1/chat/completions": {"messages": [shown(picture(50, 50))]},
        "/v1/responses": {
            "input": [{"role": "user", "content": [words, image]}],
            "tools": [{"type": "computer"}],
        },
    }
    leave(door, path, bodies[path])
    assert ended.wait(10)
    assert steps, "it had begun"
    wait_for(lambda: waiting(door) == 0)


@pytest.mark.parametrize("stream", [False, True])
def test_the_model_stops_writing_for_a_client_that_left(open_door: Open, stream: bool) -> None:
    left = threading.Event()

    def wait(piece: str) -> None:
        assert left.wait(20)

    chat = ScriptedChat(pieces=("word ",) * 1_000_000, after=wait)
    door = open_door(chat=chat)
    body = {"messages": [said("user", "x")], "stream": stream}
    if stream:
        with door.http.stream("POST", "/v1/chat/completions", json=body) as answer:
            assert next(answer.iter_lines())
    else:
        leave(door, "/v1/chat/completions", body)
    left.set()
    assert chat.ended.wait(10)
    wait_for(lambda: waiting(door) == 0)
    assert chat.given < len(chat.pieces)


def test_a_model_that_allows_it_answers_several_requests_at_once(open_door: Open) -> None:
    gate = Gate()
    policy, chat = ScriptedPolicy(gate), ScriptedChat()
    policy.parallel = chat.parallel = 2
    door = open_door(policy, chat)
    with ThreadPoolExecutor(3) as pool:
        taken = [pool.submit(door.act) for _ in range(3)]
        wait_for(lambda: len(gate.threads) == 2)
        wait_for(lambda: waiting(door) == 3)
        assert len(policy.seen) == 2
        gate.opened.set()
        assert [answer.result().status_code for answer in taken] == [200, 200, 200]
