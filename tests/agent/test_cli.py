"""The command line as a user has it: real processes, a real server, a real display."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI, Request
from typer.testing import CliRunner, Result

from agent.cli import app
from agent.environments.display import VirtualDisplay
from agent.environments.headless import HeadlessBrowser
from agent.episodes.format import End, Ending, Head
from agent.episodes.reader import Episode
from agent.episodes.writer import EpisodeWriter
from agent.policies.base import Observation
from agent.policies.scripted import ScriptedPolicy
from tests.actions.wayland_stage import open_sway
from vision.cdp import CdpPage
from vision.frame import Frame
from vision.geometry import Box

EYEHAND = [sys.executable, "-c", "from agent.cli import app; app()"]


@dataclass
class Served:
    """A model behind a real socket that says prepared texts, the last one again and again."""

    texts: list[str]
    url: str = ""
    asked: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/v1/models")
        def models() -> dict[str, object]:
            return {"object": "list", "data": [{"id": "UI-TARS-2", "object": "model"}]}

        @app.post("/v1/chat/completions")
        def chat(_request: Request) -> dict[str, object]:
            self.asked.set()
            self.go.wait(60)
            text = self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]
            message = {"role": "assistant", "content": text}
            return {"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}

        return app


@pytest.fixture
def served() -> Iterator[Served]:
    model = Served(["Thought: done\nAction: finished(content='all done')"])
    model.go.set()
    listener = socket.create_server(("127.0.0.1", 0))
    runner = uvicorn.Server(uvicorn.Config(model.app(), log_level="warning", ws="none"))
    thread = threading.Thread(target=runner.run, kwargs={"sockets": [listener]})
    thread.start()
    model.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    yield model
    model.go.set()
    runner.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def episode(tmp_path: Path) -> Path:
    """A recorded episode of two steps, one of which did not parse."""
    frame = Frame(np.zeros((60, 80, 3), np.uint8), Box(0, 0, 80, 60))
    policy = ScriptedPolicy(["dance\x1b[2J", "Thought: go\nAction: click(start_box='(500,500)')"])
    folder = tmp_path / "episode"
    with EpisodeWriter(folder, Head("press OK")) as writer:
        for _ in range(2):
            writer.append(frame, policy.decide(Observation("press OK", frame)))
        writer.close(Ending(End.FINISHED, "the answer", 1.0))
    return folder


def eyehand(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def fails(result: Result, *words: str) -> None:
    """It said why in one line on standard error, and its exit status is 1."""
    assert result.exit_code == 1, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("eyehand: "), result.stderr
    assert all(word in lines[0] for word in words), lines[0]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from agent.cli import app; app(['--help'], standalone_mode=False);"
        "print(sorted({'torch', 'transformers', 'numpy', 'openai', 'fastapi'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip().endswith("[]")
    for command in ("demo", "run", "serve", "eval", "train", "replay", "episode", "doctor"):
        assert f"\n  {command} " in shown.stdout


def test_replay_agrees_with_itself(episode: Path) -> None:
    shown = eyehand("replay", episode)
    assert shown.exit_code == 0 and "2 steps replayed, all the same" in shown.stdout


def test_verify_an_intact_and_a_changed_episode(episode: Path) -> None:
    assert eyehand("episode", "verify", episode).exit_code == 0
    steps = episode / "steps.jsonl"
    steps.write_text(steps.read_text().replace("go", "GO"))
    broken = eyehand("episode", "verify", episode)
    assert broken.exit_code == 1 and "step 1" in broken.output


def test_pack_unpack_fork_and_diff(episode: Path, tmp_path: Path) -> None:
    packed, again, half = tmp_path / "e.zip", tmp_path / "again", tmp_path / "half"
    assert eyehand("episode", "pack", episode, packed).exit_code == 0
    assert eyehand("episode", "verify", packed).exit_code == 0
    assert eyehand("episode", "unpack", packed, again).exit_code == 0
    assert eyehand("episode", "diff", episode, again).exit_code == 0
    assert eyehand("episode", "fork", again, half, "--at", "1").exit_code == 0
    different = eyehand("episode", "diff", episode, half)
    assert different.exit_code == 1 and "step 1" in different.stdout
    fails(eyehand("episode", "unpack", packed, again), "exists")


def test_a_replay_of_a_program_that_is_not_installed(tmp_path: Path) -> None:
    login = Path(__file__).parents[1] / "data/episodes/login"
    result = eyehand("replay", login, "--environment", "--run", "no-such-program")
    fails(result, "no-such-program")


def test_show_tells_every_step_on_one_safe_line(episode: Path) -> None:
    shown = eyehand("episode", "show", episode)
    lines = shown.stdout.splitlines()
    assert shown.exit_code == 0 and len(lines) == 4
    assert lines[0] == "task  press OK"
    assert "unreadable: expected" in lines[1] and "\x1b" not in shown.stdout
    assert "go  click (500, 500)" in lines[2]
    assert lines[3] == "finished, reward 1: the answer"


def test_report_is_one_file(episode: Path, tmp_path: Path) -> None:
    out = tmp_path / "x" / "r.html"
    shown = eyehand("episode", "report", episode, "--out", out)
    assert shown.exit_code == 0 and str(out) in shown.stdout
    assert "press OK" in out.read_text()


@pytest.mark.parametrize("command", [["replay"], ["episode", "show"], ["episode", "verify"]])
def test_no_episode_there(tmp_path: Path, command: list[str]) -> None:
    fails(eyehand(*command, tmp_path), "is no episode", "manifest.json")


def test_unreachable_endpoint() -> None:
    result = eyehand("run", "x", "--endpoint", "http://127.0.0.1:9/v1")
    fails(result, "cannot be reached", "start the server")


def test_no_such_checkpoint(tmp_path: Path) -> None:
    for command in (["run", "x"], ["serve"], ["demo"]):
        fails(eyehand(*command, "--model", tmp_path / "nothing"), "no model in", "eyehand train")


def test_no_display(served: Served) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    command = [*EYEHAND, "run", "x", "--display", "real", "--endpoint", served.url]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert shown.returncode == 1 and shown.stderr.startswith("eyehand: expected a display")
    assert len(shown.stderr.strip().splitlines()) == 1


def test_record_that_cannot_be_begun(served: Served, episode: Path) -> None:
    result = eyehand("run", "x", "--endpoint", served.url, "--episode", episode)
    fails(result, "already holds an episode", "record into a new folder")


def test_unknown_task_and_stage(served: Served) -> None:
    fails(eyehand("eval", "miniwob", "--tasks", "nope", "--endpoint", served.url), "'nope'")
    fails(eyehand("train", "nope"), "no training stage 'nope'", "pointing")


def test_rules_that_are_none(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[[rule]]\npermission = 'maybe'\n")
    result = eyehand("run", "x", "--rules", rules, "--endpoint", "http://127.0.0.1:9/v1")
    fails(result, "expected allow, ask or deny", str(rules))


def test_address_that_others_could_reach(tmp_path: Path) -> None:
    fails(eyehand("serve", "--host", "0.0.0.0"), "clear text")  # noqa: S104  # must be refused


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "x", "--display", "imaginary"],
        ["run", "x", "--max-steps", "0"],
        ["run", "x", "--model", "m", "--endpoint", "http://127.0.0.1:9/v1"],
        ["run", "x", "--profile", "kimi"],
        ["run", "x", "--profile", "gpt", "--endpoint", "http://127.0.0.1:9/v1"],
        ["run", "x", "--display", "real", "--open", "http://127.0.0.1:9"],
        ["run", "x", "--display", "real", "--browser", "http://127.0.0.1:9"],
        ["run", "x", "--cdp", "http://127.0.0.1:9", "--open", "http://127.0.0.1:9"],
        ["eval", "miniwob"],
        ["dance"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    result = eyehand(*arguments)
    assert result.exit_code == 2 and "Usage" in result.stderr


PAGE = """<title>t</title><body style="margin:0;background:#fff"
onclick="document.body.style.background='#080'">click me</body>"""


def test_a_run_on_a_page_from_first_look_to_report(served: Served, tmp_path: Path) -> None:
    page, folder = tmp_path / "page.html", tmp_path / "run"
    page.write_text(PAGE)
    served.texts.insert(0, "Thought: it\nAction: click(point='<point>500 500</point>')")
    result = eyehand(
        "run",
        "press it",
        "--endpoint",
        served.url,
        "--open",
        page.as_uri(),
        "--episode",
        folder,
        "--size",
        "1280x800",
    )
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "task  press it"
    assert "it  click (640, 400)  confirmed" in lines[1]
    assert lines[3] == "finished  after 2 steps: all done"
    assert lines[4] == f"episode  {folder}"
    recorded = Episode.open(folder)
    green = recorded.frame(recorded.steps[1]).pixels[400, 640]
    assert tuple(green) == (0, 0x88, 0)
    assert recorded.head.dialect == "uitars" and recorded.head.policy["model"] == "UI-TARS-2"
    assert eyehand("replay", folder).exit_code == 0
    assert eyehand("episode", "verify", folder).exit_code == 0


BUTTONS = """<title>t</title><body style="margin:0;background:#fff;font:13px sans-serif">
<button style="position:absolute;left:40px;top:90px"
        onclick="this.remove()">Submit</button>
