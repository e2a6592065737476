"""Training on real generated screens with a tiny network."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from actions.space import CallUser, Click, Drag, Finished, Type, points
from agent.learning.batch import IGNORE, collate, glyph_classes
from agent.learning.damage import DamageError
from agent.learning.looking import look
from agent.learning.losses import Weights, score
from agent.learning.recipe import Recipe, RecipeError
from agent.learning.release import release
from agent.learning.samples import Glyphs, Question, Sample, ShardError, write_shard
from agent.learning.stage import plot_curves, run_stage
from agent.learning.stream import MINIWOB, Stream
from agent.learning.train import Metrics, Trainer, TrainingError
from agent.model.checkpoint import load
from agent.model.pointer import PRINTABLE
from agent.model.prompt import BOX_START, embedded_tokenizer
from agent.model.tokenizer import Tokenizer
from tests.agent.tiny import tiny_config
from vision.geometry import Box, Point, Size
from vision.image import resized_size

TOKENIZER = embedded_tokenizer()
NOTHING = Glyphs("", np.zeros((0, 2), np.float32))
RECIPE = Recipe("test", steps=6, batch=2, questions=2, warmup=2)


def a_sample(questions: int = 3) -> Sample:
    pixels = np.full((42, 56, 3), 200, np.uint8)
    asked = [
        Question("Click on OK", Click(Point(20, 20)), Box(14, 14, 42, 28)),
        Question("Click on nothing", CallUser(), None),
        Question("Click on the corner", Click(Point(55, 41)), Box(52, 40, 56, 42)),
    ]
    centers = np.array([[17.0, 20.0], [22.0, 20.0], [55.9, 41.9]], np.float32)
    return Sample(pixels, tuple(asked[:questions]), Glyphs("OK.", centers))


def trained(out: Path, steps: int, recipe: Recipe = RECIPE) -> list[Metrics]:
    seen: list[Metrics] = []
    trainer = Trainer(replace(recipe, steps=steps), out, shape=tiny_config())
    trainer.run(lambda _, metrics: seen.append(dict(metrics)), save_every=3)
    return seen


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of three steps; to be copied."""
    folder = tmp_path_factory.mktemp("finished")
    trained(folder, 3)
    return folder


def test_questions_do_not_see_each_other() -> None:
    together, alone = collate([a_sample()], TOKENIZER), collate([a_sample(1)], TOKENIZER)
    trainer = Trainer(RECIPE, Path("unused"), shape=tiny_config())
    model = trainer.model.eval()
    with torch.no_grad():
        all_states = look(model, together).states
        one_state = look(model, alone).states
    length = one_state.shape[1]
    torch.testing.assert_close(all_states[:, :length], one_state, rtol=1e-4, atol=1e-5)


def test_coordinates_are_left_to_the_pointer() -> None:
    batch = collate([a_sample(1)], TOKENIZER)
    labels = [int(label) for label in batch.labels[0] if label != IGNORE]
    text = "".join(TOKENIZER.decode([label]) or f"<{label}>" for label in labels)
    opening, end = TOKENIZER.special(BOX_START), TOKENIZER.special("<|im_end|>")
    assert text == f"Action: click(start_box='<{opening}>')<{end}>"


def test_targets_are_the_patches_of_the_box_with_weight_on_its_point() -> None:
    batch = collate([a_sample()], TOKENIZER)
    assert batch.point_rows.tolist() == [0, 0]
    grid = batch.point_targets[0].view(batch.grids[0])
    assert grid.nonzero().tolist() == [[1, 1], [1, 2]]
    assert grid[1, 1] == 0.75
    assert batch.point_patches.tolist() == [1 * 4 + 1, 2 * 4 + 3]
    torch.testing.assert_close(batch.point_offsets[0], torch.tensor([6 / 14, 6 / 14]))
    torch.testing.assert_close(batch.point_targets.sum(-1), torch.ones(2))


def test_targets_that_are_as_right_share_the_weight() -> None:
    question = a_sample(1).questions[0]
    sample = replace(a_sample(), questions=(replace(question, also=(Box(0, 28, 14, 42),)),))
    batch = collate([sample], TOKENIZER)
    grid = batch.point_targets[0].view(batch.grids[0])
    assert grid.nonzero().tolist() == [[1, 1], [1, 2], [2, 0]]
    assert grid[1].tolist() == [0, 0.375, 0.125, 0]
    assert grid[2, 0] == 0.5
    assert batch.point_patches.tolist() == [1 * 4 + 1]


