from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from actions.dialects import parse, render
from actions.guard import Guard
from actions.space import Click, Step
from agent.environments.miniwob import TaskError
from agent.episodes.errors import EpisodeInUse
from agent.episodes.format import End
from agent.episodes.reader import Episode
from agent.episodes.replay import replay
from agent.episodes.rules import rules_json
from agent.learning.evaluate import evaluate
from agent.learning.playing import Threads
from agent.learning.scores import Rollout, Tally, solved_every_time, wilson
from agent.learning.tiers import tasks_named, tiers
from agent.policies.base import Decision, Observation, Policy, PolicyError
from agent.policies.random import RandomPolicy
from agent.policies.scripted import ScriptedPolicy
from tests.agent.killing import BrowserKiller
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point, Size


class ButtonFinder(Policy):
    """Clicks the middle of whatever is not white below the instruction: solves click-test."""

    def decide(self, observation: Observation) -> Decision:
        frame = observation.frame
        rows, columns = np.nonzero((frame.pixels[52:] < 250).any(axis=2))
        middle = Point(float(np.median(columns)), float(np.median(rows)) + 52)
        space = CoordinateMap(frame.box, Size(frame.width, frame.height))
        x, y = space.to_model(Point(int(middle.x), int(middle.y)))
        step = Step("", (Click(Point(round(x), round(y))),))
        return Decision(render(step), space, step)

    def describe(self) -> dict[str, str]:
        return {"policy": "button finder"}


class Saboteur(ButtonFinder):
    """Ends the browser before some of its decisions, as a crash would."""

    def __init__(self, *kills: bool) -> None:
        self._kills = iter(kills)
        self._killer = BrowserKiller()

    def decide(self, observation: Observation) -> Decision:
        if next(self._kills):
            self._killer.kill()
        return super().decide(observation)


def rollout(solved: bool, steps: int = 2, milliseconds: float = 100.0) -> Rollout:
    return Rollout("task", 1, float(solved), solved, steps, milliseconds, End.DONE)


def test_a_policy_is_scored_next_to_random_clicks(tmp_path: Path) -> None:
    told: list[Rollout] = []
    table = evaluate(
        ButtonFinder(),
        ["click-test", "click-dialog"],
        seeds=2,
        max_steps=2,
        random_seeds=1,
        failures=tmp_path,
        progress=told.append,
    )
    test, dialog = table.rows
    assert (test.task, test.policy.solved, test.policy.rollouts) == ("click-test", 2, 2)
    assert test.policy.steps == 1
    assert test.random is not None
    assert test.random.rollouts == 1
    assert dialog.policy.solved == 0
    assert table.mean == 0.5
    assert tuple(told[:4]) == table.rollouts
    assert len(told) == 4 + 2
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {"click-dialog-1201539860", "click-dialog-1201539861"}
    assert json.loads(json.dumps(table.to_json()))["rows"][0]["policy"]["solved"] == 2
    console = Console(width=100, record=True, file=Path(os.devnull).open("w"))  # noqa: SIM115
    console.print(table.to_rich())
    console.file.close()
    assert "100% (34%–100%)" in console.export_text()


class Fickle(ButtonFinder):
    """Clicks the corner at every second decision."""

    def __init__(self) -> None:
        self._asked = 0

    def decide(self, observation: Observation) -> Decision:
        self._asked += 1
        if self._asked % 2:
            return super().decide(observation)
        frame, step = observation.frame, Step("", (Click(Point(0, 999)),))
        return Decision(render(step), CoordinateMap(frame.box, Size(1000, 1000)), step)


