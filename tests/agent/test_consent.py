"""A person is asked: at a real terminal, perhaps on the very display that the agent drives."""

from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from actions.backends.scripted import Kind
from actions.executor import Executor
from actions.guard import Guard, Permission, Rule
from actions.receipt import Outcome
from actions.space import Action, Click
from agent.episodes.format import End
from agent.episodes.reader import Episode
from agent.loop import Agent
from agent.terminal import TerminalView
from tests.agent.loop_kit import CLICK, DONE, SWIFT, Bench, script
from vision.geometry import Point

RULES = (Rule(Permission.ASK, "buying needs consent", kinds=frozenset({"click"})),)

RUN = """
import sys
from pathlib import Path
from actions.backends.scripted import ScriptedBackend
from actions.guard import Guard, Permission, Rule
from agent.policies.scripted import ScriptedPolicy
from agent.run import Task
from agent.session import work
from agent.terminal import TerminalView
from tests.agent.loop_kit import CLICK, DONE, Still

rule = Rule(Permission.ASK, "buying needs consent", kinds=frozenset({"click"}))
view, policy = TerminalView(), ScriptedPolicy([CLICK, DONE])
work(
    Task("buy"), policy, Still(), ScriptedBackend(), Path(sys.argv[1]), view,
    guard=Guard((rule,)), consent=view.consent,
)
"""


def answered(folder: Path, answer: bytes | None) -> Episode:
    """The record of a run in a terminal, whose question got that answer; None interrupts it."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "dumb"}
    child = subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder)], stdin=theirs, stdout=theirs, stderr=theirs,
        env=env, start_new_session=True,
    )  # fmt: skip
    try:
        said = b""
        while b"[y/N]" not in said:
            said += os.read(ours, 4096)
        assert b"buying needs consent" in said
        if answer is None:
            child.send_signal(signal.SIGINT)
        else:
            os.write(ours, answer)
        assert child.wait(120) == 0
    finally:
        child.kill()
        child.wait()
        os.close(theirs)
        os.close(ours)
    return Episode.open(folder)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [(b"y\n", "no_visible_effect"), (b"\n", "refused"), (b"no\n", "refused"), (b"\x04", "refused")],
)
def test_what_is_said_at_a_terminal_counts(tmp_path: Path, answer: bytes, outcome: str) -> None:
    episode = answered(tmp_path / "run", answer)
    assert episode.outcome is not None and episode.outcome.end == "finished"
    assert [receipt.outcome for receipt in episode.steps[0].receipts] == [outcome]


def test_ctrl_c_at_the_question_ends_the_run(tmp_path: Path) -> None:
    episode = answered(tmp_path / "run", None)
    assert episode.outcome is not None and episode.outcome.end == "stopped"
    (receipt,) = episode.steps[0].receipts
    assert (receipt.outcome, receipt.message) == ("refused", "stopped by its user")


def test_without_a_terminal_nobody_agrees() -> None:
    assert not TerminalView(Console(file=io.StringIO())).consent(Click(Point(1, 1)), "why")


def bench_with(
    folder: Path, guard: Guard, consent: Callable[[Action, str], bool], **hands: object
) -> Bench:
    bench = script(folder, CLICK, DONE)
    executor = Executor(bench.backend, bench.eyes, SWIFT, **hands)  # type: ignore[arg-type]
    bench.agent = Agent(
        bench.policy, executor, bench.eyes, bench.recorder, bench.diary, guard=guard,
        consent=consent,
    )  # fmt: skip
    return bench


def clicks(bench: Bench) -> int:
    return sum(event.kind is Kind.BUTTON_DOWN for event in bench.backend.events)


def test_who_answers_on_the_same_display_is_waited_for(tmp_path: Path) -> None:
    """Their keys pause the agent, as all keys of a person do."""

    class Person:
        looks = 0

        def at_work(self) -> bool:
            self.looks -= 1
            return self.looks >= 0

        def visits(self) -> int:
            return 1

    person = Person()

    def consent(_action: Action, _reason: str) -> bool:
        person.looks = 3
        return True

    bench = bench_with(tmp_path, Guard(RULES), consent, human=person)
    assert bench.run().outcome is End.FINISHED
    assert clicks(bench) == 1


def test_what_another_window_would_get_by_now_is_refused(tmp_path: Path) -> None:
    windows = ["the shop"]

    def window(_point: Point | None) -> str:
        return windows[-1]

    def consent(_action: Action, _reason: str) -> bool:
        windows.append("the terminal in which this was asked")
        return True

    bench = bench_with(tmp_path, Guard(RULES, window=window), consent)
    assert bench.run().outcome is End.FINISHED
    assert clicks(bench) == 0
    (receipt,) = bench.diary.steps[0].receipts
    assert receipt.outcome is Outcome.REFUSED
    assert receipt.message == "another window would get this by now; look again"
