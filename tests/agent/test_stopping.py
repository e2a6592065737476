"""`eyehand stop` against real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from agent.stopping import announced, stop_all

RUN = """
import sys, time
from pathlib import Path
from agent.stopping import announced

try:
    with announced(Path(sys.argv[1])):
        print("ready", flush=True)
        time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def start(folder: Path) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    return child


def test_every_run_is_interrupted(tmp_path: Path) -> None:
    children = [start(tmp_path) for _ in range(2)]
    assert stop_all(tmp_path) == 2
    for child in children:
        assert child.communicate()[0] == "interrupted\n"
    assert stop_all(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_killed_is_not_mistaken_for_another_process(tmp_path: Path) -> None:
    child = start(tmp_path)
    child.kill()
    child.communicate()
    assert [path.name for path in tmp_path.iterdir()] == [str(child.pid)]
    assert stop_all(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_command_stops_them_without_importing_the_rest_of_the_command_line(
    tmp_path: Path,
) -> None:
    child = start(tmp_path / "eyehand")
    stop = [sys.executable, "-X", "importtime", "-m", "agent", "stop"]
    env = {"XDG_RUNTIME_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    stopped, again = (subprocess.run(stop, env=env, capture_output=True, text=True) for _ in "ab")
    assert child.communicate()[0] == "interrupted\n"
    assert (stopped.returncode, stopped.stdout) == (0, "stopped  1\n")
    assert "agent.stopping" in stopped.stderr and "typer" not in stopped.stderr
    assert again.returncode == 1
    assert again.stderr.splitlines()[-1] == "eyehand: nothing is running"


def test_nothing_is_announced_before_or_after(tmp_path: Path) -> None:
    place = tmp_path / "runs"
    assert stop_all(place) == 0
    with announced(place):
        assert [path.name for path in place.iterdir()] == [str(os.getpid())]
        assert place.stat().st_mode & 0o077 == 0
    assert list(place.iterdir()) == []
