"""Learning from recordings with a tiny network: the samples, adapters, a resume, the gate."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from actions.space import Action, Click, Direction, Finished, Scroll, Step, Type
from agent.cli import app
from agent.episodes.agent_replay import agent_replay
from agent.episodes.errors import EpisodeInUse
from agent.episodes.format import Head
from agent.episodes.reader import Episode
from agent.episodes.withhold import Secrets
from agent.episodes.writer import EpisodeWriter
from agent.learning.gate import standing
from agent.learning.learn import MODEL, learn
from agent.learning.leash import Leash
from agent.learning.lessons import LessonError, Lessons, lessons
from agent.learning.recipe import Recipe
from agent.learning.release import release
from agent.learning.settling import SHARES, settle
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

RECIPE = replace(Recipe.load("recordings"), steps=2, batch=6, questions=2, warmup=1, decay=0.0)

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
    assert (len(one.held_out), one.learned, len(one.samples)) == (1, 3, 6)
    assert not one.left_out
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


def test_steps_that_are_left_out_are_counted_by_reason(tmp_path: Path) -> None:
    space = CoordinateMap(Box(0, 0, 84, 56), SMALL, SMALL)
    here = Point(5, 5)
    decided: tuple[tuple[Action, ...], ...] = (
        (Click(here, count=3),),
        (Scroll(Direction.DOWN, here, 2),),
        (Type("x"),),
        (Type("hunter2"),),
        (Click(here), Click(here)),
        (),
    )
    for name in "ab":
        head = Head("do it", "opencua-absolute", source="human")
        with EpisodeWriter(tmp_path / name, head, withhold=Secrets(["hunter2"])) as writer:
            for actions in decided:
                step = Step("", actions) if actions else None
                said = Decision("", space, step, None if actions else "no step")
                writer.append(Frame(np.zeros((56, 84, 3), np.uint8), space.screen), said)
    made = lessons([Episode.open(tmp_path / name) for name in "ab"], 0.5, 1)
    assert len(made.samples) == 2
    assert made.left_out == {
        "the model has no words for their action": 1,
        "what they typed was withheld": 1,
        "they hold several actions or none": 1,
        "they could not be read": 1,
    }
    assert "left out, since what they typed was withheld: 1" in str(made)


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
    heard: list[Lessons] = []
    gate = learn(episodes, out, RECIPE, start, screens=2, told=heard.append)
    assert [(len(told.samples), len(told.held_out)) for told in heard] == [(6, 1)]
    assert gate.recorded.asked == 2
    assert len(gate.before.pointed.answers) == len(gate.after.pointed.answers) > 0
    assert len(gate.before.desktops.answers) == len(gate.after.desktops.answers) > 0
    assert (out / MODEL).exists() == (not gate.refusal)
    assert not (out / "training").exists() and not (out / "candidate").exists()
    (out / MODEL).mkdir(exist_ok=True)
    with pytest.raises(EpisodeInUse, match="learn into a new folder"):
        learn(episodes, out, RECIPE, start, screens=2)


def test_desktops_judge_and_are_mixed_in(start: Path, episodes: list[Path], tmp_path: Path) -> None:
    policy = ScriptedPolicy(["Action: click(start_box='(1,1)')"] * 100)
    found = standing(policy, episodes[:1], 2)
    seen = {(asked.frame.width, asked.frame.height) for asked in policy.seen}
    assert seen == {(84, 56), (320, 240), (640, 480)}
    assert found.desktops.answers
    batches = study(start, tmp_path / "run", episodes)._batches()
    grids = [next(batches)[1].grids for _ in range(4)]
    assert [len(each) for each in grids] == [2, 2, 2, 1]
    assert grids[3][0] > grids[0][0]


def test_the_leash_is_zero_at_the_start_and_pulls_back(start: Path, episodes: list[Path]) -> None:
    model = checkpoint.load(start)
    trainer = study(start, start.parent / "run", episodes)
    _, others = next(trainer._batches())
    leash = Leash(start)
    assert leash.length(model, others).item() == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    model.zero_grad()
    apart = leash.length(model, others)
    assert apart.item() > 0
    apart.backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_new_weights_are_taken_as_far_as_nothing_is_lost(start: Path, tmp_path: Path) -> None:
    trained = tmp_path / "trained"
    shutil.copytree(start, trained)
    assert settle(start, trained) == 1.0
    begun = load_file(start / "model.safetensors")
    far = {n: v + torch.randn_like(v) if v.is_floating_point() else v for n, v in begun.items()}
    save_file(far, trained / "model.safetensors")
    share = settle(start, trained)
    assert share in SHARES
    kept = load_file(trained / "model.safetensors")
    assert kept.keys() == begun.keys()
    for name, value in kept.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, torch.lerp(begun[name], far[name], share))


def test_an_agent_replay_tells_a_persons_steps_in_the_models_words(tmp_path: Path) -> None:
    path = record(tmp_path / "e", 1)
    policy = ScriptedPolicy(["Action: click(start_box='(357,357)')", "Action: finished()"])
    report = agent_replay(path, policy)
    assert (report.near, report.steps) == ((True, True), 2)
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
