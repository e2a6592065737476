"""Preferences: the loss, the pairs, and a network that learns to prefer."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from actions.dialects import render
from actions.receipt import Outcome, Receipt
from actions.space import Action, Button, Click, Drag, Step, Type, on_points
from agent.environments.offscreen import OffscreenMiniWob
from agent.episodes.format import End, Ending, Head
from agent.episodes.reader import Episode
from agent.episodes.writer import EpisodeWriter
from agent.learning.batch import collate
from agent.learning.corrections import agrees, corrections, takeover
from agent.learning.oracles.page import Move
from agent.learning.preference import Pair, PairError, dpo_loss
from agent.learning.preferring import PreferenceTrainer
from agent.learning.recipe import Recipe
from agent.learning.samples import Glyphs, Question, Sample, read_shard, write_shard
from agent.learning.settings import Preference
from agent.learning.stage import trainer_of
from agent.learning.train import Metrics, TrainingError
from agent.model.checkpoint import save
from agent.model.prompt import embedded_tokenizer
from agent.policies.base import Decision
from agent.policies.scripted import ScriptedPolicy
from tests.agent.tiny import tiny_config, tiny_model
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point, Size

TRL = {0.05: 0.689271510, 0.1: 0.713638842, 0.5: 1.410223722}

RECIPE = Recipe("preference", steps=8, batch=4, warmup=1, rate=1e-3, decay=0.0, balance=0.0,
                preference=Preference(imitate=0.0))  # fmt: skip


def a_pair(number: int) -> Sample:
    pixels = np.full((42, 56, 3), 255, np.uint8)
    pixels[14:28, 14 * (number % 4) : 14 * (number % 4) + 14] = 0
    right, wrong = Point(14 * (number % 4) + 7, 20), Point(14 * ((number + 2) % 4) + 7, 6)
    questions = (
        Question("Click on the square", Click(right), Box(right.x - 7, 14, right.x + 7, 28)),
        Question("Click on the square", Click(wrong)),
    )
    return Sample(pixels, questions, Glyphs("", np.zeros((0, 2), np.float32)))


def a_model(folder: Path) -> Path:
    model = tiny_model()
    save(model, folder)
    embedded_tokenizer().save(folder)
    return folder


def a_trainer(tmp_path: Path, recipe: Recipe = RECIPE) -> PreferenceTrainer:
    shard = tmp_path / "pairs.npz"
    if not shard.exists():
        write_shard(shard, [a_pair(number) for number in range(4)])
        a_model(tmp_path / "model")
    return PreferenceTrainer(
        recipe, tmp_path / "run", (shard,), tmp_path / "model", shape=tiny_config()
    )


def test_the_loss_is_that_of_trl() -> None:
    """Values of TRL 1.16's DPOTrainer, printed by benchmarks/preference.py."""
    generator = torch.Generator().manual_seed(5)
    values = -10 * torch.rand(4, 8, generator=generator)
    for beta, wanted in TRL.items():
        assert float(dpo_loss(*values, beta).mean()) == pytest.approx(wanted, abs=1e-6)


def test_nothing_learned_yet_is_log_two_and_its_gradient_pulls_apart() -> None:
    chosen, rejected = (torch.zeros(3, requires_grad=True) for _ in range(2))
    loss = dpo_loss(chosen, rejected, torch.zeros(3), torch.zeros(3), beta=0.4)
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([math.log(2)] * 3)
    assert chosen.grad is not None and rejected.grad is not None
    assert chosen.grad.tolist() == pytest.approx([-0.2] * 3)
    assert rejected.grad.tolist() == pytest.approx([0.2] * 3)


def test_a_network_learns_to_prefer_corrections(tmp_path: Path) -> None:
    seen: list[Metrics] = []
    trainer = a_trainer(tmp_path)
    trainer.run(lambda _, metrics: seen.append(metrics))
    assert seen[0]["preferring"] == pytest.approx(math.log(2), abs=1e-5)
    assert seen[0]["margin"] == pytest.approx(0, abs=1e-4)
    assert seen[-1]["margin"] > 0.5
    assert seen[-1]["preferring"] < seen[0]["preferring"]


def test_a_resumed_preference_stage_has_the_same_loss_curve(tmp_path: Path) -> None:
    whole: list[float] = []
    a_trainer(tmp_path).run(lambda _, metrics: whole.append(metrics["loss"]))
    shutil.rmtree(tmp_path / "run")
    parts: list[float] = []
    for steps in (3, 8):
        trainer = a_trainer(tmp_path, replace(RECIPE, steps=steps))
        trainer.run(lambda _, metrics: parts.append(metrics["loss"]))
    assert parts == whole


