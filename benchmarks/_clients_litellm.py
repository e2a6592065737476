"""What a GUI agent does with litellm; started by clients.py.

Arguments: base URL, screenshot file. The token is in EYEHAND_TOKEN.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import litellm


def main(base_url: str, file: str) -> dict[str, Any]:
    """A chat, a streamed chat, and a wrong token; what came back."""
    url = "data:image/png;base64," + base64.b64encode(Path(file).read_bytes()).decode()
    picture = {"type": "image_url", "image_url": {"url": url}}
    content = [{"type": "text", "text": "press the OK button"}, picture]
    asked = {
        "model": "openai/eyehand",
        "api_base": base_url,
        "messages": [{"role": "user", "content": content}],
        "num_retries": 0,
    }
    token = os.environ["EYEHAND_TOKEN"]
    chat = litellm.completion(**asked, api_key=token)
    pieces = litellm.completion(**asked, api_key=token, stream=True)
    done: dict[str, Any] = {
        "chat": chat.choices[0].message.content,
        "stream": "".join(part.choices[0].delta.content or "" for part in pieces),
    }
    try:
        litellm.completion(**asked, api_key="x" * 43)
    except litellm.AuthenticationError:
        done["refused"] = True
    return done


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])) + "\n")
