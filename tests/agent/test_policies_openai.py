"""The OpenAI policy against a strict server on a real socket."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from PIL import Image

from actions.space import Click
from agent.policies.base import Observation, PolicyError, Turn
from agent.policies.openai import OpenAIPolicy
from agent.policies.profiles import PROFILES, profile_for, profile_named
from vision.frame import Frame
from vision.geometry import Box, Point, Size

CLICKS = {
    "uitars-1.0": "Thought: go\nAction: click(start_box='<|box_start|>(500,250)<|box_end|>')",
    "uitars-1.5-7b": "Thought: go\nAction: click(start_box='(644,182)')",
    "uitars-2": "Thought: go\nAction: click(point='<point>500 250</point>')",
    "holo-1.5": "Thought: go\nAction: click(start_box='(644,182)')",
    "holo": "Thought: go\nAction: click(point='<point>500 250</point>')",
    "qwen3-vl": "Thought: go\nAction: click(point='<point>500 250</point>')",
    "opencua": "## Thought:\ngo\n\n## Code:\n```python\npyautogui.click(x=644, y=182)\n```",
    "opencua-a3b": "## Thought:\ngo\n\n## Code:\n```python\npyautogui.click(x=0.5, y=0.25)\n```",
    "kimi": "## Thought:\ngo\n\n## Action:\nclick\n\n## Code:\n"
    "```python\npyautogui.click(x=0.5, y=0.25)\n```",
}
"""What a model of each profile writes for the middle of the upper half of a 1280x720 screen."""


@dataclass
class Server:
    """A server that takes only what the API's documents allow, and remembers it."""

    reply: str = "Thought: go\nAction: finished()"
    models: tuple[str, ...] = ("UI-TARS-1.5-7B",)
    key: str | None = None
    most_pictures: int = 5
    answer: Callable[[], Response] | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/v1/models")
        def models(request: Request) -> Response:
            return self._refused(request) or JSONResponse(
                {"object": "list", "data": [{"id": m, "object": "model"} for m in self.models]}
            )

        @app.post("/v1/chat/completions")
        async def chat(request: Request) -> Response:
            body = json.loads(await request.body())
            self.bodies.append(body)
            fault = self._fault(body)
            if refused := self._refused(request) or (fault and problem(400, fault)):
                return refused
            return self.answer() if self.answer else completion(self.reply)

        return app

    def _refused(self, request: Request) -> Response | None:
        if self.key is None or request.headers.get("authorization") == f"Bearer {self.key}":
            return None
        return problem(401, "Incorrect API key provided")

    def _fault(self, body: dict[str, Any]) -> str | None:
        if unknown := set(body) - {"model", "messages", "temperature", "max_tokens"}:
            return f"unknown fields {sorted(unknown)}"
        if body["model"] not in self.models:
            return f"no model {body['model']}"
        shown = pictures(body)
        if len(shown) > self.most_pictures:
            return f"at most {self.most_pictures} image(s) may be provided"
        if any(image.format != "PNG" or image.mode != "RGB" for image in shown):
            return "images must be RGB PNG"
        return misplaced(body["messages"]) or too_long(body)


CONTEXT = 32_768
"""Tokens of the strict server; it does not clamp what is asked for, as vLLM does not."""


def misplaced(messages: list[dict[str, Any]]) -> str | None:
    """What templates of served models refuse: odd roles, a late system message, pictures in it."""
    for at, message in enumerate(messages):
        if set(message) != {"role", "content"} or message["role"] not in (
            "system",
            "user",
            "assistant",
        ):
            return f"unexpected message {at}"
        if not message["content"]:
            return f"message {at} is empty"
        if message["role"] == "system" and at:
            return "System message must be at the beginning."
        parts = message["content"] if isinstance(message["content"], list) else []
        kinds = {"text": {"type", "text"}, "image_url": {"type", "image_url"}}
        for part in parts:
            if set(part) != kinds.get(part.get("type")):
                return f"unexpected part of message {at}"
            if part["type"] == "image_url" and message["role"] != "user":
                return "only users send pictures"
    return None if messages and messages[-1]["role"] == "user" else "the last message is no user's"


def too_long(body: dict[str, Any]) -> str | None:
    """Why a request does not fit the context, at 3 letters or 28x28 pixels a token."""
    words = len(json.dumps([m for m in body["messages"] if isinstance(m["content"], str)])) // 3
    seen = sum(image.width * image.height // 784 for image in pictures(body))
    asked = words + seen + body["max_tokens"]
    return f"maximum context length is {CONTEXT}, requested {asked}" if asked > CONTEXT else None


def problem(status: int, message: str) -> Response:
    """An error in the API's own form."""
    return JSONResponse({"error": {"message": message, "type": "x", "code": None}}, status)


def completion(text: str) -> Response:
    """The least that a chat completion holds, with token counts."""
    return JSONResponse(
        {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text},
                }
            ],
            "usage": {
                "prompt_tokens": 90,
                "completion_tokens": 9,
                "total_tokens": 99,
                "prompt_tokens_details": {"cached_tokens": 80},
            },
        }
    )


