"""Tests in plain language: fixtures, pictures of a failure, JUnit, several workers."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from agent.episodes.reader import Episode
from agent.episodes.verify import verify
from agent.testing.tester import wanted

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
import tkinter
root = tkinter.Tk()
root.geometry("320x240+0+0")
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
APP = f"{sys.executable} {Path(__file__).with_name('app.py')}"

def test_it_saves(desktop, agent):
    desktop.start(APP)
    agent.do("Click Save")
    agent.expect('a label that says "waiting"')

def test_what_is_not_there(desktop, agent):
    desktop.start(APP)
    agent.do("Click Save")
    agent.expect("a dialog that says Deleted", within=0.5)
"""


def run_pytest(folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder).stdout


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("suite")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "app.py").write_text(APP)
    (folder / "test_app.py").write_text(TESTS)
    return folder, run_pytest(folder, "-n", "2", "--junitxml=junit.xml", "-rA")


def test_plain_language_steps_pass_and_fail(outcome: tuple[Path, str]) -> None:
    _, told = outcome
    assert "PASSED test_app.py::test_it_saves" in told, told
    assert "expected 'a dialog that says Deleted': the model does not see it" in told
    assert "1 failed, 1 passed" in told


def test_a_failure_is_shown_in_one_offline_file_that_junit_names(outcome: tuple[Path, str]) -> None:
    folder, _ = outcome
    [failed] = ET.parse(folder / "junit.xml").iter("failure")  # noqa: S314  # our own file
    [case] = [
        case
        for case in ET.parse(folder / "junit.xml").iter("testcase")  # noqa: S314
        if case.find("failure") is not None
    ]
    assert failed.text
    properties = {p.get("name"): p.get("value") for p in case.iter("property")}
    page = Path(str(properties["eyehand_report"])).read_text()
    assert re.findall(r"<figcaption>(.*?)<", page) == ["Before", "After", "What differs"]
    assert "http" not in page.replace("http-equiv", "")
    assert "Deleted" in page and page.count("data:image/png") == 3


def test_every_test_leaves_its_episode(outcome: tuple[Path, str]) -> None:
    folder, _ = outcome
    episodes = sorted((folder / "eyehand-results").glob("*/episode"))
    assert len(episodes) == 2 and all(verify(path).ok for path in episodes)
    ends = [Episode.open(path).outcome for path in episodes]
    assert [end.end for end in ends if end is not None] == ["done", "failed"]
    assert len(Episode.open(episodes[0]).steps) == 1


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
