"""The mean of a model's weights before and after a training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from agent.learning.averaging import average, averaged
from agent.learning.damage import DamageError, read_tensors
from agent.learning.train import TrainingError
from agent.model import checkpoint
from agent.model.prompt import embedded_tokenizer
from tests.agent.tiny import tiny_model


def folder(path: Path, seed: int) -> Path:
    checkpoint.save(tiny_model(seed, words=True), path)
    embedded_tokenizer().save(path)
    (path / "recipe.json").write_text(json.dumps({"step": seed}))
    return path


def test_it_lies_in_the_middle() -> None:
    before = {"a": torch.tensor([1.0, 3.0]), "b": torch.tensor(2.0)}
    after = {"a": torch.tensor([3.0, 0.0], dtype=torch.bfloat16), "b": torch.tensor(4.0)}
    made = averaged(before, after)
    assert made["a"].tolist() == [2.0, 1.5] and made["a"].dtype == torch.bfloat16
    assert float(made["b"]) == 3.0


def test_new_parts_begin_as_they_would_have_been() -> None:
    after = {"inscriptions.told.weight": torch.tensor([4.0]), "clues.gain": torch.tensor([4.0])}
    made = averaged({}, after)
    assert made["inscriptions.told.weight"].item() == 2.0 and made["clues.gain"].item() == 4.0


@pytest.mark.parametrize(
    "after", [{}, {"a": torch.zeros(3)}], ids=["a part is missing", "another shape"]
)
def test_models_of_other_shapes_are_refused(after: dict[str, Tensor]) -> None:
    with pytest.raises(TrainingError, match="a"):
        averaged({"a": torch.zeros(2)}, after)


def test_quantised_weights_are_refused() -> None:
    weights = {"a": torch.ones(2, dtype=torch.int8)}
    with pytest.raises(TrainingError, match="expected whole weights"):
        averaged(weights, weights)


def test_the_mean_is_a_model_folder(tmp_path: Path) -> None:
    before, after = folder(tmp_path / "before", 1), folder(tmp_path / "after", 2)
    average(before, after, tmp_path / "mean")
    model = checkpoint.load(tmp_path / "mean")
    weights = [read_tensors(each / checkpoint.WEIGHTS) for each in (before, after)]
    name = next(name for name in weights[0] if name.startswith("pointer."))
    expected = (weights[0][name] + weights[1][name]) / 2
    torch.testing.assert_close(dict(model.state_dict())[name].float(), expected.float())
    assert json.loads((tmp_path / "mean" / "recipe.json").read_text()) == {
        "step": 2,
        "averaged": True,
    }
    with pytest.raises(DamageError):
        average(tmp_path / "nothing", after, tmp_path / "mean")
