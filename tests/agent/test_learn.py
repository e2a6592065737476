"""Learning from recordings with a tiny network: the samples, adapters, a resume, the gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from actions.space import Action, Click, Direction, Finished, Scroll, Step, Type
from agent.cli import app
from agent.episodes.agent_replay import agent_replay
from agent.episodes.errors import EpisodeInUse
from agent.episodes.format import Head
from agent.episodes.reader import Episode
from agent.episodes.writer import EpisodeWriter
from agent.learning.gate import Gate, Standing
from agent.learning.learn import MODEL, learn
from agent.learning.lessons import LessonError, lessons
from agent.learning.recipe import Recipe
from agent.learning.release import release
from agent.learning.studying import StudyTrainer
from agent.learning.train import TrainingError
from agent.model import checkpoint
from agent.model.prompt import embedded_tokenizer
from agent.policies.base import Decision, Observation
from agent.policies.local import local_policy
from agent.policies.scripted import ScriptedPolicy
from tests.agent.tiny import tiny_config, tiny_model
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point, Size

RECIPE = replace(Recipe.load("recordings"), steps=2, batch=4, questions=2, warmup=1, decay=0.0)

SMALL = Size(84, 56)


def record(folder: Path, seed: int, *actions: Action, size: Size = SMALL) -> Path:
    """An episode of a person, whose words are no model's."""
    space = CoordinateMap(Box(0, 0, size.width, size.height), size, size)
    with EpisodeWriter(folder, Head("press it", "opencua-absolute", source="human")) as writer:
        for number, action in enumerate(actions or (Click(Point(30, 20)), Finished())):
            shade = 20 * seed + 10 * number
            pixels = np.full((int(size.height), int(size.width), 3), shade, np.uint8)
            step = Step("", (action,))
            writer.append(Frame(pixels, space.screen), Decision("a person's", space, step))
    return folder


@pytest.fixture
def episodes(tmp_path: Path) -> list[Path]:
    return [record(tmp_path / f"e{seed}", seed) for seed in range(4)]


@pytest.fixture
def start(tmp_path: Path) -> Path:
    folder = tmp_path / "start"
    checkpoint.save(tiny_model(), folder)
    embedded_tokenizer().save(folder)
    return folder


def study(start: Path, out: Path, episodes: list[Path], recipe: Recipe = RECIPE) -> StudyTrainer:
    taught = lessons([Episode.open(path) for path in episodes], 0.25, recipe.seed)
    return StudyTrainer(recipe, out, (), start, tiny_config(), samples=taught.samples)


def test_some_episodes_only_judge_and_the_choice_does_not_depend_on_the_order(
    episodes: list[Path],
) -> None:
    opened = [Episode.open(path) for path in episodes]
    one, other = lessons(opened, 0.25, 1), lessons(opened[::-1], 0.25, 1)
    assert [e.head.id for e in one.held_out] == [e.head.id for e in other.held_out]
    assert (len(one.held_out), len(one.samples), one.left_out) == (1, 6, 0)
    click, finished = one.samples[:2]
    assert click.questions[0].action == Click(Point(29.5, 19.5))
    assert finished.questions[0].done == (Click(Point(29.5, 19.5)),)
    with pytest.raises(LessonError, match="at least two different episodes"):
        lessons([opened[0], opened[0]], 0.25, 1)