def test_a_drag_may_end_anywhere_in_its_box() -> None:
    drag = Drag(Point(20, 20), Point(20, 34))
    question = Question("Drag it", drag, Box(14, 14, 28, 28), end=Box(0, 28, 28, 42))
    batch = collate([replace(a_sample(), questions=(question,))], TOKENIZER)
    start, end = (target.view(batch.grids[0]) for target in batch.point_targets)
    assert start.nonzero().tolist() == [[1, 1]]
    assert end[2].tolist() == [0.25, 0.75, 0, 0]


def test_letters_are_filed_under_the_patch_of_their_centre() -> None:
    classes = glyph_classes(a_sample().glyphs, (3, 4), slots=3)
    o, k, dot = (PRINTABLE.index(char) + 1 for char in "OK.")
    assert classes[1 * 4 + 1].tolist() == [o, k, 0]
    assert classes[2 * 4 + 3].tolist() == [dot, 0, 0]
    assert int((classes > 0).sum()) == 3


def test_a_resumed_training_has_the_same_loss_curve(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole", 6)
    first = trained(tmp_path / "parts", 3, replace(RECIPE, decay=0.0))
    second = trained(tmp_path / "parts", 6)
    same = trained(tmp_path / "whole2", 3, replace(RECIPE, decay=0.0))
    assert [m["loss"] for m in first] == [m["loss"] for m in same]
    assert [m["loss"] for m in second] == [m["loss"] for m in whole[3:]]


def test_a_kill_while_a_checkpoint_moves_into_place_is_made_good(tmp_path: Path) -> None:
    trained(tmp_path / "old", 3, replace(RECIPE, decay=0.0))
    trained(tmp_path / "new", 6, replace(RECIPE, decay=0.0))
    out, partial = tmp_path / "old", tmp_path / "old" / "partial"
    for name in ("optimizer.safetensors", "state.json"):  # what had not been moved yet
        shutil.copy(tmp_path / "new" / name, partial / name)
    shutil.copy(tmp_path / "new" / "model.safetensors", out)
    whole = Trainer(RECIPE, tmp_path / "new", shape=tiny_config())
    mended = Trainer(RECIPE, out, shape=tiny_config())
    assert mended.step == whole.step == 6
    assert not list(partial.iterdir())
    for one, other in zip(mended._moments().values(), whole._moments().values(), strict=True):
        assert torch.equal(one, other)


def test_steps_after_the_last_checkpoint_are_logged_once(tmp_path: Path) -> None:
    trained(tmp_path, 3)
    log = tmp_path / "metrics.jsonl"
    log.write_text(log.read_text() + json.dumps({"step": 4, "loss": 9.0}) + "\n")  # then a kill
    trained(tmp_path, 5)
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [1, 2, 3, 4, 5]
    assert all(json.loads(line)["loss"] != 9.0 for line in log.read_text().splitlines())


def test_the_loss_falls(tmp_path: Path) -> None:
    recipe = replace(RECIPE, steps=30, rate=3e-3, decay=0.0, seed=3)
    losses = [m["text_loss"] for m in trained(tmp_path, 30, recipe)]
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def test_a_checkpoint_is_a_model_folder(tmp_path: Path) -> None:
    trained(tmp_path, 3)
    model = load(tmp_path)
    assert model.config == tiny_config()
    assert Tokenizer.load(tmp_path).vocab_size == TOKENIZER.vocab_size
    state = json.loads((tmp_path / "state.json").read_text())
    assert (state["step"], state["recipe"]["stage"]) == (3, "test")
    plot_curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_release_is_half_the_size_and_says_where_it_comes_from(tmp_path: Path) -> None:
    trained(tmp_path / "run", 3)
    folder = release(tmp_path / "run", tmp_path / "release")
    sizes = [(f / "model.safetensors").stat().st_size for f in (tmp_path / "run", folder)]
    assert sizes[1] < 0.6 * sizes[0]
    whole, half = load(tmp_path / "run"), load(folder)
    for one, other in zip(whole.parameters(), half.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=2**-8, atol=0)
    assert json.loads((folder / "recipe.json").read_text())["step"] == 3
    assert Tokenizer.load(folder).vocab_size == TOKENIZER.vocab_size


def test_a_folder_with_another_model_is_refused(tmp_path: Path) -> None:
    trained(tmp_path, 3)
    with pytest.raises(TrainingError, match="holds another model"):
        Trainer(RECIPE, tmp_path, shape=tiny_config(stem=False))


def test_a_loss_that_is_not_finite_stops_with_the_way_out(tmp_path: Path) -> None:
    trainer = Trainer(RECIPE, tmp_path, shape=tiny_config())
    with torch.no_grad():
        trainer.model.language_model.lm_head.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"the loss is nan at step 0.*lower the rate"):
        trainer.run(lambda *_: None)


