"""What a GUI agent does with the official Python client; started by clients.py.

Arguments: base URL, screenshot file. The token is in EYEHAND_TOKEN.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import openai


def main(base_url: str, file: str) -> dict[str, Any]:
    """Every way to ask, once; what came back."""
    token = os.environ["EYEHAND_TOKEN"]
    client = openai.OpenAI(base_url=base_url, api_key=token, max_retries=0)
    url = "data:image/png;base64," + base64.b64encode(Path(file).read_bytes()).decode()
    words = "press the OK button"
    picture: Any = {"type": "image_url", "image_url": {"url": url}}
    messages: Any = [{"role": "user", "content": [{"type": "text", "text": words}, picture]}]
    model = client.models.list().data[0].id
    chat = client.chat.completions.create(model=model, messages=messages)
    pieces = client.chat.completions.create(model=model, messages=messages, stream=True)
    shown: Any = {"type": "input_image", "image_url": url, "detail": "high"}
    items: Any = [{"role": "user", "content": [{"type": "input_text", "text": words}, shown]}]
    done: dict[str, Any] = {
        "chat": chat.choices[0].message.content,
        "stream": "".join(part.choices[0].delta.content or "" for part in pieces if part.choices),
        "responses": client.responses.create(model=model, input=items).output_text,
    }
    try:
        openai.OpenAI(base_url=base_url, api_key="x" * 43, max_retries=0).models.list()
    except openai.AuthenticationError:
        done["refused"] = True
    return done


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])) + "\n")
