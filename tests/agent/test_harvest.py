from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from actions.backends.x11 import X11Backend
from actions.space import Button, CallUser, Click
from agent.environments.miniwob import AREA, MiniWob, TaskError, tasks
from agent.learning.harvest import (
    FIRST_EVALUATION_SEED,
    HELD_OUT,
    HarvestError,
    harvest,
    read_labels,
    sample,
)
from agent.learning.samples import read_shard

ONE_CLICK = (
    "buy-ticket",
    "click-button",
    "click-dialog",
    "click-dialog-2",
    "click-link",
    "click-shape",
    "click-tab",
    "click-test",
    "click-test-2",
    "click-test-transfer",
    "click-widget",
    "count-shape",
    "count-sides",
    "focus-text",
    "focus-text-2",
    "grid-coordinate",
    "identify-shape",
)


@pytest.fixture(scope="module")
def world() -> Iterator[MiniWob]:
    with MiniWob() as shared:
        yield shared


@pytest.mark.parametrize("task", ONE_CLICK)
def test_the_label_solves_the_task(world: MiniWob, task: str) -> None:
    world.task = task
    own = sample(world, 7).questions[0]
    assert isinstance(own.action, Click)
    assert own.instruction == world.reset(7)
    with X11Backend(world.display.name) as backend:
        backend.move(own.action.point)
        backend.button_down(Button.LEFT)
        backend.button_up(Button.LEFT)
    deadline = time.monotonic() + 10
    while not world.reward().done and time.monotonic() < deadline:
        time.sleep(0.01)
    assert world.reward().raw == 1


@pytest.mark.parametrize("task", ["click-widget", "click-tab", "email-inbox", "click-shape"])
def test_every_label_lies_on_the_screen(world: MiniWob, task: str) -> None:
    world.task = task
    found = sample(world, 3)
    assert len(found.questions) > 2
    for question in found.questions:
        if isinstance(question.action, Click):
            assert question.box is not None
            assert question.box.contains(question.action.point)
            assert AREA.left <= question.box.left < question.box.right <= AREA.right
            assert AREA.top <= question.box.top < question.box.bottom <= AREA.bottom
        else:
            assert question.action == CallUser()
            assert question.box is None


@pytest.mark.parametrize("task", ["click-widget", "click-button", "click-dialog-2", "login-user"])
def test_every_glyph_is_ink(world: MiniWob, task: str) -> None:
    world.task = task
    found = sample(world, 5)
    assert found.glyphs.chars.startswith(world.reset(5)[:5])
    for x, y in found.glyphs.centers:
        patch = found.pixels[int(y) - 5 : int(y) + 6, int(x) - 2 : int(x) + 3]
        assert np.ptp(patch.astype(int), axis=(0, 1)).max() > 40


def test_text_in_fields_is_found_too(world: MiniWob) -> None:
    world.task = "click-widget"
    values = world.reset(2), world.inspect(lambda page: page.input_value("[data-type=text]"))
    assert values[1] in sample(world, 2).glyphs.chars


RAGGED = "\n".join("M" * (1 + 7 * line % 11) for line in range(30))


@pytest.mark.parametrize(
    ("field", "text", "across", "down"),
    [
        ("<textarea id=f style='width:110px;height:80px'></textarea>", RAGGED, 0, 0),
        ("<textarea id=f style='width:110px;height:80px'></textarea>", RAGGED, 0, 151),
        ("<textarea id=f style='width:70px;height:80px'></textarea>", "MMMM " + "M" * 40, 0, 9),
        ("<input id=f style='width:90px'>", RAGGED.replace("\n", " "), 0, 0),
        ("<input id=f style='width:90px'>", RAGGED.replace("\n", " "), 133, 0),
    ],
)
def test_letters_of_scrolled_fields_lie_where_they_show(
    world: MiniWob, field: str, text: str, across: int, down: int
) -> None:
    world.task = "click-test-2"
    world.reset(4)

    def fill(page: Page) -> None:
        page.evaluate(
            """([field, text, across, down]) => {
                document.querySelector('#area').innerHTML = field;
                const shown = document.querySelector('#f');
                shown.value = text;
                shown.scrollTo(across, down);
            }""",
            [field, text, across, down],
        )

    world.inspect(fill)
    inside = world.inspect(lambda page: page.locator("#f").bounding_box())
    assert inside is not None
    found = [(x, y) for char, x, y in read_labels(world, 4)["glyphs"] if y > AREA.top]
    dark = world.screen.grab().pixels.max(-1) < 120
    assert len(found) > 8
    for x, y in found:
        assert dark[int(y) - 3 : int(y) + 4, int(x) - 2 : int(x) + 3].any()
    left, top = inside["x"] + 8, inside["y"] + 8
    right, bottom = inside["x"] + inside["width"] - 24, inside["y"] + inside["height"] - 8
    for row, column in np.argwhere(dark):
        if left < column < right and top < row < bottom:
            assert any(abs(x - column) < 8 and abs(y - row) < 9 for x, y in found), (column, row)


def test_a_sample_is_repeatable(world: MiniWob) -> None:
    world.task = "click-tab"
    first, again = sample(world, 11), sample(world, 11)
    assert np.array_equal(first.pixels, again.pixels)
    assert first.questions == again.questions
    assert first.glyphs.chars == again.glyphs.chars


def test_shards_that_exist_are_kept(tmp_path: Path) -> None:
    (path,) = harvest(["click-test-2"], range(40, 42), tmp_path)
    written = path.stat().st_mtime_ns
    assert [*harvest(["click-test-2"], range(40, 42), tmp_path)] == [path]
    assert path.stat().st_mtime_ns == written
    assert len(read_shard(path)) == 2


def test_held_out_tasks_are_never_harvested(tmp_path: Path) -> None:
    assert set(tasks()) >= HELD_OUT
    assert len(HELD_OUT) == 12
    for task in HELD_OUT:
        with pytest.raises(HarvestError, match=task):
            next(harvest([task], range(1), tmp_path))


def test_evaluation_seeds_are_never_harvested(tmp_path: Path) -> None:
    with pytest.raises(HarvestError, match="seeds < 1000000000"):
        next(harvest(["click-test"], range(5, FIRST_EVALUATION_SEED + 1), tmp_path))


def test_an_unknown_task_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="click-nothing"):
        next(harvest(["click-nothing"], range(1), tmp_path))