def test_a_gradient_that_is_not_finite_stops_before_the_weights_change(tmp_path: Path) -> None:
    trainer = Trainer(RECIPE, tmp_path, shape=tiny_config())
    weight = trainer.model.language_model.lm_head.weight
    weight.register_hook(lambda gradient: gradient * float("inf"))
    before = weight.detach().clone()
    with pytest.raises(TrainingError, match=r"the gradient's norm is (nan|inf) at step 0"):
        trainer.run(lambda *_: None)
    assert torch.equal(weight, before)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_named(
    finished: Path, tmp_path: Path, name: str, share: float
) -> None:
    shutil.copytree(finished, tmp_path / "run")
    file = tmp_path / "run" / name
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(DamageError, match=f"{name} is missing or damaged"):
        Trainer(RECIPE, tmp_path / "run", shape=tiny_config())


def test_a_damaged_model_to_begin_from_is_named(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "start")
    (tmp_path / "start" / "model.safetensors").write_bytes(b"not a model")
    with pytest.raises(DamageError, match=r"start/model\.safetensors is missing or damaged"):
        Trainer(RECIPE, tmp_path / "run", start=tmp_path / "start", shape=tiny_config())


def test_gradient_checkpointing_changes_nothing_but_memory() -> None:
    batch = collate([a_sample()], TOKENIZER)
    gradients, statistics = [], []
    tiny = tiny_config()
    shape = replace(tiny, vision=replace(tiny.vision, letter_blocks=1))
    for flag in (False, True):
        trainer = Trainer(replace(RECIPE, checkpointing=flag), Path("unused"), shape=shape)
        score(trainer.model.train(), batch, Weights()).loss.backward()
        gradients.append([p.grad for p in trainer.model.parameters() if p.grad is not None])
        buffers = dict(trainer.model.named_buffers())
        statistics.append({name: b for name, b in buffers.items() if ".running_" in name})
    assert statistics[0], "the stem normalises batches"
    assert all(torch.equal(b, statistics[1][name]) for name, b in statistics[0].items())
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_the_stream_can_be_entered_anywhere() -> None:
    stream = Stream(5, questions=2)
    late = next(stream.batches(3, 2))
    early = stream.batches(0, 2)
    fourth = [next(early) for _ in range(4)][-1]
    for one, other in zip(late, fourth, strict=True):
        assert one.questions == other.questions
        assert (one.pixels == other.pixels).all()


def test_screens_of_several_sizes_come_in_turn_and_larger_ones_in_smaller_numbers() -> None:
    recipe = replace(RECIPE, sizes=("160x210", "160x210", "320x240"))
    batches = Stream(5, sizes=recipe.screen_sizes).batches(0, 5)
    shapes = [[sample.pixels.shape for sample in next(batches)] for _ in range(4)]
    small, large = (210, 160, 3), (240, 320, 3)
    assert shapes == [[small] * 5, [small] * 5, [large] * 2, [small] * 5]


