"""Agent replay and environment replay, on real models and live programs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from actions.backends.x11 import X11Backend
from actions.dialects import render
from actions.executor import Executor
from actions.space import Action, CallUser, Click, Finished, Hotkey, Step, Type
from agent.environments.display import VirtualDisplay
from agent.environments.program import ProgramError, program
from agent.episodes.agent_replay import agent_replay
from agent.episodes.environment_replay import EnvironmentReplay, EnvironmentReport, layout
from agent.episodes.errors import BrokenEpisode
from agent.episodes.find import NotFound, correlate, find
from agent.episodes.format import Head
from agent.episodes.reader import Episode
from agent.episodes.writer import EpisodeWriter
from agent.loop import Agent
from agent.policies.base import Observation
from agent.policies.local import local_policy
from agent.policies.scripted import ScriptedPolicy
from agent.run import Task
from vision.capture import Screen
from vision.frame import Frame
from vision.geometry import Point, Size

LOGIN = Path(__file__).parents[1] / "data/episodes/login"
SIZE = Size(320, 240)
APP = """
import sys, tkinter
root = tkinter.Tk()
root.geometry("320x240+0+0")
root.configure(bg="white")
x, word = int(sys.argv[1]), sys.argv[2]
label = tkinter.Label(root, text="waiting", bg="white")
label.place(x=20, y=180)
button = tkinter.Button(root, text=word, command=lambda: label.configure(text="pressed", bg="red"))
button.place(x=x, y=60)
root.mainloop()
"""


@contextmanager
def live(x: int, word: str = "Save it") -> Iterator[tuple[Executor, Screen]]:
    with (
        VirtualDisplay(SIZE) as display,
        program([sys.executable, "-c", APP, str(x), word], display.name, display.env),
        Screen(display.name) as screen,
        X11Backend(display.name) as backend,
    ):
        time.sleep(0.3)
        yield Executor(backend, screen, fail_safe=False), screen


def texts(*actions: Action) -> list[str]:
    return [render(Step("", (action,)), "uitars") for action in actions]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("live") / "e"
    with live(40) as (executor, screen):
        policy = ScriptedPolicy(texts(Click(Point(220, 300)), Finished()))
        agent = Agent(policy, executor, screen, EpisodeWriter(path, Head("save")))
        assert agent.run(Task("save")).outcome == "finished"
    return path


def replayed(
    path: Path, x: int, word: str = "Save it", guide: ScriptedPolicy | None = None
) -> EnvironmentReport:
    with live(x, word) as (executor, screen):
        return EnvironmentReplay(
            Episode.open(path), executor, screen, patience=1.5, guide=guide and (lambda: guide)
        ).run()


def test_the_same_application_shows_the_same_screens(recorded: Path) -> None:
    report = replayed(recorded, 40)
    assert report.ok and report.matched == 2, str(report)


def test_a_target_that_moved_is_found_again(recorded: Path) -> None:
    report = replayed(recorded, 150)
    assert [passage.moved for passage in report.passages] == [Point(110, 0), None]
    assert not any(passage.halted for passage in report.passages)
    assert "the target moved by (+110, +0)" in str(report)


def test_a_target_that_is_gone_halts_the_replay(recorded: Path) -> None:
    report = replayed(recorded, 40, "Xyzzy42")
    [passage] = report.passages
    assert not report.ok and "step 0" in str(report)
    assert "the target at (70, 72): it is nowhere on the screen" in passage.halted


def test_a_target_that_looks_different_is_found_by_its_description(recorded: Path) -> None:
    guide = ScriptedPolicy(texts(Click(Point(560, 300))))
    report = replayed(recorded, 150, "Keep", guide)
    assert guide.seen[0].instruction == "save"
    first = report.passages[0]
    assert first.described and first.moved == Point(109, 0) and not first.halted
    assert "found by its description" in str(report)


def test_a_description_that_fits_nothing_halts_the_replay(recorded: Path) -> None:
    report = replayed(recorded, 40, "Xyzzy42", ScriptedPolicy(texts(CallUser())))
    [passage] = report.passages
    assert "and the model does not see 'save'" in passage.halted
    report = replayed(recorded, 40, "Xyzzy42", ScriptedPolicy(()))
    assert "no model could be asked" in report.passages[0].halted


def test_another_screen_and_withheld_text_halt_the_replay(tmp_path: Path) -> None:
    frame = Frame(np.zeros((10, 10, 3), np.uint8), layout(Episode.open(LOGIN))[1])
    with live(40) as (executor, screen):
        with EpisodeWriter(tmp_path / "e", Head("x")) as writer:
            policy = ScriptedPolicy(texts(Type("[withheld]"), Hotkey(("ctrl", "alt", "delete"))))
            for shown in (screen.grab(), frame):
                decision = policy.decide(Observation("x", shown))
                assert decision.step is not None
                writer.append(shown, decision, decision.step.actions)
        replay = EnvironmentReplay(Episode.open(tmp_path / "e"), executor, screen, patience=0.5)
        [passage] = replay.run().passages
        assert "withheld from the recording" in passage.halted


def test_a_program_that_is_not_installed_is_a_clear_error() -> None:
    for command, told in (
        ("no-such-program --x", "no-such-program"),
        ("false", "without a window"),
    ):
        with (
            VirtualDisplay(SIZE) as display,
            pytest.raises(ProgramError, match=told),
            program(command, display.name, display.env),
        ):
            pass


def test_an_episode_without_steps_has_nothing_to_replay(tmp_path: Path) -> None:
    with EpisodeWriter(tmp_path / "e", Head("x")):
        pass
    with pytest.raises(BrokenEpisode, match="no steps"):
        layout(Episode.open(tmp_path / "e"))


def test_correlation_is_that_of_the_definition() -> None:
    rng = np.random.default_rng(1)
    picture, crop = rng.uniform(0, 255, (20, 30)), rng.uniform(0, 255, (5, 7))
    fast = correlate(crop, picture)
    for row in range(16):
        for column in range(24):
            window = picture[row : row + 5, column : column + 7]
            assert fast[row, column] == pytest.approx(
                np.corrcoef(window.ravel(), crop.ravel())[0, 1], abs=1e-6
            )


def test_what_is_in_two_places_or_flat_is_not_guessed() -> None:
    rng = np.random.default_rng(2)
    mark = rng.integers(0, 255, (12, 12, 3), np.uint8)
    picture = np.full((100, 100, 3), 200, np.uint8)
    picture[10:22, 10:22] = picture[70:82, 50:62] = mark
    with pytest.raises(NotFound, match="several places"):
        find(mark, picture, Point(30, 30))
    assert find(mark, picture, Point(50, 70)).corner == Point(50, 70)
    with pytest.raises(NotFound, match="nothing to find it by"):
        find(np.full((12, 12, 3), 9, np.uint8), picture, Point(80, 5))


def test_the_same_model_decides_the_same_again(tmp_path: Path) -> None:
    policy = local_policy()
    with live(40, "ok") as (executor, screen):
        writer = EpisodeWriter(tmp_path / "e", Head("Click ok", policy=policy.describe()))
        Agent(policy, executor, screen, writer).run(Task("Click ok", max_steps=2))
    report = agent_replay(tmp_path / "e", policy)
    assert report.ok and report.same_weights, str(report)
    assert report.texts == report.actions == report.steps > 1


def test_another_model_gives_a_rate_of_agreement() -> None:
    steps = Episode.open(LOGIN).steps
    script = [step.text for step in steps]
    script[1] = "Action: click(start_box='(500,500)')"
    report = agent_replay(LOGIN, ScriptedPolicy(script))
    assert report.ok and not report.same_weights
    assert (report.steps, report.texts, report.actions) == (6, 5, 5)
    assert "step 1, decision" in str(report)
