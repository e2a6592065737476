"""Tests in plain language: fixtures, pictures of a failure, JUnit, several workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from actions.guard import Guard
from agent.episodes.reader import Episode
from agent.episodes.replay import replay
from agent.episodes.rules import rules_json
from agent.episodes.verify import verify
from agent.policies.scripted import ScriptedPolicy
from agent.testing.desktop import Desktop
from agent.testing.tester import Tester, wanted
from vision.geometry import Size

CONFTEST = """
import pytest
from agent.policies.base import Policy
from agent.policies.scripted import ScriptedPolicy

class Eyes(Policy):
    '''Understands "Click X" for what it was told the place of; sees nothing else.'''

    places = {"Save": (220, 300), "waiting": (200, 790)}

    def decide(self, observation):
        word = observation.instruction.removeprefix("Click ").removeprefix("on ").strip('"')
        told = "call_user()"
        if word in self.places:
            told = "click(start_box='(%d,%d)')" % self.places[word]
        return ScriptedPolicy([f"Action: {told}"]).decide(observation)

    def describe(self):
        return {"policy": "eyes"}

@pytest.fixture(scope="session")
def eyehand_policy():
    return Eyes()
"""
APP = """
import sys
import tkinter
root = tkinter.Tk()
root.geometry("320x240+0+0")
root.configure(bg=sys.argv[1])
label = tkinter.Label(root, text="waiting")
label.place(x=20, y=180)
tkinter.Button(root, text="Save it", command=lambda: label.configure(bg="red")).place(x=40, y=60)
root.mainloop()
"""
TESTS = """
import sys
from pathlib import Path
import pytest

pytestmark = pytest.mark.desktop(320, 240)
APP = f"{sys.executable} {Path(__file__).with_name('app.py')} white"

def test_it_saves(desktop, agent):
    desktop.start(APP)
    agent.do("Click Save")
    agent.expect('a label that says "waiting"')

def test_what_is_not_there(desktop, agent):
    desktop.start(APP)
    agent.do("Click Save")
    agent.expect("a dialog that says Deleted", within=0.5)

def test_as_recorded(desktop, replay):
    desktop.start(APP)
    assert replay("recorded").matched == 1

def test_another_color(desktop, replay):
    desktop.start(APP.replace("white", "blue"))
    replay("recorded", patience=0.2)
"""


def run_pytest(folder: Path, *options: str) -> str:
    """Without other people's plugins, which take longer to load than the tests run."""
    plugins = ("-p", "no:cacheprovider", "-p", "xdist", "-p", "agent.episodes.pytest_plugin")
    command = [sys.executable, "-m", "pytest", *plugins, *options, str(folder)]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env=alone
    )
    return done.stdout


def record(folder: Path, app: Path) -> None:
    """An episode of the app, made as a test makes one."""
    policy = ScriptedPolicy(["Action: click(start_box='(220,300)')"])
    with Desktop(Size(320, 240)) as desktop:
        desktop.start(f"{sys.executable} {app} white")
        tester = Tester(desktop, policy, folder)
        tester.do("Click Save")
        tester.close(passed=True)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("suite")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "app.py").write_text(APP)
    (folder / "test_app.py").write_text(TESTS)
    record(folder / "recorded", folder / "app.py")
    return folder, run_pytest(folder, "-n", "2", "--junitxml=junit.xml", "-rA")


def test_plain_language_steps_pass_and_fail(outcome: tuple[Path, str]) -> None:
    _, told = outcome
    assert "PASSED test_app.py::test_it_saves" in told, told
    assert "expected 'a dialog that says Deleted': the model does not see it" in told
    assert "2 failed, 2 passed" in told


def failure(folder: Path, name: str) -> str:
    """The page of a failed test, as the JUnit file names it."""
    cases = ET.parse(folder / "junit.xml").iter("testcase")  # noqa: S314  # our own file
    (case,) = (case for case in cases if case.get("name") == name)
    assert case.find("failure") is not None
    properties = {p.get("name"): p.get("value") for p in case.iter("property")}
    return Path(str(properties["eyehand_report"])).read_text()


def test_a_replay_passes_where_screens_match_and_else_shows_what_was_expected(
    outcome: tuple[Path, str],
) -> None:
    folder, told = outcome
    assert "PASSED test_app.py::test_as_recorded" in told, told
    assert "0 of 1 screens match" in told
    page = failure(folder, "test_another_color")
    assert re.findall(r"<figcaption>(.*?)<", page) == ["After", "Expected", "What differs"]


def test_a_failure_is_shown_in_one_offline_file_that_junit_names(outcome: tuple[Path, str]) -> None:
    folder, _ = outcome
    page = failure(folder, "test_what_is_not_there")
    assert re.findall(r"<figcaption>(.*?)<", page) == ["Before", "After", "What differs"]
    assert "http" not in page.replace("http-equiv", "")
    assert "Deleted" in page and page.count("data:image/png") == 3


def test_every_test_leaves_its_episode(outcome: tuple[Path, str]) -> None:
    folder, _ = outcome
    episodes = sorted((folder / "eyehand-results").glob("*/episode"))
    assert len(episodes) == 4 and all(verify(path).ok for path in episodes)
    opened = {path.parent.name.rpartition("-")[2]: Episode.open(path) for path in episodes}
    ends = {name: each.outcome.end for name, each in opened.items() if each.outcome is not None}
    assert ends["test_it_saves"] == "done" and ends["test_what_is_not_there"] == "failed"
    saved = opened["test_it_saves"]
    assert len(saved.steps) == 1 and replay(saved.path).ok
    # The guard's rules are kept, so that a replay judges by the same ones.
    assert saved.head.rules == rules_json(Guard().rules)
    assert saved.head.display == {"box": [0, 0, 320, 240]}


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("a dialog that says Saved", "Saved"),
        ('a dialog that says "All saved."', "All saved."),
        ("the button called OK", "OK"),
        ("a red circle", "a red circle"),
    ],
)
def test_the_words_to_look_for(what: str, words: str) -> None:
    assert wanted(what) == words
