"""The quick world without a display, against the real one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from actions.space import Click, LongPress
from agent.environments.browser import BrowserError
from agent.environments.miniwob import MiniWob, TaskError
from agent.environments.offscreen import OffscreenMiniWob
from agent.learning.oracles.page import Move
from agent.learning.oracles.tasks import next_move
from vision.geometry import Point


@pytest.fixture(scope="module")
def quick() -> Iterator[OffscreenMiniWob]:
    with OffscreenMiniWob() as world:
        yield world


@pytest.fixture(scope="module")
def real() -> Iterator[MiniWob]:
    with MiniWob() as world:
        yield world


def moved(world: OffscreenMiniWob, instruction: str, seed: int) -> Move:
    move = next_move(world, instruction, seed)
    assert move is not None
    return move


@pytest.mark.parametrize("task", ["email-inbox", "click-shape", "use-slider", "enter-date"])
def test_pictures_are_those_of_a_window(quick: OffscreenMiniWob, real: MiniWob, task: str) -> None:
    quick.task = real.task = task
    for seed in (3, 4):  # the second one without loading the page again
        assert quick.reset(seed) == real.reset(seed)
        wanted = quick.grab().pixels
        deadline = time.monotonic() + 10  # a window on a busy machine may be late
        while not np.array_equal(wanted, real.screen.grab().pixels):
            assert time.monotonic() < deadline, np.argwhere(wanted != real.screen.grab().pixels)
            time.sleep(0.05)


@pytest.mark.parametrize(
    "task", ["click-checkboxes", "enter-password", "drag-box", "use-slider", "email-inbox"]
)
def test_actions_have_their_effect(quick: OffscreenMiniWob, task: str) -> None:
    quick.task = task
    instruction = quick.reset(5)
    for _ in range(20):
        if quick.reward().done:
            break
        quick.perform(moved(quick, instruction, 5).action)
    assert quick.reward().raw == 1


def test_an_action_tells_whether_it_changed_the_picture(quick: OffscreenMiniWob) -> None:
    quick.task = "click-checkboxes"
    move = moved(quick, quick.reset(1), 1)
    assert quick.perform(move.action)
    nowhere = Click(Point(150, 200))
    quick.perform(nowhere)  # takes the focus from the box
    assert not quick.perform(nowhere)
    before = quick.grab().pixels
    np.testing.assert_array_equal(before, quick.grab().pixels)


def test_what_cannot_be_done_is_refused(quick: OffscreenMiniWob) -> None:
    quick.task = "click-test"
    quick.reset(1)
    with pytest.raises(ValueError, match="action of an oracle"):
        quick.perform(LongPress(Point(1, 1)))
    with pytest.raises(BrowserError, match="page failed"):
        quick.inspect(lambda page: page.evaluate("nonsense("))
    quick.task = "no-such-task"
    with pytest.raises(TaskError):
        quick.reset(1)