def test_large_pictures_are_learned_at_the_size_that_the_model_sees(tmp_path: Path) -> None:
    size = Size(1200, 900)
    paths = [record(tmp_path / name, 1, Click(Point(1199, 899)), size=size) for name in "ab"]
    (sample,) = lessons([Episode.open(path) for path in paths], 0.5, 1).samples
    height, width, _ = sample.pixels.shape
    assert (height // 14) * (width // 14) <= 4096
    assert sample.questions[0].action.point == pytest.approx((width, height), abs=2)  # type: ignore[union-attr]


def test_steps_that_the_model_has_no_words_for_are_left_out(tmp_path: Path) -> None:
    actions = (Click(Point(5, 5), count=3), Scroll(Direction.DOWN, Point(5, 5), 2), Type("x"))
    paths = [record(tmp_path / name, 1, *actions) for name in "ab"]
    made = lessons([Episode.open(path) for path in paths], 0.5, 1)
    assert (len(made.samples), made.left_out) == (2, 1)


@pytest.mark.parametrize("adapters", [True, False])
def test_it_learns_and_a_resume_takes_the_same_steps(
    adapters: bool, start: Path, episodes: list[Path], tmp_path: Path
) -> None:
    recipe = RECIPE if adapters else replace(RECIPE, adapters=None)
    study(start, tmp_path / "whole", episodes, recipe).run(lambda *_: None)
    study(start, tmp_path / "cut", episodes, recipe.with_steps(1)).run(lambda *_: None)
    again = study(start, tmp_path / "cut", episodes, recipe)
    assert again.step == 1
    again.run(lambda *_: None)
    before = load_file(start / "model.safetensors")
    whole, cut = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert before.keys() == whole.keys() == cut.keys()
    changed = {name for name in before if not torch.equal(before[name], whole[name])}
    assert changed
    for name in changed:
        torch.testing.assert_close(whole[name], cut[name], rtol=0, atol=1e-6)
    if adapters:
        assert not any(name.startswith("vision_tower") for name in changed)


def test_adapters_need_a_model_to_be_beside(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="named with --from"):
        StudyTrainer(RECIPE, tmp_path, shape=tiny_config())


def test_what_passes_the_gate_is_a_model_folder_and_what_does_not_leaves_none(
    start: Path, episodes: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    gate = learn(episodes, out, RECIPE, start, screens=2)
    assert (gate.before.decided, gate.after.decided) == (2, 2)
    assert gate.before.asked == gate.after.asked > 0
    assert (out / MODEL).exists() == (not gate.refusal)
    assert not (out / "training").exists() and not (out / "candidate").exists()
    (out / MODEL).mkdir(exist_ok=True)
    with pytest.raises(EpisodeInUse, match="learn into a new folder"):
        learn(episodes, out, RECIPE, start, screens=2)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ((1, 8), (3, 8), ""),
        ((1, 8), (1, 9), "do no better"),
        ((1, 8), (3, 7), "point worse"),
    ],
)
def test_the_gate_wants_more_of_the_one_and_no_less_of_the_other(
    before: tuple[int, int], after: tuple[int, int], why: str
) -> None:
    one, other = (Standing(agreed, 4, pointed, 10) for agreed, pointed in (before, after))
    refusal = Gate(one, other).refusal
    assert why in refusal and bool(why) == bool(refusal)


def test_an_agent_replay_tells_a_persons_steps_in_the_models_words(tmp_path: Path) -> None:
    path = record(tmp_path / "e", 1)
    policy = ScriptedPolicy(["Action: click(start_box='(357,357)')", "Action: finished()"])
    report = agent_replay(path, policy)
    assert (report.near, report.steps) == (2, 2)
    asked: Observation = policy.seen[1]
    assert asked.history[0].text == "Action: click(start_box='(357,357)')"


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    record(tmp_path / "e", 1)
    done = CliRunner().invoke(app, ["learn", str(tmp_path / "e"), "--out", str(tmp_path / "o")])
    assert done.exit_code == 1
    assert "at least two different episodes" in done.stderr


def test_a_model_without_a_pointing_head_is_refused(episodes: list[Path], tmp_path: Path) -> None:
    checkpoint.save(tiny_model(pointing=False), tmp_path / "kimi")
    with pytest.raises(LessonError, match="no pointing head"):
        learn(episodes, tmp_path / "out", RECIPE, tmp_path / "kimi", screens=1)


def test_the_result_is_a_policy(start: Path, episodes: list[Path], tmp_path: Path) -> None:
    study(start, tmp_path / "run", episodes).run(lambda *_: None)
    policy = local_policy(release(tmp_path / "run", tmp_path / "model"))
    assert policy.describe()["policy"] == "embedded"
    assert agent_replay(episodes[0], policy).steps == 2
    policy.close()
