"""Decisions of a model are compared with those that were demonstrated, part by part."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from actions.space import Click, Type
from agent.cli import app
from agent.learning.batch import collate
from agent.learning.decisions import evaluate_decisions, to_json, to_rich, total
from agent.learning.losses import Weights
from agent.learning.samples import Glyphs, Question, Sample, write_shard
from agent.model import checkpoint
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import embedded_tokenizer
from tests.agent.tiny import learn, tiny_model
from vision.geometry import Box, Point

CLICK = Question("Click there.", Click(Point(35, 21)), Box(28, 14, 42, 28))
ELSEWHERE = replace(CLICK, action=Click(Point(77, 63)), box=Box(70, 56, 84, 70))
TYPED = Question("Type Rex into the field.", Type("Rex", point=Point(35, 21)), Box(28, 14, 42, 28))


def state(*questions: Question) -> Sample:
    pixels = np.full((84, 112, 3), 255, np.uint8)
    pixels[14:28, 28:42] = (0, 0, 200)
    return Sample(pixels, questions, Glyphs("", np.zeros((0, 2), np.float32)))


@pytest.fixture(scope="module")
def model() -> KimiVL:
    """Knows two answers."""
    made = tiny_model(words=True)
    batch = collate([state(CLICK), state(TYPED)], embedded_tokenizer())
    learn(made, batch, Weights(read=0, spell=0), "loss", 0.05)
    return made.eval()


def test_the_first_question_counts_and_each_part_of_its_answer(
    model: KimiVL, tmp_path: Path
) -> None:
    write_shard(tmp_path / "click-000000001-2.npz", [state(CLICK, ELSEWHERE), state(ELSEWHERE)])
    write_shard(tmp_path / "type-000000001-1.npz", [state(TYPED)])
    write_shard(tmp_path / "type-000000002-1.npz", [state(TYPED)])
    clicks, typed = evaluate_decisions(model, tmp_path.glob("*.npz"), 20)
    assert (clicks.task, clicks.states, clicks.right) == ("click", 2, 1)
    assert clicks.asked == {"text": 2, "point": 2} and clicks.wrong == {"point": 1}
    assert (typed.task, typed.states, typed.right) == ("type", 2, 2)
    assert typed.asked == {"text": 2, "point": 2, "quote": 2} and not typed.wrong
    every = total((clicks, typed))
    assert (every.states, every.right, every.asked["point"]) == (4, 3, 4)
    shown = to_rich((typed, clicks))
    assert list(shown.columns[0].cells) == ["click", "type", "all"]
    assert list(shown.columns[4].cells) == ["1/2", "2/2", "3/4"]
    assert to_json((typed, clicks))[-1]["wrong"] == {"point": 1}


def test_of_many_states_some_are_asked_always_the_same(model: KimiVL, tmp_path: Path) -> None:
    shard = tmp_path / "click-000000001-9.npz"
    write_shard(shard, [state(CLICK)] * 4 + [state(ELSEWHERE)] * 5)
    (first,), (again,) = (evaluate_decisions(model, [shard], 4) for _ in range(2))
    assert first.states == 4 and first == again


def test_the_command_prints_and_writes_them(model: KimiVL, tmp_path: Path) -> None:
    checkpoint.save(model, tmp_path / "model")
    embedded_tokenizer().save(tmp_path / "model")
    (tmp_path / "data").mkdir()
    write_shard(tmp_path / "data" / "click-000000001-1.npz", [state(CLICK)])
    told = ["--data", tmp_path / "data", "--json", tmp_path / "out.json", "--model"]
    told += [tmp_path / "model"]
    run = CliRunner().invoke(app, ["eval", "decisions", *map(str, told)])
    assert run.exit_code == 0, run.output
    assert "click" in run.output and "1/1" in run.output
    (click, every) = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert click["right"] == every["right"] == 1


def test_a_folder_without_demonstrations_is_told_of(tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["eval", "decisions", "--data", str(tmp_path)])
    assert run.exit_code and "expected shards" in run.output
