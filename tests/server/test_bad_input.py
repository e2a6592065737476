"""The list of bad inputs: a correct status, the API's own error form, and nobody else notices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image

from server.errors import ErrorBody
from tests.server.conftest import TOKEN, Door, data_url, encode, picture, shown
from tests.server.test_images import header_only

TESTS = Path(__file__).parent
LIST = {
    "wrong token": "test_tokens.py::test_a_wrong_token_is_refused",
    "missing token": "test_tokens.py::test_every_route_wants_the_token_on_loopback_too",
    "foreign Host": "test_security.py::test_a_foreign_host_is_refused_even_with_the_token",
    "foreign Origin": "test_security.py::test_a_page_of_another_origin_is_refused_even_with",
    "200 MB body": "test_body.py::test_a_200_mb_body_is_refused_to_a_real_client",
    "PNG bomb": "test_images.py::test_a_bad_screenshot_is_a_400_that_says_what_is_wrong",
    "GIF called PNG": "test_images.py::test_a_bad_screenshot_is_a_400_that_says_what_is_wrong",
    "3-byte image": "test_images.py::test_a_bad_screenshot_is_a_400_that_says_what_is_wrong",
    "invalid base64": "test_images.py::test_a_bad_screenshot_is_a_400_that_says_what_is_wrong",
    "1,000 images": "test_images.py::test_a_thousand_pictures_are_too_many",
    "one byte a second": "test_body.py::test_a_body_that_comes_byte_by_byte_times_out",
    "a WebSocket that never reads": "test_control_watch.py::test_a_websocket_whose_buffers",
    "a lease that expires in a drag": "test_control_lease.py::test_a_lease_that_expires_in_the_mi",
    "two clients that fight": "test_control_lease.py::test_two_clients_fight_for_the_lease_and_one",
    "SIGTERM under load": "test_control_ends.py::test_sigterm_under_load_ends_sessions_and_closes",
}
"""Line of the list -> the beginning of the name of its test."""


@pytest.mark.parametrize("place", LIST.values(), ids=LIST)
def test_every_line_has_its_test(place: str) -> None:
    file, _, name = place.partition("::")
    assert f"\ndef {name}" in (TESTS / file).read_text()


def _act(screenshot: str) -> Callable[[Door], httpx.Response]:
    return lambda door: door.act(screenshot=screenshot)


def _with(**headers: str) -> Callable[[Door], httpx.Response]:
    token = {"Authorization": f"Bearer {TOKEN.secret}"}
    return lambda door: door.bare.get("/v1/models", headers=token | headers)


def _large(door: Door) -> httpx.Response:
    header = {"Content-Type": "application/json", "Content-Length": "200000000"}
    return door.http.post("/v1/act", content=iter([b" " * 1_000_000] * 200), headers=header)


def _cut(door: Door) -> httpx.Response:
    header = {"Content-Type": "application/json"}
    return door.http.post("/v1/act", content=b'{"instruction": "x', headers=header)


GIF = data_url(encode(Image.new("RGB", (50, 50)), "GIF"))
SENT: dict[str, tuple[int, Callable[[Door], httpx.Response]]] = {
    "wrong token": (401, _with(Authorization="Bearer " + "x" * 43)),
    "missing token": (401, lambda door: door.bare.get("/v1/models")),
    "foreign Host": (421, _with(Host="evil.example")),
    "foreign Origin": (403, _with(Origin="http://evil.example")),
    "200 MB body": (413, _large),
    "PNG bomb": (400, _act(data_url(header_only(60_000, 60_000)))),
    "GIF called PNG": (400, _act(GIF)),
    "3-byte image": (400, _act(data_url(b"abc"))),
    "invalid base64": (400, _act("data:image/png;base64,###")),
    "1,000 images": (413, lambda door: door.chat(*[shown(picture(28, 28))] * 1000)),
    "cut JSON": (400, _cut),
}


@pytest.mark.parametrize("line", SENT)
def test_it_is_answered_in_the_error_form_and_disturbs_nobody(door: Door, line: str) -> None:
    status, send = SENT[line]
    answer = send(door)
    assert answer.status_code == status
    assert ErrorBody.model_validate_json(answer.content).error.message
    assert door.act().status_code == 200
