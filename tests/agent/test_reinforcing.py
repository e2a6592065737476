"""The reinforcement stage: real pages, the real agent, a tiny network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from actions.space import Click, Finished, Wait
from agent.environments.offscreen import OffscreenMiniWob
from agent.learning.harvest import HarvestError
from agent.learning.oracles.tasks import next_move
from agent.learning.recipe import Recipe
from agent.learning.reinforcement.returns import group_relative
from agent.learning.reinforcement.rollouts import pages, play, play_groups
from agent.learning.reinforcing import ReinforcementTrainer
from agent.learning.settings import Reinforcement
from agent.learning.train import TrainingError
from agent.model.checkpoint import save
from agent.model.prompt import embedded_tokenizer
from agent.policies.scripted import ScriptedPolicy
from tests.agent.killing import BrowserKiller
from tests.agent.tiny import tiny_config, tiny_model

LESSONS = Reinforcement(("click-test",), groups=1, size=3, max_steps=1, temperature=2.0)
RECIPE = Recipe("reinforcement", steps=2, warmup=1, decay=0.0, reinforcement=LESSONS)


def a_model(folder: Path) -> Path:
    save(tiny_model(), folder)
    embedded_tokenizer().save(folder)
    return folder


def test_the_model_learns_from_pages_that_it_played(tmp_path: Path) -> None:
    def trainer(steps: int) -> ReinforcementTrainer:
        recipe = Recipe("reinforcement", steps, warmup=1, decay=0.0, reinforcement=LESSONS)
        return ReinforcementTrainer(recipe, tmp_path / "run", (), tmp_path, shape=tiny_config())

    a_model(tmp_path)
    trainer(1).run(lambda *_: None)
    trainer(2).run(lambda *_: None)
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]
    assert all(row["episodes"] == 3 and 0 <= row["return"] <= 1 for row in rows)


def test_an_episode_whose_browser_dies_is_played_again_and_never_dropped(tmp_path: Path) -> None:
    a_model(tmp_path)
    killer = BrowserKiller()
    with OffscreenMiniWob() as world:
        killer.kill()
        played = play_groups(world, tiny_model(), tmp_path, LESSONS, [("click-test", 4)])
    assert [len(one.answers) for one in played] == [1, 1, 1]
    assert {one.group for one in played} == {"click-test-4"}
    assert all(one.answers[0].frame.width == 160 for one in played)
    assert group_relative(played).shape == (3,)


def right_click(world: OffscreenMiniWob, task: str) -> str:
    """What the oracle would do first on page 3."""
    world.task = task
    move = next_move(world, world.reset(3), 3)
    assert move is not None and isinstance(move.action, Click)
    x, y = move.action.point
    return f"Action: click(start_box='({1000 * x / 160:.0f},{1000 * y / 210:.0f})')"


def test_an_episode_is_what_was_seen_and_done() -> None:
    with OffscreenMiniWob() as world:
        wait, stop = "Action: wait()", "Action: finished()"
        test, option = (right_click(world, task) for task in ("click-test", "click-option"))
        solved = play(world, ScriptedPolicy([wait, test]), "click-test", 3, 5)
        stopped = play(world, ScriptedPolicy([option, stop]), "click-option", 3, 5)
        cut = play(world, ScriptedPolicy([option, option]), "click-option", 3, 1)
    assert solved.rewards == (0.0, 1.0) and solved.group == "click-test-3"
    assert [type(one.question.action) for one in solved.answers] == [Wait, Click]
    assert all(one.question.done == () for one in solved.answers), "waiting changes nothing"
    assert stopped.rewards == (0.0, 0.0)
    first, last = (one.question for one in stopped.answers)
    assert last.action == Finished() and last.done == (first.action,)
    assert len(cut.answers) == 1


def test_the_shipped_recipe_can_be_read() -> None:
    lessons = Recipe.load("reinforcement").reinforcement
    assert lessons is not None and "click-shape" in lessons.tasks
    assert Recipe.load("preference").preference is not None


def test_pages_depend_on_seed_and_update_only() -> None:
    lessons = Reinforcement(("a", "b"), groups=3)
    first, again, later = (list(pages(lessons, 1, update)) for update in (0, 0, 1))
    assert first == again
    assert [task for task, _ in first] == ["a", "b", "a"]
    assert [task for task, _ in later] == ["b", "a", "b"]
    assert not set(first) & set(later)


def test_a_recipe_must_be_complete_and_may_not_touch_held_out_tasks(tmp_path: Path) -> None:
    a_model(tmp_path)
    held_out = Recipe("reinforcement", 1, reinforcement=Reinforcement(("click-color",)))
    with pytest.raises(HarvestError, match="held out: click-color"):
        ReinforcementTrainer(held_out, tmp_path / "run", (), tmp_path, shape=tiny_config())
    remembering = Recipe("reinforcement", 1, reinforcement=replace(LESSONS, advantage="baseline"))
    with pytest.raises(TrainingError, match="group, rejection, return, actually: baseline"):
        ReinforcementTrainer(remembering, tmp_path / "run", (), tmp_path, shape=tiny_config())
    with pytest.raises(TrainingError, match="a model to begin from"):
        ReinforcementTrainer(RECIPE, tmp_path / "run", shape=tiny_config())
