"""Pages full of text: what they show, and how training mixes them in."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from math import isnan
from pathlib import Path

import numpy as np
import pytest

from agent.learning.batch import collate
from agent.learning.distributed import World
from agent.learning.losses import Weights, score
from agent.learning.recipe import Recipe
from agent.learning.samples import Sample
from agent.learning.screens import ScreenGenerator
from agent.learning.screens.pages import text_page
from agent.learning.stage import plot_curves
from agent.learning.stream import MINIWOB, Stream
from agent.learning.train import Metrics, Trainer
from agent.model.prompt import embedded_tokenizer
from tests.agent.tiny import tiny_config
from vision.geometry import Size

RECIPE = Recipe("test", steps=2, batch=4, accumulate=2, questions=2, warmup=1, text_share=0.5)


def pages(split: str = "train", count: int = 12) -> list[Sample]:
    return [text_page(3, MINIWOB, split, index) for index in range(count)]


def test_a_page_depends_on_its_arguments_only() -> None:
    one, same, other = (text_page(3, MINIWOB, "train", index) for index in (1, 1, 2))
    assert (one.pixels == same.pixels).all() and one.glyphs.chars == same.glyphs.chars
    assert (one.pixels != other.pixels).any()
    assert (one.pixels != text_page(3, MINIWOB, "test", 1).pixels).any()


def test_a_page_has_several_times_the_letters_of_a_screen_and_no_questions() -> None:
    generator = ScreenGenerator(3, questions=2)
    screens = [generator.sample(index) for index in range(12)]
    assert letters(pages()) > 3 * letters(screens)
    assert not any(page.questions for page in pages())
    assert text_page(0, Size(320, 240), "train", 0).pixels.shape == (240, 320, 3)


def letters(samples: list[Sample]) -> int:
    return sum(len(sample.glyphs.chars) for sample in samples)


def test_every_letter_has_ink_around_its_center() -> None:
    for page in pages():
        for x, y in page.glyphs.centers.astype(int).tolist():
            around = page.pixels[max(0, y - 7) : y + 8, max(0, x - 6) : x + 7]
            assert np.ptp(around.reshape(-1, 3).astype(int), axis=0).max() > 20


@pytest.mark.parametrize("share", [0.0, 0.5, 2 / 3, 1.0])
def test_their_share_is_spread_evenly_and_no_page_comes_twice(share: float) -> None:
    stream = Stream(5, text_share=share, questions=2)
    shown = [not batch[0].questions for batch in islice(stream.batches(0, 2), 12)]
    assert sum(shown) == round(12 * share)
    windows = [sum(shown[start : start + 6]) for start in range(6)]
    assert max(windows) - min(windows) <= 1
    texts = [s.glyphs.chars for batch in islice(stream.batches(0, 2), 12) for s in batch]
    assert len(set(texts)) == len(texts)


def test_other_screens_keep_their_turns() -> None:
    sizes = (MINIWOB, Size(320, 240))
    plain, mixed = (Stream(5, sizes=sizes, text_share=share, questions=2) for share in (0, 0.5))
    asked = [b for b in islice(mixed.batches(0, 2), 8) if b[0].questions]
    for one, other in zip(islice(plain.batches(0, 2), 4), asked, strict=True):
        assert one[0].pixels.shape == other[0].pixels.shape


def test_only_letters_are_learned_from_them() -> None:
    trainer = Trainer(RECIPE, Path("unused"), shape=tiny_config())
    scored = score(trainer.model, collate(pages(count=2), embedded_tokenizer()), Weights())
    scored.loss.backward()
    metrics = {name: float(value) for name, value in scored.metrics.items()}
    assert metrics["loss"] == pytest.approx(metrics["read_loss"])
    assert metrics["read_right"] >= 0
    for name in ("text_right", "point_right", "offset_error", "quote_right"):
        assert isnan(metrics[name])
    decoder = [p.grad for p in trainer.model.language_model.model.layers.parameters()]
    assert all(grad is None or not grad.any() for grad in decoder)
    assert trainer.model.reader is not None and trainer.model.reader.proj.weight.grad is not None


def test_training_mixes_them_in_and_reports_what_was_asked(tmp_path: Path) -> None:
    seen: list[Metrics] = []
    trainer = Trainer(RECIPE, tmp_path, shape=tiny_config())
    trainer.run(lambda _, metrics: seen.append(metrics))
    assert len(seen) == 2
    assert all(0 <= metrics["point_right"] <= 1 for metrics in seen)
    only = Trainer(replace(RECIPE, text_share=1.0), tmp_path / "only", shape=tiny_config())
    only.run(lambda _, metrics: seen.append(metrics))
    assert "point_right" not in seen[-1] and 0 <= seen[-1]["read_right"] <= 1
    plot_curves(tmp_path / "only" / "metrics.jsonl", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_the_mean_of_passes_counts_what_was_asked() -> None:
    nan = float("nan")
    found = World().mean([{"loss": 1.0, "a": nan, "b": nan}, {"loss": 3.0, "a": 5.0, "b": nan}])
    assert found == {"loss": 2.0, "a": 5.0}
    assert isnan(World().mean([{"loss": nan, "a": 1.0}])["loss"])
