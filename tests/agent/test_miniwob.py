from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actions.backends.x11 import X11Backend
from actions.executor import Executor
from actions.receipt import Outcome
from actions.space import Button, Click, Finished, Wait
from agent.environments.base import StepLimit
from agent.environments.browser import Browser, BrowserError
from agent.environments.display import VirtualDisplay
from agent.environments.miniwob import MiniWob, MiniWobEnvironment, Reward, TaskError, tasks
from vision.geometry import Box, Point

SEED = 1_201_539_860


@pytest.fixture(scope="module")
def world() -> Iterator[MiniWob]:
    with MiniWob() as shared:
        yield shared


@pytest.fixture
def environment(world: MiniWob) -> Iterator[MiniWobEnvironment]:
    with X11Backend(world.display.name) as backend:
        executor = Executor(backend, world.screen, fail_safe=False)
        yield MiniWobEnvironment(world, executor)


def button(world: MiniWob, selector: str) -> Point:
    """Where the test's own eyes find something; an agent has to look at the pixels."""
    box = world.inspect(lambda page: page.locator(selector).first.bounding_box())
    assert box is not None
    return Point(int(box["x"] + box["width"] / 2), int(box["y"] + box["height"] / 2))


def test_the_screen_is_the_task_area_from_its_first_pixel(world: MiniWob) -> None:
    world.task = "click-test"
    world.reset(SEED)
    frame = world.screen.grab()
    assert frame.box == Box(0, 0, 160, 210)
    assert tuple(frame.pixels[0, 0]) == (255, 255, 0)
    assert tuple(frame.pixels[0, -1]) == (255, 255, 0)


@pytest.mark.parametrize("task", ["click-test-2", "click-dialog", "click-pie", "use-slider"])
def test_a_seed_gives_the_same_pixels_again(world: MiniWob, task: str) -> None:
    def look(seed: int) -> tuple[str, str]:
        return world.reset(seed), world.screen.grab().digest

    world.task = task
    first = look(SEED)
    assert look(SEED + 1) != first
    assert look(SEED) == first


def test_the_instruction_is_what_the_page_says(world: MiniWob) -> None:
    world.task = "click-test-2"
    assert world.reset(SEED) == "Click button ONE."


def test_an_instruction_with_fields_is_plain_text(world: MiniWob) -> None:
    world.task = "email-inbox"
    assert world.reset(SEED).endswith(".")


def test_there_is_an_hour_for_an_episode(world: MiniWob) -> None:
    world.task = "use-colorwheel"
    world.reset(SEED)
    assert world.inspect(lambda page: page.evaluate("core.EPISODE_MAX_TIME")) == 3_600_000


def test_a_real_click_earns_the_reward(world: MiniWob) -> None:
    world.task = "click-test"
    world.reset(SEED)
    assert world.reward() == Reward(0.0, False)
    with X11Backend(world.display.name) as backend:
        backend.move(button(world, "#subbtn"))
        backend.button_down(Button.LEFT)
        backend.button_up(Button.LEFT)
    deadline = time.monotonic() + 10
    while not world.reward().done and time.monotonic() < deadline:
        time.sleep(0.01)
    assert world.reward() == Reward(1.0, True)


def test_a_page_that_cannot_be_hovered_by_accident(world: MiniWob) -> None:
    world.task = "click-button"
    world.reset(SEED)
    before = world.screen.grab().digest
    with X11Backend(world.display.name) as backend:
        backend.move(button(world, "#area button"))
    world.reset(SEED)
    assert world.screen.grab().digest == before


@pytest.mark.parametrize("task", ["click-checkboxes", "click-option"])
def test_ticking_a_box_that_lights_up_under_the_pointer_is_seen(world: MiniWob, task: str) -> None:
    world.task = task
    with X11Backend(world.display.name) as backend:
        executor = Executor(backend, world.screen, fail_safe=False)
        for seed in range(3):
            world.reset(seed)
            receipt = executor.perform(Click(button(world, "#area input")))
            assert receipt.outcome is Outcome.CONFIRMED


def test_an_unknown_task_is_named(world: MiniWob) -> None:
    world.task = "click-tset"
    with pytest.raises(TaskError, match="click-tset"):
        world.reset(SEED)


def test_the_package_has_all_its_tasks() -> None:
    assert len(tasks()) > 120
    assert "click-button" in tasks()


def test_the_task_ends_the_episode(world: MiniWob, environment: MiniWobEnvironment) -> None:
    world.task = "click-button"
    observation = environment.reset(SEED)
    assert observation.instruction == 'Click on the "ok" button.'
    transition = environment.step(Click(button(world, "#area button >> text=/^ok$/")))
    assert (transition.reward, transition.terminated, transition.truncated) == (1.0, True, False)
    assert transition.observation.frame.digest != observation.frame.digest


def test_giving_up_ends_the_episode_without_reward(
    world: MiniWob, environment: MiniWobEnvironment
) -> None:
    world.task = "click-test"
    environment.reset(SEED)
    transition = environment.step(Finished())
    assert (transition.reward, transition.terminated) == (0.0, True)


def test_a_limit_truncates_and_does_not_terminate(
    world: MiniWob, environment: MiniWobEnvironment
) -> None:
    world.task = "click-test"
    limited = StepLimit(environment, 2)
    limited.reset(SEED)
    first, second = limited.step(Wait(0.0)), limited.step(Wait(0.0))
    assert (first.terminated, first.truncated) == (False, False)
    assert (second.terminated, second.truncated) == (False, True)


def test_a_dead_browser_is_an_error_and_a_new_one_works(display: VirtualDisplay) -> None:
    with MiniWob(display) as world:
        world.reset(SEED)
        with pytest.raises(BrowserError, match="died"):
            world.inspect(lambda page: page.goto("chrome://crash"))
            world.reward()
    with MiniWob(display) as world:
        assert world.reset(SEED) == "Click the button."


def test_a_closed_browser_says_so(display: VirtualDisplay) -> None:
    with pytest.raises(BrowserError, match="expected an open browser"):
        Browser(display).call(lambda page: page.url)


def test_a_missing_browser_is_named_with_its_package(
    display: VirtualDisplay, tmp_path: Path
) -> None:
    before = os.environ["PATH"]
    os.environ["PATH"] = str(tmp_path)
    try:
        with pytest.raises(BrowserError, match="apt-get install chromium"):
            Browser(display).__enter__()
    finally:
        os.environ["PATH"] = before
