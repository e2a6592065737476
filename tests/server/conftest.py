"""A real uvicorn on a loopback port, in front of a model that says what the test tells it to."""

from __future__ import annotations

import base64
import io
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from PIL import Image

from actions.space import Click, Step
from agent.policies.base import Decision, Observation, Policy, Timing, Usage
from agent.policies.chat import ChatModel, Emit, Message, Reply
from server.app import bind, prepare
from server.backend import Backend, PolicyChat
from server.control.desk import OpenDesk, open_desk
from server.settings import Settings
from server.tokens import Tokens
from vision.geometry import CoordinateMap, Point, Size

TOKEN = Tokens("t" * 43)
SETTINGS = Settings(port=0, queue=3)
CONTEXT = 4096
TEXT = "Thought: the button is in the middle\nAction: click(point='<point>500 500</point>')"
USAGE = Usage(prompt_tokens=300, cached_tokens=200, completion_tokens=20)
TIMING = Timing(encode_ms=1.5, prefill_ms=2.5, decode_ms=3.5, total_ms=7.5)


def middle(observation: Observation) -> Decision:
    """Click in the middle of whatever is shown."""
    frame = observation.frame
    space = CoordinateMap(frame.box, Size(frame.width, frame.height))
    step = Step("the button is in the middle", (Click(Point(500, 500)),))
    return Decision(TEXT, space, step, None, 0.75, USAGE, TIMING)


@dataclass
class ScriptedPolicy(Policy):
    """Decides as the test says and remembers what it was shown."""

    rule: Callable[[Observation], Decision] = middle
    seen: list[Observation] = field(default_factory=list)
    closed: bool = False

    def decide(self, observation: Observation) -> Decision:
        self.seen.append(observation)
        return self.rule(observation)

    def describe(self) -> dict[str, str]:
        return {"policy": "scripted"}

    def close(self) -> None:
        self.closed = True


@dataclass
class ScriptedChat(ChatModel):
    """Says these pieces, with room for the test to act after each."""

    pieces: tuple[str, ...] = ("Hello", ", ", "world")
    after: Callable[[str], None] = lambda piece: None
    seen: list[tuple[tuple[Message, ...], dict[str, Any]]] = field(default_factory=list)
    given: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def context_tokens(self) -> int:
        return CONTEXT

    def complete(self, messages: Sequence[Message], *, emit: Emit, **options: Any) -> Reply:
        self.seen.append((tuple(messages), options))
        try:
            for piece in self.pieces:
                emit(piece)
                self.given += 1
                self.after(piece)
            return Reply("".join(self.pieces), usage=USAGE)
        finally:
            self.ended.set()


@dataclass(frozen=True)
class Door:
    """A running server.

    Attributes:
        url: its root.
        port: its port.
        http: an HTTP client that shows the token.
        openai: the official client.
        bare: an HTTP client that shows nothing.
        close: ends the server and waits for it; safe to repeat.
    """

    url: str
    port: int
    http: httpx.Client
    openai: openai.OpenAI
    bare: httpx.Client
    close: Callable[[], None]

    def act(self, **body: Any) -> httpx.Response:
        defaults = {"instruction": "press OK", "screenshot": picture(100, 80)}
        return self.http.post("/v1/act", json=defaults | body)

    def chat(self, *messages: Any, **more: Any) -> httpx.Response:
        return self.http.post("/v1/chat/completions", json={"messages": list(messages)} | more)


Open = Callable[..., Door]


@pytest.fixture
def open_door() -> Iterator[Open]:
    """Starts servers; all of them end with the test."""
    running: list[Door] = []

    def start(
        policy: Policy | None = None,
        chat: ChatModel | None = None,
        settings: Settings = SETTINGS,
        desks: OpenDesk = open_desk,
    ) -> Door:
        door = _start(policy or ScriptedPolicy(), chat, settings, desks)
        running.append(door)
        return door

    yield start
    for door in running:
        door.close()


def _start(
    policy: Policy, chat: ChatModel | None, settings: Settings, desks: OpenDesk = open_desk
) -> Door:
    backend = Backend("scripted-model", policy, chat or PolicyChat(policy, CONTEXT))
    listener = bind(settings)
    server = prepare(backend, settings, TOKEN, desks)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    header = {"Authorization": f"Bearer {TOKEN.secret}"}
    client = httpx.Client(base_url=url, headers=header, timeout=20)
    bare = httpx.Client(base_url=url, timeout=20)
    official = openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN.secret, timeout=20, max_retries=0)

    def close() -> None:
        for each in (client, bare, official):
            each.close()
        server.should_exit = True
        thread.join(20)
        listener.close()
        assert not thread.is_alive()

    return Door(url, port, client, official, bare, close)


@pytest.fixture(scope="session")
def door() -> Iterator[Door]:
    """A server in front of the policy that clicks in the middle, shared by the session."""
    policy = ScriptedPolicy()
    door = _start(policy, None, SETTINGS)
    yield door
    door.close()


@pytest.fixture(scope="session")
def noise_4k() -> str:
    """The largest PNG that a 4K screen can give, as a data URL: 33 MB."""
    noise = np.random.default_rng(0).integers(0, 256, (2160, 3840, 3), np.uint8)
    return data_url(encode(Image.fromarray(noise), compress_level=0))


def encode(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def data_url(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def picture(width: int, height: int, form: str = "PNG") -> str:
    """A plain picture as a data URL."""
    return data_url(encode(Image.new("RGB", (width, height), "teal"), form), form.lower())


def shown(url: str) -> Any:
    """A user message with one picture."""
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}


def said(role: str, content: Any) -> Any:
    return {"role": role, "content": content}


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it holds; fails after 10 seconds."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited 10 s in vain"
        time.sleep(0.01)