def pictures(body: dict[str, Any]) -> list[Image.Image]:
    """Every picture of a request, decoded."""
    parts = [
        part
        for message in body["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
    ]
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    head = "data:image/png;base64,"
    assert all(url.startswith(head) for url in urls)
    data = [base64.b64decode(url.removeprefix(head), validate=True) for url in urls]
    return [Image.open(io.BytesIO(png)) for png in data]


@pytest.fixture
def server() -> Iterator[Server]:
    strict = Server()
    listener = socket.create_server(("127.0.0.1", 0))
    runner = uvicorn.Server(uvicorn.Config(strict.app(), log_level="warning", ws="none"))
    thread = threading.Thread(target=runner.run, kwargs={"sockets": [listener]})
    thread.start()
    strict.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    yield strict
    runner.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def ask(server: Server) -> Iterator[Callable[..., OpenAIPolicy]]:
    """Makes policies for the server and closes them."""
    made: list[OpenAIPolicy] = []

    def make(**options: Any) -> OpenAIPolicy:
        made.append(OpenAIPolicy(server.url, max_retries=0, **options))
        return made[-1]

    yield make
    for policy in made:
        policy.close()


Ask = Callable[..., OpenAIPolicy]


def screen(shade: int = 0, width: int = 1280, height: int = 720) -> Frame:
    """A screenshot of a monitor left of the primary one."""
    return Frame(np.full((height, width, 3), shade, np.uint8), Box(-width, 0, 0, height))


def after(steps: int, text: str = "Action: wait()") -> Observation:
    """What is seen after some steps."""
    turns = tuple(Turn(screen(n), text, "nothing happened") for n in range(steps))
    return Observation("press {OK}", screen(200), turns)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_profile_clicks_where_its_model_points(
    server: Server, ask: Ask, profile: Any
) -> None:
    server.reply = CLICKS[profile.name]
    decision = ask(profile=profile).decide(after(1))
    assert decision.error is None and decision.step is not None
    (click,) = decision.step.actions
    assert isinstance(click, Click) and decision.step.thought.startswith("go")
    x, y = decision.map.to_screen(click.point)
    assert abs(x - -640) <= 1 and abs(y - 180) <= 1
    sent = server.bodies[-1]
    assert "press {OK}" in json.dumps(sent) and "{instruction}" not in json.dumps(sent)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_pictures_stay_within_the_profile(server: Server, ask: Ask, profile: Any) -> None:
    ask(profile=profile).decide(after(12))
    shown = pictures(server.bodies[-1])
    assert 1 <= len(shown) <= profile.window.images
    for picture in shown:
        assert picture.width % 28 == picture.height % 28 == 0
        assert picture.width * picture.height <= profile.max_pixels
        # The server's own processor leaves a picture of such a size alone.
        assert profile.picture_size(Size(*picture.size)) == Size(*picture.size)


def test_prompts_grow_at_their_end_only(server: Server, ask: Ask) -> None:
    policy = ask()
    for steps in range(4):
        policy.decide(after(steps))
    first, second = (server.bodies[n]["messages"] for n in (2, 3))
    assert first[0] == second[0] and first[1] == second[1]
    assert second[: len(first) - 1] == first[:-1]


def test_code_is_not_repeated_to_models_that_forget_it(server: Server, ask: Ask) -> None:
    server.reply = CLICKS["kimi"]
    ask(profile=profile_named("kimi")).decide(after(2, CLICKS["kimi"]))
    said = [m["content"] for m in server.bodies[-1]["messages"] if m["role"] == "assistant"]
    assert said == [f"# Step {n}:\n## Thought:\ngo\n\n## Action:\nclick" for n in (1, 2)]


def test_counts_and_description(server: Server, ask: Ask) -> None:
    policy = ask()
    decision = policy.decide(after(0))
    assert (decision.usage.prompt_tokens, decision.usage.cached_tokens) == (90, 80)
    assert decision.usage.completion_tokens == 9 and decision.timing.total_ms > 0
    assert policy.describe() == {
        "policy": "openai",
        "endpoint": server.url,
        "model": "UI-TARS-1.5-7B",
        "profile": "uitars-1.5-7b",
        "dialect": "uitars-absolute",
    }


def test_unreadable_answer_is_a_value(server: Server, ask: Ask) -> None:
    server.reply = "I cannot help with that."
    decision = ask().decide(after(0))
    assert decision.step is None and decision.error and decision.text == server.reply


def test_fewer_tokens_can_be_asked_for(server: Server, ask: Ask) -> None:
    ask().decide(Observation("x", screen(), max_tokens=7))
    assert server.bodies[-1]["max_tokens"] == 7


def test_wrong_key_names_the_variable(server: Server, ask: Ask) -> None:
    server.key = "sesame"
    with pytest.raises(PolicyError, match=r"answered 401: Incorrect API key.*EYEHAND_API_KEY"):
        ask(api_key="wrong")
    assert ask(api_key="sesame").model == "UI-TARS-1.5-7B"


def test_refused_request_passes_on_the_servers_words(server: Server, ask: Ask) -> None:
    server.most_pictures = 0
    with pytest.raises(PolicyError, match=r"400: at most 0 image\(s\).*may not take pictures"):
        ask().decide(after(0))


def test_unknown_model_needs_a_profile(server: Server, ask: Ask) -> None:
    server.models = ("gpt-9",)
    with pytest.raises(PolicyError, match=r"--profile one of: uitars-1\.5-7b"):
        ask()
    assert ask(profile=profile_named("kimi")).model == "gpt-9"


def test_server_without_models(server: Server, ask: Ask) -> None:
    server.models = ()
    with pytest.raises(PolicyError, match="lists no models"):
        ask()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            lambda: problem(500, "out of memory"),
            "answered 500: out of memory; see the server's log",
        ),
        (lambda: problem(404, "no such model"), "answered 404: no such model; check the model"),
        (lambda: JSONResponse({"hello": 1}), "expected a chat completion with text"),
        (lambda: JSONResponse({"choices": []}), "expected a chat completion with text"),
        (lambda: completion("  "), "expected a chat completion with text"),
        (lambda: PlainTextResponse("<html>hi</html>"), "expected a chat completion with text"),
        (lambda: Response("{tor", media_type="application/json"), "is no OpenAI API"),
    ],
)
def test_answers_that_are_none(
    server: Server, ask: Ask, answer: Callable[[], Response], said: str
) -> None:
    server.answer = answer
    with pytest.raises(PolicyError, match=said):
        ask().decide(after(0))


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    with pytest.raises(PolicyError, match=r"cannot be reached .*start the server"):
        OpenAIPolicy(url, max_retries=0)


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        with pytest.raises(PolicyError, match="did not answer in time"):
            OpenAIPolicy(url, timeout=0.2, max_retries=0)


