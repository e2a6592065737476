"""The published attacks on rivals' servers, each with the test that shows it does not work here."""

from __future__ import annotations

import ast
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from agent.environments.browser import Browser
from agent.environments.display import VirtualDisplay
from agent.policies.base import Decision, Observation
from agent.policies.scripted import ScriptedPolicy as Texts
from server.app import bind
from server.errors import ErrorBody
from server.settings import Settings
from tests.server.conftest import TOKEN, Door, Open, ScriptedPolicy
from tests.server.control_kit import FOREVER, Client, Desks, settings

ROOT = Path(__file__).parents[2]

CLASSES = {
    "CVE-2025-9611, CVE-2026-11624: DNS rebinding": (
        "server/test_security.py::test_a_foreign_host_is_refused_even_with_the_token"
    ),
    "CVE-2026-25253: WebSocket without origin": (
        "server/test_websocket.py::test_a_page_of_another_origin_never_opens_it"
    ),
    "CVE-2026-25593: unauthenticated configuration": (
        "server/test_tokens.py::test_every_route_wants_the_token_on_loopback_too"
    ),
    "CVE-2026-43575: unauthenticated view of the screen": (
        "server/test_websocket.py::test_without_the_token_it_never_opens"
    ),
    "CVE-2026-53821: client-declared scopes": (
        "server/test_tokens.py::test_a_token_opens_only_its_scope"
    ),
    "AutoJack: the agent's own browser": (
        "server/test_attacks.py::test_a_page_in_the_agents_own_browser_reaches_nothing"
    ),
    "GHSA-vfcm-843v-w6v3: an omitted option widens what is allowed": (
        "server/test_attacks.py::test_no_setting_turns_the_token_off"
    ),
    "prefix match of hosts": (
        "server/test_security.py::test_a_foreign_host_is_refused_even_with_the_token"
    ),
    "MSRC (UFO): path traversal via a name": ("server/test_attacks.py::test_no_name_is_a_path"),
    "MSRC (UFO): results injected into another session": (
        "server/test_attacks.py::test_a_lease_opens_its_own_session_only"
    ),
    "UITD: a path check by prefix reads siblings": "server/test_attacks.py::test_no_name_is_a_path",
    "UITD, bytebot: every interface, every origin": (
        "server/test_security.py::test_an_address_that_others_reach_needs_tls_or_a_flag"
    ),
    "midscene: a documented loopback that is none": (
        "server/test_attacks.py::test_the_default_listens_on_loopback_alone"
    ),
    "bytebot: typed text in logs": (
        "server/test_security.py::test_logs_hold_neither_token_nor_typed_text"
    ),
    "OSWorld: a debug console": "server/test_attacks.py::test_a_fault_shows_no_traceback",
    "MagenticLite: an empty Host": (
        "server/test_security.py::test_an_empty_or_absent_host_is_refused"
    ),
    "e2b: a password in the address": (
        "server/test_tokens.py::test_the_token_is_not_taken_from_query_or_cookie"
    ),
    "Anthropic demo: text pasted into a shell": (
        "server/test_attacks.py::test_no_text_can_become_code"
    ),
    "ui-tars, CVE-2026-26030: model text evaluated": (
        "actions/test_dialects_bugs.py::test_p4_nothing_evaluates_text"
    ),
    "ui-tars: content pasted into source": "actions/test_dialects_bugs.py::test_p5_content_is_data",
    "Visual Confused Deputy: the screen changes before the click (TOCTOU)": (
        "actions/test_executor.py::test_a_target_that_changed_is_not_clicked"
    ),
    "prompt injection: a secret typed into a page that asks for it": (
        "server/test_control_seat.py::test_a_secret_reaches_the_keyboard_and_neither_watchers"
    ),
    "browser-use #4763: data:, blob: and other schemes": (
        "server/test_control_ends.py::test_a_senseless_wish_is_refused"
    ),
    "MSRC (UFO): SSRF": "server/test_attacks.py::test_no_address_of_a_request_is_fetched",
    "MSRC (UFO): shell, XXE; eval of model text": (
        "server/test_attacks.py::test_no_text_can_become_code"
    ),
    "UITD #1731: a switch that leaves out authentication": (
        "server/test_attacks.py::test_no_setting_turns_the_token_off"
    ),
}
"""Attack -> the beginning of the name of the test."""


@pytest.mark.parametrize("place", CLASSES.values(), ids=CLASSES)
def test_every_class_has_its_test(place: str) -> None:
    file, _, name = place.partition("::")
    assert f"\ndef {name}" in (ROOT / "tests" / file).read_text()


ATTACK = """async ({url, socket, token}) => {
  const body = JSON.stringify({instruction: 'x', screenshot: 'x'});
  const json = {'Content-Type': 'application/json'};
  const tries = {
    simple: () => fetch(url + '/v1/act', {method: 'POST', mode: 'no-cors', body}),
    json: () => fetch(url + '/v1/act', {method: 'POST', headers: json, body}),
    read: () => fetch(url + '/v1/models').then(r => r.text()),
    known: () => fetch(url + '/v1/models', {headers: {Authorization: 'Bearer ' + token}}),
    cookie: () => fetch(url + '/v1/models', {credentials: 'include'}),
    session: () => fetch(url + '/v1/sessions', {method: 'POST', mode: 'no-cors', body}),
    beacon: async () => navigator.sendBeacon(url + '/v1/sessions', body),
  };
  const ends = {};
  for (const [name, attempt] of Object.entries(tries)) {
    try { const got = await attempt(); ends[name] = String(got.type ?? got); }
    catch (error) { ends[name] = error.name; }
  }
  ends.socket = await new Promise(done => {
    const live = new WebSocket(socket, ['eyehand', 'eyehand.token.' + token]);
    live.onopen = () => done('open');
    live.onerror = () => done('refused');
  });
  return ends;
}"""