def test_repeats_tell_luck_from_skill(tmp_path: Path) -> None:
    lucky = evaluate(
        Fickle(), ["click-test"], 1, max_steps=1, repeats=2, random_seeds=0, failures=tmp_path
    )
    assert (lucky.mean, lucky.every_time) == (0.5, 0)
    assert lucky.conditions["repeats"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["click-test-1201539860-2"]
    assert "0.0% of the pages solved 2 times of 2" in str(lucky.to_rich().caption)


def test_only_pages_without_a_failure_count_as_solved_every_time() -> None:
    played = [replace(rollout(solved), seed=seed) for seed, solved in enumerate((True, False))]
    assert solved_every_time([*played, *played]) == 0.5
    assert solved_every_time([*played, replace(played[0], solved=False)]) == 0


def test_two_workers_play_what_one_would_and_in_order() -> None:
    tasks = ["click-test", "click-dialog"]
    one, two = (
        evaluate(ButtonFinder(), tasks, 2, max_steps=2, random_seeds=0, crew=Threads(workers))
        for workers in (1, 2)
    )
    verdicts = [[(r.task, r.seed, r.solved) for r in table.rollouts] for table in (one, two)]
    assert verdicts[0] == verdicts[1]


def test_one_worker_that_fails_ends_all() -> None:
    with pytest.raises(PolicyError, match="the script ended"):
        evaluate(ScriptedPolicy([]), ["click-test"], seeds=6, random_seeds=0, crew=Threads(2))


def test_groups_name_tasks_and_every_task_is_in_one_of_them() -> None:
    groups = tiers()
    kinds = [
        set(names) for name, names in groups.items() if name not in ("pix2act", "held-out", "all")
    ]
    assert sum(map(len, kinds)) == len(set.union(*kinds)) == 130
    assert [len(groups[name]) for name in ("one-click", "geometry", "pix2act")] == [19, 6, 58]
    assert set.union(*kinds) <= set(groups["all"])
    assert tasks_named("click-test, held-out,click-test")[0] == "click-test"
    assert len(tasks_named("click-test,held-out")) == 13


def test_only_the_page_says_what_is_solved() -> None:
    policy = ScriptedPolicy(["Thought: Done.\nAction: finished()"])
    table = evaluate(policy, ["click-test"], seeds=1, random_seeds=0, oracle_seeds=1)
    (row,) = table.rows
    assert (row.policy.solved, row.random) == (0, None)
    assert row.oracle is not None  # which sees the page itself
    assert (row.oracle.solved, row.oracle.rollouts) == (1, 1)
    assert table.rollouts[0].outcome == End.FINISHED


def test_an_episode_keeps_the_rules_and_the_screen_that_it_was_played_with(tmp_path: Path) -> None:
    policy = ScriptedPolicy(["Thought: Done.\nAction: finished()"])
    evaluate(policy, ["click-test"], seeds=1, random_seeds=0, failures=tmp_path / "failures")
    (folder,) = (tmp_path / "failures").iterdir()
    head = Episode.open(folder).head
    assert head.rules == rules_json(Guard().rules)
    assert head.display == {"box": list(Episode.open(folder).steps[0].frame.box)}
    assert replay(folder).ok


def test_a_policy_that_cannot_decide_is_an_error_and_not_a_low_score() -> None:
    with pytest.raises(PolicyError, match="the script ended"):
        evaluate(ScriptedPolicy([]), ["click-test"], seeds=1)


def test_a_browser_that_dies_is_replaced_and_costs_a_rollout_only_the_second_time() -> None:
    policy = Saboteur(True, False, True, True, False)
    table = evaluate(policy, ["click-test"], seeds=3, max_steps=1, random_seeds=0)
    again, broken, fine = table.rollouts
    assert (again.solved, broken.solved, fine.solved) == (True, False, True)
    assert broken.outcome == End.FAILED
    assert "died" in broken.message
    assert table.rows[0].policy.rollouts == 3


def test_an_unknown_task_is_named_before_anything_starts() -> None:
    with pytest.raises(TaskError, match="click-nothing"):
        evaluate(ButtonFinder(), ["click-test", "click-nothing"])


def test_old_failures_are_never_mixed_with_new_ones(tmp_path: Path) -> None:
    (tmp_path / "click-test-1").mkdir()
    with pytest.raises(EpisodeInUse, match="new or empty folder"):
        evaluate(ButtonFinder(), ["click-test"], failures=tmp_path)


def test_random_clicks_are_repeatable_and_read_as_text() -> None:
    frame = Frame(np.zeros((210, 160, 3), np.uint8), Box(0, 0, 160, 210))
    one, same, other = RandomPolicy(1), RandomPolicy(1), RandomPolicy(2)
    seen = Observation("Click", frame)
    decisions = [one.decide(seen) for _ in range(5)]
    assert decisions == [same.decide(seen) for _ in range(5)]
    assert decisions != [other.decide(seen) for _ in range(5)]
    assert all(parse(decision.text) == decision.step for decision in decisions)
    assert one.describe() == {"policy": "random clicks", "seed": "1"}


def test_a_tally_counts_steps_and_time() -> None:
    tally = Tally.of([rollout(True, 1, 100), rollout(False, 3, 500)])
    assert (tally.rate, tally.steps, tally.step_ms) == (0.5, 2.0, 150.0)
    assert str(tally) == "50% (9%–91%)"


def test_a_tally_of_rollouts_without_steps() -> None:
    assert Tally.of([rollout(False, 0, 0.0)]).step_ms == 0


@pytest.mark.parametrize(
    ("solved", "count", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (90, 100, 0.8256, 0.9448)],
)
def test_known_intervals(solved: int, count: int, low: float, high: float) -> None:
    assert wilson(solved, count) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 1000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_the_rate_and_mirrors(trial: tuple[int, int]) -> None:
    solved, count = trial
    low, high = wilson(solved, count)
    assert 0 <= low <= solved / count <= high <= 1
    assert wilson(count - solved, count) == pytest.approx((1 - high, 1 - low))
