"""The agent's loop: pure runs on a scripted backend, and real ones on a real display."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from actions.backends.scripted import Kind, ScriptedBackend
from actions.backends.x11 import X11Backend
from actions.executor import Executor
from actions.guard import Guard, Permission, Rule
from actions.receipt import Outcome
from actions.space import Action, Button, Click
from agent.environments.display import VirtualDisplay
from agent.episodes.errors import RecordingFailed
from agent.episodes.format import End, Head
from agent.episodes.reader import Episode
from agent.episodes.writer import EpisodeWriter
from agent.loop import Agent
from agent.policies.base import Decision, Observation, Policy, PolicyError
from agent.policies.scripted import ScriptedPolicy
from agent.run import Patience, RunResult, Task
from tests.agent.loop_kit import CLICK, DONE, SWIFT, Bench, Changing, Diary, Still, script
from vision.capture import CaptureError, Screen
from vision.frame import Frame
from vision.geometry import Box, Point


def test_a_run_from_look_to_record(tmp_path: Path) -> None:
    bench = script(tmp_path, CLICK, DONE)
    result = bench.run()
    assert result == RunResult(End.FINISHED, 2, "all done")
    assert [event.kind for event in bench.backend.events][-2:] == [Kind.BUTTON_DOWN, Kind.BUTTON_UP]
    assert bench.backend.pointer() == Point(100, 50)
    episode = bench.episode()
    assert [step.text for step in episode.steps] == [CLICK, DONE]
    assert episode.steps[0].screen_actions[0]["point"] == [100, 50]
    assert episode.outcome is not None and episode.outcome.end == "finished"
    assert bench.diary.told[0] == "press OK" and bench.diary.told[-1] == result
    assert [step.number for step in bench.diary.steps] == [1, 2]


def test_receipts_and_words_come_back_as_history(tmp_path: Path) -> None:
    bench = script(tmp_path, CLICK, DONE)
    bench.run()
    assert isinstance(bench.policy, ScriptedPolicy)
    (turn,) = bench.policy.seen[1].history
    assert turn.text == CLICK
    assert turn.feedback == "Click: no visible effect. the screen did not change"


@pytest.mark.parametrize(
    ("text", "end", "message"),
    [
        (DONE, End.FINISHED, "all done"),
        ("Action: call_user()", End.CALL_USER, ""),
    ],
)
def test_actions_that_end_a_run(tmp_path: Path, text: str, end: End, message: str) -> None:
    bench = script(tmp_path, text)
    assert bench.run() == RunResult(end, 1, message)
    assert bench.backend.events == ()


def test_unreadable_text_is_told_and_forgiven(tmp_path: Path) -> None:
    bench = script(tmp_path, "Action: dance()", CLICK, "no", "no", DONE)
    assert bench.run().outcome is End.FINISHED
    assert isinstance(bench.policy, ScriptedPolicy)
    feedback = [turn.feedback for turn in bench.policy.seen[-1].history]
    assert feedback[0].startswith("Your answer could not be read: expected")
    steps = bench.episode().steps
    assert steps[0].error is not None and steps[0].actions == () == steps[0].receipts


def test_unreadable_text_again_and_again_ends_the_run(tmp_path: Path) -> None:
    bench = script(tmp_path, *["no"] * 9)
    result = bench.run()
    assert (result.outcome, result.steps) == (End.FAILED, 3)
    assert "3 unusable answers in a row: Your answer could not be read" in result.message
    assert len(bench.episode().steps) == 3


def test_the_same_click_in_vain_is_told_and_then_ends_the_run(tmp_path: Path) -> None:
    bench = script(tmp_path, *[CLICK] * 9)
    result = bench.run()
    assert (result.outcome, result.steps) == (End.FAILED, 6)
    assert "stuck: the same action 6 times" in result.message
    told = [step.feedback.splitlines()[1:] for step in bench.diary.steps]
    assert told[:2] == [[], []]
    assert told[2] == ["You chose this 3 times on the same screen. Do something else."]


def test_the_user_says_when_an_agent_is_stuck(tmp_path: Path) -> None:
    patient = Patience(warn=2, stuck=3)
    bench = Bench(tmp_path, ScriptedPolicy([CLICK] * 9), patience=patient)
    result = bench.run()
    assert (result.outcome, result.steps) == (End.FAILED, 3)
    assert "stuck: the same action 3 times" in result.message
    assert "You chose this 2 times" in bench.diary.steps[1].feedback


def test_the_same_click_on_new_screens_is_no_circle(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ScriptedPolicy([CLICK] * 12), Changing())
    assert bench.run(max_steps=12).outcome is End.TRUNCATED


def test_step_limit(tmp_path: Path) -> None:
    bench = script(tmp_path, CLICK, CLICK, CLICK)
    assert bench.run(max_steps=2) == RunResult(End.TRUNCATED, 2, "not done after 2 steps")


def test_the_environment_ends_the_run_between_two_actions(tmp_path: Path) -> None:
    both = f"{CLICK}\n\nclick(start_box='(0,0)')"
    bench = script(tmp_path, both)
    result = bench.run(done=lambda: len(bench.backend.events) > 0, reward=lambda: 1.0)
    assert result == RunResult(End.DONE, 1, "", 1.0)
    (step,) = bench.episode().steps
    assert len(step.actions) == 2 and len(step.receipts) == 1
    outcome = bench.episode().outcome
    assert outcome is not None and outcome.reward == 1.0


def test_a_refused_action_stops_its_step_only(tmp_path: Path) -> None:
    bench = script(tmp_path, "Action: press_home()\n\npress_back()", DONE)
    assert bench.run().outcome is End.FINISHED
    (receipt,) = bench.diary.steps[0].receipts
    assert receipt.outcome is Outcome.REFUSED
    assert bench.diary.steps[0].feedback.startswith("PressHome: refused.")


def test_a_point_outside_the_picture_is_told(tmp_path: Path) -> None:
    policy = ScriptedPolicy(
        ["Action: click(start_box='(900,5)')", "Action: finished()"], "uitars-absolute"
    )
    bench = Bench(tmp_path, policy)
    assert bench.run().outcome is End.FINISHED
    assert "give coordinates inside the picture" in bench.diary.steps[0].feedback


def test_the_guard_denies_and_says_why(tmp_path: Path) -> None:
    bench = script(tmp_path, "Action: hotkey(key='ctrl alt delete')", DONE)
    assert bench.run().outcome is End.FINISHED
    (receipt,) = bench.diary.steps[0].receipts
    assert receipt.outcome is Outcome.REFUSED
    assert receipt.message == "not allowed: ctrl+alt+delete belongs to the user"
    assert bench.backend.events == ()
    assert bench.episode().steps[0].receipts[0].message == receipt.message


@pytest.mark.parametrize("agreed", [False, True])
def test_a_human_is_asked(tmp_path: Path, agreed: bool) -> None:
    asked: list[tuple[Action, str]] = []

    def consent(action: Action, reason: str) -> bool:
        asked.append((action, reason))
        return agreed

    rule = Rule(Permission.ASK, "buying needs consent", region=Box(90, 40, 110, 60))
    bench = script(tmp_path, CLICK, DONE)
    hands = Executor(bench.backend, bench.eyes, SWIFT)
    bench.agent = Agent(
        bench.policy, hands, bench.eyes, bench.recorder, guard=Guard((rule,)), consent=consent
    )
    assert bench.run().outcome is End.FINISHED
    assert asked == [(Click(Point(100, 50)), "buying needs consent")]
    clicked = any(event.kind is Kind.BUTTON_DOWN for event in bench.backend.events)
    assert clicked is agreed
    (receipt, *_) = bench.episode().steps[0].receipts
    assert agreed or receipt.message == "the user did not agree: buying needs consent"


def test_events_that_break_off_release_what_was_held(tmp_path: Path) -> None:
    policy = ScriptedPolicy([CLICK, DONE])
    bench = Bench(tmp_path, policy, backend=ScriptedBackend(fail_at=2))
    assert bench.run().outcome is End.FINISHED
    assert bench.diary.steps[0].receipts[0].outcome is Outcome.FAILED
    assert bench.backend.held_buttons == ()


def test_keys_that_the_model_left_pressed_are_released_at_the_end(tmp_path: Path) -> None:
    bench = script(tmp_path, "Action: press(key='ctrl')", DONE)
    bench.run()
    kinds = [event.kind for event in bench.backend.events]
    assert kinds == [Kind.KEY_DOWN, Kind.KEY_UP] and bench.backend.held_keys == ()


@dataclass
class Doing(Policy):
    """Does something at every decision before it says its text."""

    deed: Callable[[], None]
    text: str = CLICK

    def decide(self, observation: Observation) -> Decision:
        self.deed()
        return ScriptedPolicy([self.text]).decide(observation)

    def describe(self) -> dict[str, str]:
        return {"policy": "doing"}


def test_stop_from_another_thread(tmp_path: Path) -> None:
    asked, answer = threading.Event(), threading.Event()

    def wait() -> None:
        asked.set()
        answer.wait(10)

    bench = Bench(tmp_path, Doing(wait, "Action: press(key='shift')"))

    def stop() -> None:
        asked.wait(10)
        bench.agent.stop()
        answer.set()

    thread = threading.Thread(target=stop)
    thread.start()
    result = bench.run()
    thread.join()
    assert (result.outcome, result.steps) == (End.STOPPED, 1)
    assert bench.backend.events == () and bench.backend.held_keys == ()
    outcome = bench.episode().outcome
    assert outcome is not None and outcome.end == "stopped"


def test_stop_during_an_action_breaks_it_off(tmp_path: Path) -> None:

    class Stopper(ScriptedBackend):
        def key_down(self, key: str) -> None:
            super().key_down(key)
            threading.Timer(0.1, bench.agent.stop).start()

    backend = Stopper()
    policy = ScriptedPolicy(["Action: press(key='ctrl')\n\nwait()", DONE])
    bench = Bench(tmp_path, policy, backend=backend)
    result = bench.run()
    assert (result.outcome, result.steps) == (End.STOPPED, 1)
    assert backend.held_keys == ()
    assert [r.outcome for r in bench.episode().steps[0].receipts][-1] == "failed"


def fail(error: Exception) -> Callable[[], None]:
    def deed() -> None:
        raise error

    return deed


def test_a_policy_that_cannot_decide_fails_the_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Doing(fail(PolicyError("start the server"))))
    assert bench.run() == RunResult(End.FAILED, 0, "start the server")
    outcome = bench.episode().outcome
    assert outcome is not None and outcome.message == "start the server"


def test_a_screen_that_is_gone_fails_the_run(tmp_path: Path) -> None:
    class Gone(Still):
        def grab(self, region: Box | None = None) -> Frame:
            raise CaptureError("the display is gone")

    bench = Bench(tmp_path, ScriptedPolicy([CLICK]), Gone())
    assert bench.run() == RunResult(End.FAILED, 0, "the display is gone")


def test_a_bug_passes_through_and_still_releases_and_closes(tmp_path: Path) -> None:
    deeds = iter([lambda: None, fail(ZeroDivisionError("a bug"))])
    bench = Bench(tmp_path, Doing(lambda: next(deeds)(), "Action: press(key='ctrl')"))
    with pytest.raises(ZeroDivisionError):
        bench.run()
    assert bench.backend.held_keys == ()
    outcome = bench.episode().outcome
    assert outcome is not None and outcome.message == "ZeroDivisionError: a bug"
    assert len(bench.episode().steps) == 1


def test_ctrl_c_passes_through_and_counts_as_stopped(tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    bench = Bench(tmp_path, Doing(interrupt))
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    outcome = bench.episode().outcome
    assert outcome is not None and outcome.end == "stopped"


def test_a_long_run_does_not_hoard_screenshots(tmp_path: Path) -> None:
    policy = ScriptedPolicy([CLICK] * 20)
    bench = Bench(tmp_path, policy, Changing())
    bench.run(max_steps=20)
    kept = [turn.frame is not None for turn in policy.seen[-1].history]
    assert kept == [False] * 3 + [True] * 16
    assert [turn.text for turn in policy.seen[-1].history] == [CLICK] * 19


def test_a_reward_that_cannot_be_had_still_closes_the_record(tmp_path: Path) -> None:
    bench = script(tmp_path, DONE)
    with pytest.raises(ZeroDivisionError):
        bench.run(reward=lambda: 1 / 0)
    assert bench.episode().outcome is not None


class FullDisk(EpisodeWriter):
    """A writer whose disk fills up after the first step."""

    def wait(self) -> None:
        super().wait()
        if self.count >= 2:
            raise RecordingFailed("the disk is full; make room")


def test_a_full_disk_ends_the_run_before_the_next_action(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ScriptedPolicy([CLICK] * 5), writer=FullDisk)
    result = bench.run()
    assert result.outcome is End.FAILED and result.message == "the disk is full; make room"
    assert sum(event.kind is Kind.BUTTON_DOWN for event in bench.backend.events) == 2
    assert len(bench.episode().steps) == 2


def test_every_step_is_on_the_disk_before_the_next_one_acts(tmp_path: Path) -> None:
    counts: list[int] = []

    class Looking(ScriptedBackend):
        def button_down(self, button: Button) -> None:
            counts.append(len(bench.episode().steps))
            super().button_down(button)

    bench = Bench(tmp_path, ScriptedPolicy([*[CLICK] * 4, DONE]), backend=Looking())
    bench.run()
    assert counts == [0, 1, 2, 3]


WINDOW = """
import sys, tkinter
root = tkinter.Tk()
root.geometry("300x200+40+30")
def clicked(event):
    print("click", event.x_root, event.y_root, event.num, flush=True)
    button.configure(text="clicked", bg="green")
