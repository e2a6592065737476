"""The MCP server as the SDK's own client meets it, on a real virtual display."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import numpy as np
from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult, ImageContent, TextContent
from PIL import Image

from actions.backends.x11 import X11Backend
from actions.guard import Guard
from agent.environments.display import VirtualDisplay
from agent.episodes.reader import Episode
from agent.policies.scripted import ScriptedPolicy
from server.mcp import Workplace, server
from vision.capture import Screen


def with_client(target: Any, work: Callable[[Client], Awaitable[None]]) -> None:
    async def main() -> None:
        async with Client(target, read_timeout_seconds=100) as client:
            await work(client)

    anyio.run(main)


def picture(result: CallToolResult) -> Any:
    (content,) = result.content
    assert isinstance(content, ImageContent) and content.mime_type == "image/png"
    with Image.open(io.BytesIO(base64.b64decode(content.data))) as image:
        return np.asarray(image.convert("RGB"))


def text(result: CallToolResult) -> str:
    return "".join(part.text for part in result.content if isinstance(part, TextContent))


def test_the_command_shows_a_display_and_acts_on_it(tmp_path: Path) -> None:
    command = ["-c", "from agent.cli import app; app()", "mcp", "--size", "320x240"]

    async def work(client: Client) -> None:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert tools == {"screenshot", "act", "run_task"}
        assert picture(await client.call_tool("screenshot")).shape == (240, 320, 3)
        wrong = await client.call_tool("act", {"action": {"type": "click"}})
        assert wrong.is_error and "point" in text(wrong)
        denied = {"type": "hotkey", "keys": ["ctrl", "alt", "delete"]}
        refused = json.loads(text(await client.call_tool("act", {"action": denied})))
        assert refused["outcome"] == "refused" and "not allowed" in refused["message"]
        moved = {"type": "move", "point": [5, 100]}
        acted = json.loads(text(await client.call_tool("act", {"action": moved})))
        assert acted["outcome"] in ("confirmed", "no_visible_effect") and acted["action"] == moved

    parameters = StdioServerParameters(
        command=sys.executable, args=[*command, "--out", str(tmp_path)], env=dict(os.environ)
    )
    with_client(parameters, work)


def test_a_task_is_worked_on_and_recorded(display: VirtualDisplay, tmp_path: Path) -> None:
    policy = ScriptedPolicy(
        [
            "Thought: look\nAction: click(start_box='(500,500)')",
            "Thought: done\nAction: finished(content='42')",
        ]
    )
    with (
        Screen(display.name) as screen,
        X11Backend(display.name) as backend,
        ThreadPoolExecutor(1) as hands,
    ):
        workplace = Workplace(lambda: policy, screen, backend, Guard(), tmp_path)

        async def work(client: Client) -> None:
            ran = await client.call_tool("run_task", {"instruction": "find it", "max_steps": 5})
            told = json.loads(text(ran))
            assert (told["outcome"], told["message"], told["steps"]) == ("finished", "42", 2)
            assert len(Episode.open(told["episode"]).steps) == 2
            nothing = await client.call_tool("run_task", {"instruction": ""})
            assert nothing.is_error

        with_client(server(workplace, hands), work)
