"""`eyehand doctor --endpoint` against servers that look at what they are sent, each faulty."""

from __future__ import annotations

import base64
import io
import json
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from PIL import Image

from agent.doctor import Finding, Health
from agent.endpoint import TOKENS, examine_endpoint


@dataclass
class Seeing:
    """A server whose model finds red and blue squares, remembers codes, and clicks in pixels.

    Attributes:
        blind: pictures are dropped, and "red" is guessed.
        shrink: its processor makes pictures smaller by this factor.
        context: words that reach the model.
        per_word: tokens of a word.
        longest: tokens of the longest prompt so far.
        model: the served name.
        lost: it clicks at a place of its own.
    """

    blind: bool = False
    shrink: float = 1.0
    context: int = 100_000
    per_word: int = 1
    longest: int = 0
    model: str = "UI-TARS-1.5-7B"
    lost: bool = False
    status: int = 200

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/v1/models")
        def models() -> dict[str, Any]:
            return {"object": "list", "data": [{"id": self.model, "object": "model"}]}

        @app.post("/v1/chat/completions")
        async def chat(request: Request) -> Response:
            if self.status != 200:
                return JSONResponse({"error": {"message": "no images please"}}, self.status)
            answer, words = self.answer(json.loads(await request.body()))
            tokens = words * self.per_word
            self.longest = max(self.longest, tokens)
            message = {"role": "assistant", "content": answer}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1}
            return JSONResponse({"choices": [choice], "usage": usage})

        return app

    def answer(self, body: dict[str, Any]) -> tuple[str, int]:
        contents = [m["content"] for m in body["messages"]]
        parts = [p for c in contents for p in ([{"text": c}] if isinstance(c, str) else c)]
        words = " ".join(part.get("text", "") for part in parts).split()[-self.context :]
        text, urls = " ".join(words), [p["image_url"]["url"] for p in parts if "image_url" in p]
        if "What is the code?" in text:
            code = re.search(r"The code is (\w+)", text)
            return (code[1] if code else "I do not know"), len(words)
        if self.blind or not urls:
            return "Red.", len(words)
        data = base64.b64decode(urls[-1].partition(",")[2])
        pixels = np.asarray(Image.open(io.BytesIO(data))).astype(int)
        if "What colour" in text:
            return ("It is Red." if pixels[0, 0, 0] > 200 else "blue"), len(words)
        rows, columns = np.nonzero((pixels[..., 0] > 200) & (pixels[..., 1] < 100))
        x, y = columns.mean() * self.shrink, rows.mean() * self.shrink
        if self.lost:
            x, y = 5, 700
        return f"Thought: there\nAction: click(start_box='({x:.0f},{y:.0f})')", len(words)


def examined(server: Seeing, **options: Any) -> dict[str, Finding]:
    """What the doctor finds."""
    listener = socket.create_server(("127.0.0.1", 0))
    runner = uvicorn.Server(uvicorn.Config(server.app(), log_level="warning", ws="none"))
    thread = threading.Thread(target=runner.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        return {finding.name: finding for finding in examine_endpoint(url, **options)}
    finally:
        runner.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="module")
def sound() -> Iterator[dict[str, Finding]]:
    yield examined(Seeing())


def test_a_sound_server_passes(sound: dict[str, Finding]) -> None:
    assert list(sound) == ["endpoint", "endpoint sees", "endpoint reads", "endpoint points"]
    assert {finding.health for finding in sound.values()} == {Health.OK}
    assert "UI-TARS-1.5-7B" in sound["endpoint"].detail
    assert "a red square and a blue square" in sound["endpoint sees"].detail


def test_a_server_that_drops_pictures_is_found_out_although_its_model_guesses() -> None:
    found = examined(Seeing(blind=True))
    assert found["endpoint sees"].health is Health.OPTIONAL
    assert "blue square: 'Red.'" in found["endpoint sees"].detail
    assert "hand on pictures" in found["endpoint sees"].fix
    assert found["endpoint points"].health is Health.OPTIONAL


def test_a_server_that_resizes_pictures_differently_is_found_out() -> None:
    points = examined(Seeing(shrink=0.7))["endpoint points"]
    assert points.health is Health.MISSING
    assert "0.70 times the right place" in points.detail and "max_pixels" in points.fix


def test_a_server_that_truncates_is_found_out() -> None:
    reads = examined(Seeing(context=2048))["endpoint reads"]
    assert reads.health is Health.MISSING
    assert "only 2048 reached the model" in reads.detail and "context" in reads.fix


def test_a_server_whose_words_are_many_tokens_is_asked_for_no_more_tokens() -> None:
    server = Seeing(per_word=5)
    assert examined(server)["endpoint reads"].health is Health.OK
    assert 0.8 * TOKENS < server.longest < 1.2 * TOKENS


def test_a_model_that_points_anywhere_is_told_apart() -> None:
    points = examined(Seeing(lost=True))["endpoint points"]
    assert points.health is Health.OPTIONAL and "pixels off" in points.detail


def test_a_server_that_refuses_pictures_is_told_in_its_own_words() -> None:
    found = examined(Seeing(status=400))
    assert found["endpoint sees"].health is Health.MISSING
    assert "no images please" in found["endpoint sees"].detail


def test_a_model_that_fits_no_profile_is_not_asked_to_point() -> None:
    points = examined(Seeing(model="gpt-9"))["endpoint points"]
    assert points.health is Health.OPTIONAL and "--profile" in points.fix
    named = examined(Seeing(model="gpt-9"), profile="uitars-1.5-7b")
    assert named["endpoint points"].health is Health.OK


def test_nobody_listens() -> None:
    (finding,) = examine_endpoint("http://127.0.0.1:9/v1")
    assert finding.health is Health.MISSING and "cannot be reached" in finding.detail