def typed(event):
    print("text", entry.get(), flush=True)
button = tkinter.Button(root, text="press me", bg="white")
button.place(x=100, y=50, width=100, height=40)
button.bind("<Button>", clicked)
entry = tkinter.Entry(root)
entry.place(x=50, y=120, width=200, height=30)
entry.bind("<Return>", typed)
root.update()
print("ready", flush=True)
root.mainloop()
"""


@dataclass
class Window:
    """A small real program that says what happens to it."""

    process: subprocess.Popen[str]

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@pytest.fixture
def window(display: VirtualDisplay) -> Iterator[Window]:
    process = subprocess.Popen(
        [sys.executable, "-c", WINDOW], env=display.env, stdout=subprocess.PIPE, text=True
    )
    with process:
        shown = Window(process)
        assert shown.says() == "ready"
        yield shown
        process.send_signal(signal.SIGKILL)


def test_a_real_window_is_clicked_and_typed_into(
    display: VirtualDisplay, window: Window, tmp_path: Path
) -> None:
    """640x480: the button is around (190, 100), the entry around (190, 165)."""
    texts = (
        "Thought: the button\nAction: click(start_box='(297,208)')",
        "Thought: the entry\nAction: click(start_box='(297,344)')\n\ntype(content='grüß dich\\n')",
        DONE,
    )
    with (
        Screen(display.name) as screen,
        X11Backend(display.name) as backend,
        EpisodeWriter(tmp_path / "episode", Head("press it")) as recorder,
    ):
        diary = Diary()
        agent = Agent(ScriptedPolicy(texts), Executor(backend, screen), screen, recorder, diary)
        result = agent.run(Task("press it"))
    assert result == RunResult(End.FINISHED, 3, "all done")
    assert window.says() == "click 190 99 1"
    assert window.says() == "text grüß dich"
    assert [step.receipts[0].outcome for step in diary.steps[:2]] == [Outcome.CONFIRMED] * 2
    episode = Episode.open(tmp_path / "episode")
    assert [step.thought for step in episode.steps] == ["the button", "the entry", ""]
    assert episode.frame(episode.steps[1]).digest != episode.frame(episode.steps[0]).digest


def test_while_a_person_is_at_work_nothing_is_decided(tmp_path: Path) -> None:
    class Person:
        """Asked thrice they are still busy."""

        asked = 0

        def at_work(self) -> bool:
            self.asked += 1
            return self.asked <= 3

        def visits(self) -> int:
            return 1

    bench, person = script(tmp_path, CLICK, DONE), Person()
    hands = Executor(bench.backend, bench.eyes, SWIFT, human=person)
    bench.agent = Agent(bench.policy, hands, bench.eyes, bench.recorder, bench.diary)
    assert bench.run() == RunResult(End.FINISHED, 2, "all done")
    assert bench.diary.steps[0].receipts[0].outcome is Outcome.NO_VISIBLE_EFFECT


def test_a_stop_ends_a_run_that_waits_for_a_person(tmp_path: Path) -> None:
    class Person:
        def at_work(self) -> bool:
            bench.agent.stop()
            return True

        def visits(self) -> int:
            return 1

    bench = script(tmp_path, CLICK, DONE)
    hands = Executor(bench.backend, bench.eyes, SWIFT, human=Person())
    bench.agent = Agent(bench.policy, hands, bench.eyes, bench.recorder, bench.diary)
    assert bench.run().outcome is End.STOPPED
    assert bench.diary.steps == []
