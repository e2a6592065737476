"""Twenty steps of the published UI-TARS SDK (Node) at 4K against a scripted server.

    python benchmarks/ui_tars_sdk.py [1.0 | 1.5]

Installs `@ui-tars/sdk@1.2.3` and its missing dependency `uuid@11` into a temporary folder with npm.
Mode 1.0 sends shrunk screenshots, mode 1.5 whole ones. Exit code 0 means that all twenty actions
came back at the right places.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageDraw

from agent.policies.scripted import ScriptedPolicy
from server.app import bind, prepare
from server.backend import Backend, PolicyChat
from server.settings import Settings
from server.tokens import Tokens

STEPS = 20
SCRIPT = Path(__file__).with_suffix(".cjs")
PACKAGES = ("@ui-tars/sdk@1.2.3", "uuid@11")


def main(mode: str) -> bool:
    """Run it once; whether every action arrived."""
    clicks = [f"Thought: go\nAction: click(start_box='({40 * n},500)')" for n in range(1, STEPS)]
    policy = ScriptedPolicy([*clicks, "Thought: done\nAction: finished()"])
    settings, token = Settings(port=0), Tokens("b" * 43)
    with TemporaryDirectory() as name, bind(settings) as listener:
        folder = Path(name)
        install(folder)
        backend = Backend("scripted", policy, PolicyChat(policy, context_tokens=4096))
        server = prepare(backend, settings, token)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        start = time.monotonic()
        try:
            performed = drive(folder, listener.getsockname()[1], token, mode)
        finally:
            server.should_exit = True
            thread.join()
    print(f"{len(performed)} of {STEPS} actions in {time.monotonic() - start:.0f} s, mode {mode}")
    return [kind for kind, _ in performed] == ["click"] * (STEPS - 1) + ["finished"] and all(
        abs(place[0] - (40 * n if mode == "1.5" else 40 * n * 3.84)) < 2
        for n, (_, place) in enumerate(performed[:-1], start=1)
    )


def install(folder: Path) -> None:
    """The SDK, our script beside it, and a 4K screenshot."""
    (folder / "package.json").write_text("{}")
    subprocess.run(["npm", "install", "--silent", *PACKAGES], cwd=folder, check=True)
    shutil.copy(SCRIPT, folder)
    image = Image.new("RGB", (3840, 2160), "lavender")
    draw = ImageDraw.Draw(image)
    for n in range(2000):
        draw.text((n * 977 % 3800, n * 613 % 2140), f"word {n}", fill="black")
    image.save(folder / "screen.png")


def drive(folder: Path, port: int, token: Tokens, mode: str) -> list[tuple[str, list[float]]]:
    """What the SDK asked its operator to perform: kind and place in pixels."""
    done = subprocess.run(
        ["node", SCRIPT.name, f"http://127.0.0.1:{port}/v1", "screen.png", mode],
        cwd=folder,
        env={**os.environ, "EYEHAND_TOKEN": token.secret},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    performed: list[tuple[str, list[float]]] = json.loads(done.stdout.splitlines()[-1])
    return performed


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1] if len(sys.argv) > 1 else "1.0") else 1)
