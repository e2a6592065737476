"""Published clients against our server.

    python benchmarks/clients.py [openai] [litellm] [curl] [sdk] [--folder FOLDER]

Runs all of them, or those whose names hold one of these words; a folder that is given is kept, with
all that is installed in it. Installs the official `openai` client for Node, `@ui-tars/sdk@1.2.3`
with the `uuid@11` that it misses, and `openai` and `litellm` for Python, through npm and pip. The
server is ours on a real socket with a scripted model, so every answer can be checked; the README's
curl command runs as it is written there. The SDK does twenty steps at 4K in both of its modes: 1.0
sends shrunk screenshots, 1.5 whole ones; its encoding of them in JavaScript takes minutes. Exit
code 0 means that everything was right.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

from agent.policies.scripted import ScriptedPolicy
from server.app import bind, prepare
from server.backend import Backend, PolicyChat
from server.settings import Settings
from server.tokens import Tokens

HERE = Path(__file__).parent
TOKEN = "b" * 43
STEPS = 20
NODE_PACKAGES = ("openai", "@ui-tars/sdk@1.2.3", "uuid@11")
PYTHON_PACKAGES = ("openai", "litellm")
CLICK = "Thought: go\nAction: click(start_box='(500,500)')"
SECONDS = 900
"""The most for one client, or for one installation."""


@dataclass(frozen=True)
class Client:
    """One line of the table.

    Attributes:
        name: of the client.
        version: asked for after the installation.
        script: what the server's model says.
        run: drives the client against a root URL; says what was right, raises `ClientError`.
    """

    name: str
    version: Callable[[], str]
    script: Sequence[str]
    run: Callable[[str], str]


class ClientError(Exception):
    """A client failed, or got something else than was sent."""


def main() -> bool:
    """Install, run everything once, print a table; whether all was right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="words of their names, by default all")
    parser.add_argument("--folder", type=Path, help="install there, and keep it")
    asked = parser.parse_args()
    table = Table("client", "version", "result", "seconds")
    fine = True
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder: Path = asked.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        draw(folder)
        for client in clients(folder):
            if asked.names and not any(word in client.name.lower() for word in asked.names):
                continue
            start = time.monotonic()
            try:
                with serving(client.script) as url:
                    result = client.run(url)
            except (ClientError, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
                result, fine = f"FAILED: {error}", False
            spent = f"{time.monotonic() - start:.0f}"
            print(f"{client.name}: {result}", flush=True)
            table.add_row(client.name, client.version(), result, spent)
    Console(width=120).print(table)
    Console(width=120).print(f"{platform.machine()}, Node {text(['node', '--version'], HERE)}, "
                             f"Python {platform.python_version()}")  # fmt: skip
    return fine


def clients(folder: Path) -> list[Client]:
    """All of them, installed in that folder."""
    (folder / "package.json").write_text("{}")
    text(["npm", "install", "--silent", "--no-audit", "--no-fund", *NODE_PACKAGES], folder)
    python = str(folder / "python/bin/python")
    text([sys.executable, "-m", "venv", "--without-pip", "python"], folder)
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile"]
    text([*pip, *PYTHON_PACKAGES], folder)
    for script in ("_clients_ui_tars.cjs", "_clients_openai.mjs"):
        shutil.copy(HERE / script, folder)

    def asking(*command: str, ways: Sequence[str]) -> Callable[[str], str]:
        def run(url: str) -> str:
            said = text([*command, f"{url}/v1", "screen.png"], folder)
            answers = json.loads(said.splitlines()[-1])  # litellm has words of its own before it
            if wrong := [way for way in ways if CLICK not in answers.get(way, "")]:
                raise ClientError(f"another answer from {wrong}: {answers}")
            if not answers.get("refused"):
                raise ClientError("a wrong token was not refused with its own error")
            return f"{', '.join(ways)}: right; a wrong token: refused"

        return run

    def of_python(name: str) -> Callable[[], str]:
        code = f"import importlib.metadata as m; print(m.version('{name}'))"
        return lambda: text([python, "-c", code], folder)

    def of_node(name: str) -> Callable[[], str]:
        return lambda: str(
            json.loads((folder / "node_modules" / name / "package.json").read_text())["version"]
        )

    def sdk(mode: str) -> Client:
        return Client(f"@ui-tars/sdk, mode {mode}", of_node("@ui-tars/sdk"), walk(),
                      lambda url: twenty_steps(url, mode, folder))  # fmt: skip

    all_ways, chats = ("chat", "stream", "responses"), ("chat", "stream")
    three, two = [CLICK] * 3, [CLICK] * 2
    openai_py, litellm_py = str(HERE / "_clients_openai.py"), str(HERE / "_clients_litellm.py")
    return [
        Client("openai (Python)", of_python("openai"), three,
               asking(python, openai_py, ways=all_ways)),
        Client("openai (Node)", of_node("openai"), three,
               asking("node", "_clients_openai.mjs", ways=all_ways)),
        Client("litellm", of_python("litellm"), two, asking(python, litellm_py, ways=chats)),
        Client("curl, from the README", lambda: text(["curl", "--version"], folder).split()[1],
               [CLICK], lambda url: curl(url, folder)),
        sdk("1.0"),
        sdk("1.5"),
    ]  # fmt: skip


def walk() -> list[str]:
    """Clicks at places of their own, and the end."""
    clicks = [f"Thought: go\nAction: click(start_box='({40 * n},500)')" for n in range(1, STEPS)]
    return [*clicks, "Thought: done\nAction: finished()"]


def twenty_steps(url: str, mode: str, folder: Path) -> str:
    """The SDK's own loop with an operator that only writes down what it is asked to do."""
    command = ["node", "_clients_ui_tars.cjs", f"{url}/v1", "screen.png", mode]
    told: dict[str, Any] = json.loads(text(command, folder).splitlines()[-1])
    done: list[tuple[str, list[float]]] = told["performed"]
    # In mode 1.0 it scales 0..1000 to the screen itself; in 1.5 it takes numbers as they come.
    scale = 1.0 if mode == "1.5" else 3.84
    if [kind for kind, _ in done] != ["click"] * (STEPS - 1) + ["finished"]:
        raise ClientError(f"{len(done)} of {STEPS} steps, then: {told['problems']}")
    off = [abs(place[0] - 40 * n * scale) for n, (_, place) in enumerate(done[:-1], start=1)]
    if max(off) >= 2:
        raise ClientError(f"up to {max(off):.0f} px beside what was said")
    return f"{len(done)} of {STEPS} steps at 3840x2160, places within {max(off):.1f} px"


def curl(url: str, folder: Path) -> str:
    """The README's command, word for word but for the port."""
    readme = (HERE.parent / "README.md").read_text()
    found = re.search(r"<!-- test: act -->\n```sh\n(.*?)```", readme, re.DOTALL)
    if found is None:
        raise ClientError("README.md has no such command")
    command = found[1].replace("127.0.0.1:8765", url.removeprefix("http://"))
    answer: dict[str, Any] = json.loads(text(["bash", "-euo", "pipefail", "-c", command], folder))
    click = {"type": "click", "point": [1920, 1080], "button": "left", "count": 1}
    if answer.get("actions") != [click]:
        raise ClientError(f"another answer: {answer}")
    return "/v1/act: right"


@contextmanager
def serving(script: Sequence[str]) -> Iterator[str]:
    """Our server with a model that says these texts; its root URL."""
    policy, settings = ScriptedPolicy(script), Settings(port=0)
    with bind(settings) as listener:
        backend = Backend("eyehand", policy, PolicyChat(policy, context_tokens=4096))
        server = prepare(backend, settings, Tokens(TOKEN))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def text(command: Sequence[str], folder: Path) -> str:
    """What a command prints.

    Raises:
        ClientError: it failed; the message is the end of what it wrote.
    """
    environ = os.environ | {"EYEHAND_TOKEN": TOKEN}
    environ.pop("PYTHONPATH", None)
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=SECONDS
    )
    if done.returncode != 0:
        raise ClientError(f"{Path(command[0]).name} failed: {(done.stdout + done.stderr)[-400:]}")
    return done.stdout.strip()


def draw(folder: Path) -> None:
    """A 4K screenshot with words on it."""
    image = Image.new("RGB", (3840, 2160), "lavender")
    pen = ImageDraw.Draw(image)
    for n in range(2000):
        pen.text((n * 977 % 3800, n * 613 % 2140), f"word {n}", fill="black")
    image.save(folder / "screen.png")


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