@pytest.fixture
def page(tmp_path: Path) -> Iterator[str]:
    """An attacker's page on another port of this machine, as a compromised local site has it."""
    (tmp_path / "index.html").write_text("<title>harmless</title>")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()
        thread.join()


def test_a_page_in_the_agents_own_browser_reaches_nothing(
    open_door: Open, page: str, display: VirtualDisplay, tmp_path: Path
) -> None:
    policy, audit = ScriptedPolicy(), tmp_path / "audit.jsonl"
    door = open_door(policy, settings=Settings(port=0, audit=audit))
    # Even a page that has learnt the token is stopped, by its origin.
    facts = {
        "url": door.url,
        "socket": f"ws://127.0.0.1:{door.port}/v1/live",
        "token": TOKEN.secret,
    }
    with Browser(display) as browser:
        for place in (page, (tmp_path / "index.html").as_uri()):
            browser.call(lambda tab, place=place: tab.goto(place))
            ends = browser.call(lambda tab: tab.evaluate(ATTACK, facts))
            assert ends.pop("simple") == ends.pop("session") == "opaque"  # sent, answered with 403
            assert ends.pop("beacon") == "true"  # sent, answered with 403
            assert ends.pop("socket") == "refused"
            assert set(ends.values()) == {"TypeError"}  # the browser shows the page nothing
    assert policy.seen == []
    assert door.http.get("/v1/sessions").json() in ([], {"sessions": []})
    assert '"status": 403' in audit.read_text() and '"request"' not in audit.read_text()


def test_no_address_of_a_request_is_fetched(door: Door) -> None:
    with socket.create_server(("127.0.0.1", 0)) as bait:
        bait.settimeout(0.3)
        url = f"http://127.0.0.1:{bait.getsockname()[1]}/x.png"
        part = {"type": "image_url", "image_url": {"url": url}}
        item = {"role": "user", "content": [{"type": "input_image", "image_url": url}]}
        answers = [
            door.act(screenshot=url),
            door.chat({"role": "user", "content": [part]}),
            door.http.post("/v1/responses", json={"input": [item]}),
            door.act(screenshot="file:///etc/passwd"),
        ]
        assert [answer.status_code for answer in answers] == [400] * 4
        with pytest.raises(TimeoutError):
            bait.accept()


@pytest.mark.parametrize(
    "settings",
    [
        Settings(port=0),
        Settings(port=0, insecure=True),
        Settings(port=0, host="localhost", insecure=True, hosts=("localhost",)),
    ],
)
def test_no_setting_turns_the_token_off(open_door: Open, settings: Settings) -> None:
    door = open_door(settings=settings)
    assert door.bare.get("/v1/models").status_code == 401
    assert door.bare.post("/v1/sessions", json={}).status_code == 401


@pytest.mark.parametrize("name", ["..", "../x", "/etc/passwd", "run-1/../../runs-2", "x\0"])
def test_no_name_is_a_path(open_door: Open, tmp_path: Path, name: str) -> None:
    runs, sibling = tmp_path / "runs", tmp_path / "runs-2"
    for folder in (runs / "run-1", sibling):
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
    door = open_door(settings=settings(runs), desks=Desks())
    quoted = quote(name, safe="").replace(".", "%2e")  # or the client itself resolves the dots
    for path in (f"/v1/episodes/{quoted}", f"/v1/sessions/{quoted}", f"/console/{quoted}"):
        answer = door.http.get(path)
        assert answer.status_code in (400, 404), path
        assert ErrorBody.model_validate_json(answer.content)
    shown = door.http.get(f"/v1/episodes/{quoted}/steps/0/picture")
    assert shown.status_code in (400, 404)


def test_a_lease_opens_its_own_session_only(open_door: Open, tmp_path: Path) -> None:
    door = open_door(Texts(FOREVER), settings=settings(tmp_path), desks=Desks())
    mine, other = Client.open(door).take(), Client.open(door).take()
    other.do("run", instruction="press it", supervised=True)
    question = other.becomes("asking")["question"]["number"]
    foreign = Client(door, other.id, mine.lease)
    assert foreign.post("approve", question=question)[0] == 409
    assert foreign.post("take-over")[0] == 409
    assert foreign.post("input", actions=[{"type": "move", "point": [1, 1]}])[0] == 409
    assert other.session["state"] == "asking"
    other.do("stop")


def test_the_default_listens_on_loopback_alone() -> None:
    with bind(Settings(port=0)) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_fault_shows_no_traceback(open_door: Open) -> None:
    def broken(_: Observation) -> Decision:
        raise KeyError("what the model wrote")

    answer = open_door(ScriptedPolicy(broken)).act()
    assert answer.status_code == 500
    assert ErrorBody.model_validate_json(answer.content)
    assert "wrote" not in answer.text and "Traceback" not in answer.text


FORBIDDEN_CALLS = {"eval", "exec", "os.system", "os.popen", "pickle.load", "pickle.loads"}
FORBIDDEN_IMPORTS = {"pickle", "marshal", "shelve", "xml", "lxml", "yaml"}


@pytest.mark.parametrize("package", ["server", "agent", "actions", "vision"])
def test_no_text_can_become_code(package: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func, _, keywords):
                    assert ast.unparse(func) not in FORBIDDEN_CALLS, file
                    shell = [k.value for k in keywords if k.arg == "shell"]
                    assert not shell, f"{file} gives something to a shell"
                case ast.Import(names):
                    assert not {n.name.split(".")[0] for n in names} & FORBIDDEN_IMPORTS, file
                case ast.ImportFrom(module=str(module)):
                    assert module.split(".")[0] not in FORBIDDEN_IMPORTS, file
