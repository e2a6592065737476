"""Tasks on real programs: an oracle solves them, doing nothing does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent.environments.miniwob import TaskError
from agent.learning.desktop.stage import TASKS, DesktopStage
from agent.learning.evaluate import evaluate
from agent.policies.scripted import ScriptedPolicy

QUICK = ["dialog-tick", "l3afpad-append", "galculator-multiply"]
"""One that is judged by its output, one by a file, one by what it writes when it is closed."""

missing = [program for program in ("yad", "l3afpad", "galculator") if not shutil.which(program)]


@pytest.mark.skipif(bool(missing), reason=f"not installed: {missing}")
@pytest.mark.timeout(300)
def test_oracles_solve_what_doing_nothing_does_not(tmp_path: Path) -> None:
    lazy = ScriptedPolicy(["Thought: Done.\nAction: finished()"] * len(QUICK))
    table = evaluate(
        lazy, QUICK, seeds=1, stage=DesktopStage, random_seeds=0, oracle_seeds=1, failures=tmp_path
    )
    assert [row.policy.solved for row in table.rows] == [0, 0, 0]
    assert [row.oracle and row.oracle.solved for row in table.rows] == [1, 1, 1]
    assert {path.name.rsplit("-", 1)[0] for path in tmp_path.iterdir()} == set(QUICK)


def test_unknown_tasks_are_named_before_anything_starts() -> None:
    with pytest.raises(TaskError, match="dialog-nothing"):
        DesktopStage.check(["dialog-tick", "dialog-nothing"])


def test_there_are_tasks_for_gtk_qt_and_the_web() -> None:
    programs = {program for task in TASKS.values() for program, _ in task.needs}
    assert programs >= {"yad", "galculator", "speedcrunch", "featherpad", "sqlite_web"}
    assert 10 <= len(TASKS) <= 20
