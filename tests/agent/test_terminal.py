"""What people see of a run: one safe line per step."""

from __future__ import annotations

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from actions.receipt import Outcome, Receipt
from actions.space import Action, Click, Step, Type, Wait
from agent.episodes.format import End
from agent.policies.base import Decision
from agent.run import RunResult, StepReport
from agent.terminal import TerminalView, one_line
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point, Size

FRAME = Frame(np.zeros((60, 80, 3), np.uint8), Box(0, 0, 80, 60))
SPACE = CoordinateMap(FRAME.box, Size(80, 60))


def step(
    thought: str, *actions: Action, outcome: Outcome = Outcome.CONFIRMED, message: str = ""
) -> StepReport:
    """A step that went through, or whose only receipt says why not."""
    decision = Decision("", SPACE, Step(thought, actions))
    receipts = tuple(Receipt(action, outcome, message) for action in actions)
    return StepReport(3, FRAME, decision, actions, receipts, "", 123.4)


def shown(*steps: StepReport, terminal: bool = False, width: int = 80) -> str:
    """The view of a whole run, as bytes on the terminal or in a file."""
    out = io.StringIO()
    view = TerminalView(
        Console(file=out, highlight=False, width=width, force_terminal=terminal, color_system=None)
    )
    view.started("press OK")
    for report in steps:
        view.stepped(report)
    view.ended(RunResult(End.FINISHED, len(steps), "all done"))
    return out.getvalue()


def test_a_file_gets_whole_plain_lines() -> None:
    long = "a thought that is far longer than any terminal " * 5
    lines = shown(step(long, Click(Point(40, 30)))).splitlines()
    assert lines == [
        "task  press OK",
        f"   3  {long.strip()}  click (40, 30)  confirmed  123 ms",
        "finished  after 1 step: all done",
    ]


def test_a_terminal_gets_one_line_per_step_and_a_status() -> None:
    text = shown(step("long " * 50, Wait()), terminal=True)
    assert "step 1 ..." in text and "step 4 ..." in text
    (line,) = [line for line in text.splitlines() if "long long" in line]
    assert "…  wait 5 s  confirmed  123 ms" in line


def test_trouble_is_told() -> None:
    refused = step("", Wait(), outcome=Outcome.REFUSED, message="not here")
    assert "wait 5 s  refused: not here" in shown(refused)
    unread = StepReport(1, FRAME, Decision("x", SPACE, error="expected y"), (), (), "", 1)
    assert "unreadable: expected y" in shown(unread)


def test_models_cannot_draw_on_the_terminal() -> None:
    nasty = "\x1b[2J[bold]red[/bold]\nnext"
    text = shown(step(nasty, Type(nasty)))
    assert "\x1b" not in text and len(text.splitlines()) == 3
    assert "[bold]red[/bold] next" in text


@given(st.text())
def test_one_line_is_one_printable_line(text: str) -> None:
    assert one_line(text).isprintable()