def test_screens_above_the_models_limit_are_learned_as_it_sees_them() -> None:
    (sample,) = next(Stream(5, sizes=(Size(1280, 800),), questions=4, finished=0).batches(0, 1))
    batch = collate([sample], TOKENIZER)
    (rows, columns), side = batch.grids[0], 14
    scale = resized_size(Size(1280, 800)).width / 1280
    assert scale < 0.95
    pointed = [q for q in sample.questions if q.box is not None]
    assert pointed
    for question, patch in zip(pointed, batch.point_patches.tolist(), strict=True):
        (point,) = points(question.action)
        assert patch == int(point.y * scale // side) * columns + int(point.x * scale // side)
    letters = sum(1 for char in sample.glyphs.chars if char != " ")
    assert (batch.glyphs > 0).sum() > 0.7 * letters
    assert batch.glyphs.shape == (rows * columns, 3)


def test_sizes_that_are_none_are_refused() -> None:
    for sizes in ((), ("160",), ("160x210", "axb")):
        with pytest.raises(RecipeError, match="160x210"):
            _ = replace(RECIPE, sizes=sizes).screen_sizes


def test_some_questions_come_after_their_action_and_the_prompt_says_so() -> None:
    stream = Stream(5, questions=4, finished=0.5)
    questions = [q for index in range(20) for q in stream.sample(index).questions]
    done = [q for q in questions if q.done]
    assert 0.3 < len(done) / len(questions) < 0.6
    finished = [q for q in done if q.action == Finished()]
    assert all(q.box is None and isinstance(q.done[0], Click) for q in finished)
    assert all(isinstance(q.action, Type) for q in done if q not in finished)
    sample = stream.sample(0)
    batch = collate([replace(sample, questions=(done[0],))], TOKENIZER)
    text = TOKENIZER.decode(batch.ids[0].tolist())
    assert f"{done[0].instruction}\nAction: click(start_box='(" in text
    assert text.endswith("assistantAction: finished()")


def test_a_stream_for_letters_alone_asks_nothing_of_pages_and_screens(tmp_path: Path) -> None:
    shard = tmp_path / "page-000000001-1.npz"
    write_shard(shard, [Stream(1, questions=3).sample(0)])
    asked, silent = (Stream(5, [shard], 0.5, questions=each) for each in (1, 0))
    for index in range(6):
        (question,), sample = asked.sample(index).questions, silent.sample(index)
        assert question and not sample.questions
        assert np.array_equal(sample.pixels, asked.sample(index).pixels)
        assert sample.glyphs.chars
    assert (collate([silent.sample(0)], TOKENIZER).labels == IGNORE).all()
    recipe = Recipe.load("letters")
    assert recipe.questions == 0 and recipe.weights.read == 0


def test_shards_are_shown_where_screens_have_their_size(tmp_path: Path) -> None:
    sizes = (MINIWOB, Size(320, 240), Size(640, 480))
    screen = Stream(1, sizes=sizes, questions=5).sample(0, sizes[1])
    shard = tmp_path / "program-000000001-1.npz"
    write_shard(shard, [replace(screen, glyphs=NOTHING)])
    stream = Stream(5, [shard], 1.0, sizes=sizes, questions=3, finished=0)
    first, second, third = (next(stream.batches(number, 9)) for number in range(3))
    assert all(np.array_equal(sample.pixels, screen.pixels) for sample in second)
    asked = {question.instruction for sample in second for question in sample.questions}
    assert len(asked) > 3, "the questions of a picture without a task of its own are drawn"
    assert not any(np.array_equal(one.pixels, screen.pixels) for one in (*first, *third))
    with pytest.raises(ShardError, match="expected pictures of 160x210, actually: 320x240"):
        Stream(5, [shard])


def test_tasks_are_drawn_as_often_as_a_recipe_says(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'stage = "mine"\nsteps = 1\nharvest_share = 1.0\n[focus]\nhard = 3\nnever = 0\n'
    )
    recipe = Recipe.load(str(file))
    shades = {"easy": 10, "hard": 20, "never": 30}
    for task, shade in shades.items():
        pixels = np.full((210, 160, 3), shade, np.uint8)
        asked = (Question("a task", Click(Point(1, 1)), Box(0, 0, 9, 9)),)
        write_shard(tmp_path / f"{task}-000000001-1.npz", [Sample(pixels, asked, NOTHING)])
    stream = Stream(5, sorted(tmp_path.glob("*.npz")), recipe.harvest_share, recipe.focus)
    drawn = [int(stream.sample(index).pixels[0, 0, 0]) for index in range(200)]
    assert set(drawn) == {10, 20}
    assert 2 < drawn.count(20) / drawn.count(10) < 4.5


def test_recipes_are_checked(tmp_path: Path) -> None:
    assert Recipe.load("pointing").stage == "pointing"
    file = tmp_path / "mine.toml"
    file.write_text('stage = "mine"\nsteps = 3\nspeed = 9\n')
    with pytest.raises(RecipeError, match="speed"):
        Recipe.load(str(file))
    for weight in ("-1", "nan", "'often'"):
        file.write_text(f'stage = "mine"\nsteps = 3\n[focus]\nhard = {weight}\n')
        with pytest.raises(RecipeError):
            Recipe.load(str(file))


def test_a_folder_without_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no shards .* agent\.learning\.harvest"):
        run_stage("pointing", tmp_path / "run", tmp_path)


def test_the_rate_warms_up_stays_and_falls() -> None:
    recipe = Recipe("test", steps=100, rate=1.0, warmup=10, decay=0.2)
    assert recipe.rate_at(0) == pytest.approx(0.1)
    assert recipe.rate_at(50) == 1.0
    assert recipe.rate_at(90) == pytest.approx(0.5)