<button style="position:absolute;left:40px;top:150px">Cancel</button>"""


def test_the_embedded_model_clicks_a_button_of_a_page_without_a_display(tmp_path: Path) -> None:
    page, folder = tmp_path / "page.html", tmp_path / "run"
    page.write_text(BUTTONS)
    result = eyehand(
        "run", 'Click on the "Submit" button.', "--browser", page.as_uri(), "--size", "160x210",
        "--episode", folder,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    recorded = Episode.open(folder)
    assert recorded.head.display["box"] == [0, 0, 160, 210]
    before, after = (recorded.frame(step).pixels[90:110, 40:90] for step in recorded.steps)
    assert before.min() < 100 and after.min() == 255
    assert eyehand("replay", folder).exit_code == 0


def test_a_run_in_a_browser_that_is_open_already(served: Served, tmp_path: Path) -> None:
    page, folder = tmp_path / "page.html", tmp_path / "run"
    page.write_text(PAGE)
    served.texts.insert(0, "Thought: it\nAction: click(point='<point>500 500</point>')")
    with HeadlessBrowser() as browser:
        result = eyehand(
            "run", "press it", "--endpoint", served.url, "--cdp", browser.address,
            "--browser", page.as_uri(), "--episode", folder,
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        with CdpPage(browser.address) as still_open:
            assert still_open.evaluate("document.body.style.background") == "rgb(0, 136, 0)"
    assert "confirmed" in result.stdout


def test_no_page_to_work_in(served: Served, tmp_path: Path) -> None:
    lost = ["--browser", (tmp_path / "nothing.html").as_uri()]
    fails(eyehand("run", "x", "--endpoint", served.url, *lost), "ERR_FILE_NOT_FOUND")
    lost = ["--cdp", "http://127.0.0.1:9"]
    fails(eyehand("run", "x", "--endpoint", served.url, *lost), "--remote-debugging-port")


def test_a_run_on_a_display_that_is_there(
    display: VirtualDisplay, served: Served, tmp_path: Path
) -> None:
    command = [*EYEHAND, "run", "look", "--display", "real", "--endpoint", served.url]
    shown = subprocess.run(
        command, env=display.env, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    recorded = Episode.open(folder)
    assert recorded.head.display["box"] == [0, 0, 640, 480] and len(recorded.steps) == 1


def test_a_run_on_a_wayland_desktop_that_is_there(served: Served, tmp_path: Path) -> None:
    command = [*EYEHAND, "run", "look", "--display", "real", "--endpoint", served.url]
    with open_sway() as env:
        shown = subprocess.run(
            command, env=os.environ | env, cwd=tmp_path, capture_output=True, text=True, check=False
        )
    assert shown.returncode == 0, shown.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    recorded = Episode.open(folder)
    assert recorded.head.display["box"] == [0, 0, 640, 480] and len(recorded.steps) == 1


def test_giving_up_is_a_failure_that_is_explained(served: Served, tmp_path: Path) -> None:
    served.texts[:] = ["I would rather not."]
    result = eyehand("run", "x", "--endpoint", served.url, "--episode", tmp_path / "run")
    assert result.exit_code == 1
    assert result.stderr.startswith("eyehand: failed: 3 unusable answers in a row")
    assert len(Episode.open(tmp_path / "run").steps) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_run_in_order(served: Served, tmp_path: Path, number: int) -> None:
    """The server does not answer: the run must not wait for it."""
    served.go.clear()
    folder = tmp_path / "run"
    command = [*EYEHAND, "run", "x", "--endpoint", served.url, "--episode", str(folder)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    with process:
        assert served.asked.wait(60)
        displays = children(process.pid)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors == "eyehand: stopped: stopped by its user\n"
    outcome = Episode.open(folder).outcome
    assert outcome is not None and outcome.end == "stopped"
    assert displays and not any(Path(f"/proc/{pid}").exists() for pid in displays)


def children(parent: int) -> list[int]:
    """Process ids of the direct children of a process."""
    tasks = Path(f"/proc/{parent}/task").iterdir()
    return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]


def test_ctrl_c_before_the_run_is_quiet(tmp_path: Path) -> None:
    """While a page is opened that never comes, nothing is recorded yet."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        process = subprocess.Popen(
            [*EYEHAND, "run", "x", "--endpoint", url], stderr=subprocess.PIPE, text=True
        )
        with process:
            silent.accept()[0].close()
            time.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in errors


def test_eval_prints_a_table_and_writes_it(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "x" / "table.json"
    result = eyehand(
        "eval", "miniwob", "--tasks", "click-test", "--seeds", "1", "--first-seed", "7",
        "--endpoint", served.url, "--json", file,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "click-test" in result.stdout and "random clicks" in result.stdout
    table = json.loads(file.read_text())
    assert table["conditions"]["first_seed"] == 7 and table["mean"] == 0


@pytest.mark.parametrize("size", ["640", "0x480", "-1x5", "640x480x1", "axb"])
def test_a_size_that_makes_no_sense_is_refused(size: str) -> None:
    result = eyehand("run", "x", "--endpoint", "http://127.0.0.1:9/v1", "--size", size)
    assert result.exit_code == 2
    assert "expected a size such as 640x480" in " ".join(result.output.split())