def test_malformed_address() -> None:
    with pytest.raises(PolicyError, match="--endpoint"):
        OpenAIPolicy("not a url", max_retries=0)


def test_picture_that_cannot_be_sent(ask: Ask) -> None:
    with pytest.raises(PolicyError, match="aspect ratio"):
        ask().decide(Observation("x", screen(width=1000, height=2)))


@pytest.mark.parametrize(
    ("model", "profile"),
    [
        ("ByteDance-Seed/UI-TARS-1.5-7B", "uitars-1.5-7b"),
        ("bytedance-research/UI-TARS-72B-DPO", "uitars-1.0"),
        ("doubao-1-5-ui-tars-250428", "uitars-2"),
        ("xlangai/OpenCUA-32B", "opencua"),
        ("xlangai/OpenCUA-A3B", "opencua-a3b"),
        ("moonshotai/Kimi-VL-A3B-Instruct", "kimi"),
        ("moonshotai/Kimi-K2.6", "kimi"),
        ("Hcompany/Holo1.5-7B", "holo-1.5"),
        ("Hcompany/Holo3-35B-A3B", "holo"),
        ("Qwen/Qwen3-VL-8B-Instruct", "qwen3-vl"),
    ],
)
def test_names_point_to_profiles(model: str, profile: str) -> None:
    assert profile_for(model).name == profile


def test_absolute_pixels_follow_the_resized_picture() -> None:
    profile = profile_named("uitars-1.5-7b")
    size = profile.picture_size(Size(1920, 1080))
    assert size == Size(1932, 1092) and profile.extent(size) == size
    # The published example of this model: (197, 525) on that picture.
    from vision.geometry import CoordinateMap

    space = CoordinateMap(Box(0, 0, 1920, 1080), size, profile.extent(size))
    assert space.to_screen(Point(197, 525)) == Point(195, 519)


def test_unknown_profile_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"expected one of: uitars-1\.5-7b"):
        profile_named("gpt")