def test_preferences_need_a_model_and_pairs(tmp_path: Path) -> None:
    with pytest.raises(PairError, match=r"none; make some with .*corrections"):
        trainer_of(RECIPE, tmp_path / "run", (), None)
    trainer = a_trainer(tmp_path)
    with pytest.raises(TrainingError, match="name it with --from"):
        PreferenceTrainer(RECIPE, tmp_path / "other", trainer.shards, shape=tiny_config())


def test_pairs_survive_a_shard(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.npz", [a_pair(1)])
    pair = Pair.of(read_shard(tmp_path / "a.npz")[0])
    assert pair.sample().questions == a_pair(1).questions
    assert pair.chosen.frame.digest == pair.rejected.frame.digest


@pytest.mark.parametrize("count", [1, 3])
def test_samples_that_are_no_pairs_are_refused(count: int) -> None:
    sample = a_pair(0)
    with pytest.raises(PairError, match=f"pairs of questions, actually: {count}"):
        Pair.of(replace(sample, questions=(sample.questions * 2)[:count]))
    right, wrong = sample.questions
    with pytest.raises(PairError, match="two answers to one question"):
        Pair.of(replace(sample, questions=(right, replace(wrong, instruction="Other"))))
    with pytest.raises(PairError, match="two answers to one question"):
        Pair.of(replace(sample, questions=(right, right)))


BOX = Box(10, 10, 20, 20)


@pytest.mark.parametrize(
    ("action", "right", "same"),
    [
        (Click(Point(19, 11)), Click(Point(15, 15)), True),
        (Click(Point(20, 11)), Click(Point(15, 15)), False),
        (Click(Point(15, 15), Button.RIGHT), Click(Point(15, 15)), False),
        (Type("ab"), Type("ab"), True),
        (Type("ab"), Type("abc"), False),
        (Type("ab"), Click(Point(15, 15)), False),
        (Drag(Point(12, 12), Point(52, 51)), Drag(Point(15, 15), Point(50, 50)), True),
        (Drag(Point(12, 12), Point(60, 51)), Drag(Point(15, 15), Point(50, 50)), False),
    ],
)
def test_what_counts_as_a_mistake(action: Action, right: Action, same: bool) -> None:
    assert agrees(action, Move(right, BOX)) == same


def an_episode(
    folder: Path, clicks: list[tuple[int, int]], parent: Episode | None = None
) -> Episode:
    about = None if parent is None else {"id": parent.head.id, "step": 1}
    head = Head("Click  twice", parent=about)
    space = CoordinateMap(Box(0, 0, 56, 42), Size(56, 42))
    with EpisodeWriter(folder, head) as writer:
        for number, (x, y) in enumerate(clicks):
            frame = Frame(a_pair(number).pixels, Box(0, 0, 56, 42))
            step = Step("", (Click(Point(x, y)),))
            action = on_points(step.actions[0], space.to_screen)
            receipt = Receipt(action, Outcome.CONFIRMED)
            writer.append(frame, Decision(render(step), space, step), [action], [receipt])
        writer.close(Ending(End.FINISHED))
    return Episode.open(folder)


def test_a_person_who_took_over_makes_a_pair(tmp_path: Path) -> None:
    original = an_episode(tmp_path / "model", [(100, 200), (300, 400), (500, 600)])
    fork = an_episode(tmp_path / "person", [(100, 200), (700, 800)], original)
    pair = takeover(original, fork)
    assert pair is not None
    batch = collate([pair.sample()], embedded_tokenizer())
    text = embedded_tokenizer().decode(batch.ids[0].tolist())
    done = "Click twice\nAction: click(start_box='(100,200)')"
    assert text.count(done) == 2
    assert text.index("(700,800)") < text.index("(300,400)")
    assert (
        takeover(original, an_episode(tmp_path / "same", [(100, 200), (300, 400)], original))
        is None
    )
    with pytest.raises(PairError, match=r"expected a fork of .* comes from nowhere"):
        takeover(fork, original)


def test_mistakes_of_a_policy_are_collected_on_real_pages() -> None:
    policy = ScriptedPolicy(["Action: click(start_box='(990,990)')"] * 3)
    with OffscreenMiniWob() as world:
        pairs = list(corrections(world, policy, "click-test", 5, max_steps=3))
    assert len(pairs) == 1, "the correction was performed and solved the page"
    chosen, rejected = pairs[0].chosen.question, pairs[0].rejected.question
    assert chosen.box is not None
    assert isinstance(chosen.action, Click) and chosen.box.contains(chosen.action.point)
    assert isinstance(rejected.action, Click)
    assert rejected.action.point.x == pytest.approx(0.99 * 160 - 0.5)
