"""An MCP server over stdio: look at a screen, act on it, or let the agent work there."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import strftime
from typing import Annotated, Any, TypeVar

from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

from actions.backends.base import Backend, BackendError
from actions.codec import CodecError, from_dict, to_dict
from actions.executor import Executor, Stopped
from actions.guard import Guard
from agent.episodes.errors import EpisodeError
from agent.hands import GuardedHands
from agent.loop import Agent
from agent.policies.base import Policy, PolicyError
from agent.run import RunResult, Silent, Task, nobody
from agent.session import agent_for
from vision.capture import CaptureError, Eyes

T = TypeVar("T")

INSTRUCTIONS = (
    "Controls one screen. `screenshot` shows it; `act` performs one action at pixels of that "
    "picture and says what the screen did; `run_task` lets Eyehand's own model work on a task "
    "and records it. Actions that need a person's consent are refused."
)


class Acted(BaseModel):
    """What became of an action."""

    action: dict[str, Any]
    outcome: str = Field(description="confirmed, no_visible_effect, refused or failed")
    message: str


class Ran(BaseModel):
    """How a task ended."""

    outcome: str = Field(description="finished, call_user, truncated, stopped or failed")
    message: str
    steps: int
    episode: str = Field(description="folder of the recording")


@dataclass(frozen=True)
class Workplace:
    """What the tools work with.

    Attributes:
        policy: gives what decides in `run_task`; loading it may take longer than a client waits for
            this server to start.
        screen: what is seen.
        backend: where events go.
        guard: what may run.
        folder: recordings are made below it.
        attended: somebody sits in front of the screen: a corner of it is the fail-safe.
    """

    policy: Callable[[], Policy]
    screen: Eyes
    backend: Backend
    guard: Guard
    folder: Path
    attended: bool = False


def serve(workplace: Workplace) -> None:
    """Answer a client on standard input and output until it closes them."""
    with ThreadPoolExecutor(1, thread_name_prefix="hands") as hands:
        server(workplace, hands).run("stdio")


def server(workplace: Workplace, hands: ThreadPoolExecutor) -> MCPServer:
    """The MCP server; what touches the screen runs in order on the one thread of `hands`."""
    made: MCPServer = MCPServer(
        "eyehand", instructions=INSTRUCTIONS, version=version("eyehand"), log_level="WARNING"
    )
    executor = Executor(workplace.backend, workplace.screen, fail_safe=workplace.attended)
    guarded = GuardedHands(executor, workplace.guard, nobody)

    @made.tool()
    async def screenshot() -> Image:
        """Show the screen as a PNG; actions take pixels of this picture."""
        return await _on(hands, lambda: _picture(workplace.screen))

    @made.tool()
    async def act(
        action: Annotated[
            dict[str, Any],
            Field(
                description='As in {"type": "click", "point": [x, y]}, {"type": "type", "text": '
                '"hi", "submit": true}, {"type": "hotkey", "keys": ["ctrl", "c"]}, {"type": '
                '"scroll", "direction": "down", "point": [x, y]}, {"type": "drag", "start": '
                '[x, y], "end": [x, y]}'
            ),
        ],
    ) -> Acted:
        """Perform one action, wait until the screen is still, and say what it did."""
        try:
            wanted = from_dict(action)
        except CodecError as error:
            raise ToolError(str(error)) from error
        receipt = await _on(hands, lambda: guarded.perform(wanted, None))
        said = to_dict(receipt.action)
        return Acted(action=said, outcome=receipt.outcome, message=receipt.message)

    @made.tool()
    async def run_task(
        instruction: Annotated[str, Field(min_length=1, max_length=20_000)],
        max_steps: Annotated[int, Field(ge=1, le=200)] = 30,
    ) -> Ran:
        """Let Eyehand's own model work on a task until it is done."""
        return await _run(workplace, hands, Task(instruction, max_steps))

    return made


async def _run(workplace: Workplace, hands: ThreadPoolExecutor, task: Task) -> Ran:
    """A recorded run; it is stopped when the client cancels it or goes away."""
    folder = workplace.folder / strftime("mcp-%Y%m%d-%H%M%S")
    agents: list[Agent] = []

    def work() -> RunResult:
        agent = agent_for(
            task,
            workplace.policy(),
            workplace.screen,
            workplace.backend,
            folder,
            Silent(),
            attended=workplace.attended,
            guard=workplace.guard,
        )
        agents.append(agent)
        return agent.run(task)

    try:
        result = await _on(hands, work)
    except asyncio.CancelledError:
        for agent in agents:
            agent.stop()
        raise
    return Ran(
        outcome=result.outcome, message=result.message, steps=result.steps, episode=str(folder)
    )


async def _on(hands: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """The result of work on that thread; what can be expected to fail is told to the client."""
    try:
        return await asyncio.get_running_loop().run_in_executor(hands, work)
    except (BackendError, CaptureError, EpisodeError, PolicyError, Stopped) as error:
        raise ToolError(str(error)) from error


def _picture(screen: Eyes) -> Image:
    file = io.BytesIO()
    screen.grab().to_image().save(file, "PNG", compress_level=1)
    return Image(data=file.getvalue(), format="png")
