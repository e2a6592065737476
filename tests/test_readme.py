"""The README's snippets, run as written, with the model that ships."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

PORT = "127.0.0.1:8765"
ROOT = Path(__file__).parent.parent
PAGE = """<body style="margin:0;font:16px sans-serif;text-align:center">
<button style="margin-top:80px;padding:12px 40px" onclick="document.body.innerHTML='Thank you.'">
OK</button></body>"""
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "OMP_NUM_THREADS": "1",
}


def snippet(name: str) -> str:
    found = re.search(
        rf"<!-- test: {name} -->\n```\w+\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert found is not None, f"README.md has no snippet {name!r}"
    return found[1]


def shell(script: str, folder: Path, **variables: str) -> str:
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env=ENVIRONMENT | variables, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    (folder / "page.html").write_text(PAGE)
    picture = Image.new("RGB", (160, 210), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((50, 100, 110, 124), fill="#ddd", outline="#777")
    draw.text((73, 106), "OK", fill="black")
    picture.save(folder / "screen.png")
    return folder


@pytest.fixture(scope="module")
def served() -> Iterator[dict[str, str]]:
    """`eyehand serve` as a user starts it, on a free port; what to put into the environment."""
    token = "0123456789abcdef" * 4
    variables = {"EYEHAND_TOKEN": token}
    command = [sys.executable, "-c", "from agent.cli import app; app()", "serve", "--port", "0"]
    with subprocess.Popen(
        command, env=ENVIRONMENT | variables, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        address = re.search(r"127\.0\.0\.1:\d+", server.stderr.readline())
        assert address is not None
        yield {**variables, "ADDRESS": address[0]}
        server.terminate()


def test_a_task_is_done_on_a_virtual_display_and_replayed(folder: Path) -> None:
    said = shell(snippet("run"), folder)
    assert "click" in said
    assert (folder / "runs/ok/report.html").is_file()
    (folder / "test_recorded.py").write_text(snippet("replay"))
    replayed = shell("python -m pytest -q test_recorded.py", folder)
    assert "1 passed" in replayed


def test_the_official_client_gets_an_action(folder: Path, served: dict[str, str]) -> None:
    (folder / "ask.py").write_text(snippet("serve").replace(PORT, served["ADDRESS"]))
    assert "click(start_box=" in shell("python ask.py", folder, **served)


def test_curl_gets_an_action_in_screen_pixels(folder: Path, served: dict[str, str]) -> None:
    said = json.loads(shell(snippet("act").replace(PORT, served["ADDRESS"]), folder, **served))
    (action,) = said["actions"]
    x, y = action["point"]
    assert 50 <= x <= 110
    assert 100 <= y <= 124
