from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.space import Action, Click, Drag, Hotkey, Scroll, Type, points
from agent.environments.miniwob import AREA, tasks
from agent.environments.offscreen import OffscreenMiniWob
from agent.learning.demonstrate import demonstrate
from agent.learning.demonstrator import Demonstrator, open_player
from agent.learning.harvest import FIRST_EVALUATION_SEED, HELD_OUT, HarvestError
from agent.learning.learner import Learner
from agent.learning.mistakes import mistake
from agent.learning.oracles.page import Move
from agent.learning.oracles.tasks import ORACLES, next_move
from agent.learning.oracles.variations import other_instruction
from agent.learning.samples import read_shard, shard_digest
from agent.policies.scripted import ScriptedPolicy
from vision.geometry import Box, Point

REPRESENTATIVE = (
    "bisect-angle",
    "click-checkboxes",
    "click-collapsible-2-nodelay",
    "click-menu",
    "click-tab-2",
    "daily-calendar",
    "drag-box",
    "drag-shapes-2",
    "email-inbox",
    "enter-password",
    "enter-time",
    "highlight-text",
    "read-table",
    "terminal",
    "text-editor",
    "use-colorwheel",
    "use-slider",
    "visual-addition",
)
"""One of each kind; `python -m agent.learning.demonstrate --check` plays them all."""


@pytest.fixture(scope="module")
def world() -> Iterator[OffscreenMiniWob]:
    with OffscreenMiniWob() as shared:
        yield shared


@pytest.mark.parametrize("task", REPRESENTATIVE)
def test_an_oracle_solves_its_task(world: OffscreenMiniWob, task: str) -> None:
    player = Demonstrator(world, world.perform, noise=0)
    for seed in range(3):
        shown = player.play(task, seed)
        assert shown.solved, f"seed {seed}"
        assert len(shown.samples) <= 15


def test_a_style_that_was_not_asked_for_is_taken_back(world: OffscreenMiniWob) -> None:
    italic = Click(Point(74, 66))
    world.task = "text-editor"
    for seed in (1, 8):  # a style of everything, a colour of one word
        instruction = world.reset(seed)
        assert "italics" not in instruction
        done: list[Action] = []
        while not world.reward().done:
            move = next_move(world, instruction, seed)
            assert move is not None and len(done) < 12
            pressed = isinstance(move.action, Click) and 54 < move.action.point.y < 78
            wrong = pressed and Hotkey(("ctrl", "z")) not in done
            world.perform(italic if wrong else move.action)
            done.append(move.action)
        assert done.count(Hotkey(("ctrl", "z"))) == 1
        assert world.reward().raw == 1


def test_real_hands_solve_it_too() -> None:
    with ExitStack() as held:
        player = open_player(held, noise=0, display=True)
        for task in ("click-checkboxes", "enter-password", "drag-box"):
            assert player.play(task, 1).solved


def test_an_oracle_finds_back_after_mistakes(world: OffscreenMiniWob) -> None:
    player = Demonstrator(world, world.perform, noise=0.4)
    shown = [player.play("enter-text", seed) for seed in range(4)]
    asked = [sample.questions[0] for one in shown for sample in one.samples]
    assert sum(one.instructive for one in shown) >= 2
    assert any(question.action == Hotkey(("ctrl", "a")) for question in asked)
    assert any(question.done for question in asked)


def test_every_label_lies_on_the_screen(world: OffscreenMiniWob) -> None:
    shown = Demonstrator(world, world.perform, noise=0.2).play("social-media-all", 1)
    for sample in shown.samples:
        own = sample.questions[0]
        assert own.box is not None
        assert own.box.contains(points(own.action)[0])
        assert AREA.contains(points(own.action)[0])


def test_boxes_are_ticked_in_any_order(world: OffscreenMiniWob) -> None:
    player = Demonstrator(world, world.perform, noise=0)
    shown = [player.play("number-checkboxes", seed) for seed in range(2)]
    assert all(one.solved for one in shown)
    asked = [sample.questions[0] for one in shown for sample in one.samples]
    free = [question for question in asked if question.also]
    assert len(free) >= 10
    assert all(not other.contains(points(q.action)[0]) for q in free for other in q.also)
    topmost = [q.box is not None and q.box.top <= min(b.top for b in q.also) for q in free]
    assert any(topmost)
    assert not all(topmost)


def test_one_of_several_drags_ends_where_any_of_them_may() -> None:
    boxes = [Box(0, 0, 10, 10), Box(20, 0, 30, 10)]
    move = Move(Drag(Point(5, 5), Point(90, 90)), boxes[0], (boxes[1],), Box(80, 80, 99, 99))
    either = {move.any(Random(seed)) for seed in range(20)}
    assert move in either
    other = Move(Drag(Point(25, 5), Point(90, 90)), boxes[1], (boxes[0],), move.end)
    assert either == {move, other}


def test_a_state_that_cannot_be_solved_has_no_move(world: OffscreenMiniWob) -> None:
    world.task = "click-button-sequence"
    instruction = world.reset(0)
    world.inspect(lambda page: page.evaluate("buttonsPushed.push('subbtn2')"))
    assert next_move(world, instruction, 0) is None


def test_shards_hold_what_was_asked_and_are_kept(tmp_path: Path) -> None:
    (path,) = demonstrate(["click-option"], range(2), tmp_path, noise=0)
    written = path.stat().st_mtime_ns
    first, second = (sample.questions[0] for sample in read_shard(path)[:2])
    assert isinstance(first.action, Click)
    assert first.instruction == second.instruction
    assert [*demonstrate(["click-option"], range(2), tmp_path)] == [path]
    assert path.stat().st_mtime_ns == written


def test_several_processes_write_the_same_shards(tmp_path: Path) -> None:
    names = ["click-option", "focus-text"]
    alone = sorted(demonstrate(names, range(1), tmp_path / "alone"))
    shared = sorted(demonstrate(names, range(1), tmp_path / "shared", workers=2))
    assert [path.name for path in alone] == [path.name for path in shared]
    assert [*map(shard_digest, alone)] == [*map(shard_digest, shared)]


def test_held_out_tasks_have_no_oracle() -> None:
    assert not HELD_OUT & ORACLES.keys()
    assert ORACLES.keys() <= set(tasks())


def test_what_must_not_become_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarvestError, match="click-color"):
        next(demonstrate(["click-color"], range(1), tmp_path))
    with pytest.raises(HarvestError, match="seeds < 1000000000"):
        next(demonstrate(["click-test"], range(FIRST_EVALUATION_SEED, 1 << 30), tmp_path))
    with pytest.raises(HarvestError, match="with an oracle, actually: hot-cold"):
        next(demonstrate(["hot-cold"], range(1), tmp_path))


places = st.builds(Point, st.integers(0, 159), st.integers(0, 209))
moves = st.one_of(
    st.builds(Click, places),
    st.builds(Drag, places, places),
    st.builds(Type, st.text("abc xyz", min_size=1), st.just(False), places),
    st.builds(Scroll, st.sampled_from(["up", "down"]), places),
    st.just(Hotkey(("left",))),
)


@given(moves, st.integers())
def test_a_mistake_can_be_made(action: Action, seed: int) -> None:
    box = next((Box(p.x, p.y, p.x + 1, p.y + 1) for p in points(action)), None)
    wrong = mistake(Move(action, box), [Box(10, 60, 50, 80)], Random(seed))
    assert all(AREA.contains(point) for point in points(wrong))
    assert not isinstance(wrong, Type) or wrong.text


def test_one_picture_comes_with_several_instructions(world: OffscreenMiniWob) -> None:
    player = Demonstrator(world, world.perform, noise=0)
    samples = [s for seed in range(3) for s in player.play("click-checkboxes", seed).samples]
    different = 0
    for sample in samples:
        said = [q for q in sample.questions if re.search(r"^Select .* Submit\.$", q.instruction)]
        assert said[0] == sample.questions[0]
        assert len({question.instruction for question in said}) == len(said)
        different += len({question.box for question in said}) > 1
    assert different >= 5


def test_what_was_asked_on_another_page_is_asked_here(world: OffscreenMiniWob) -> None:
    world.task = "number-checkboxes"
    instruction = world.reset(0)
    heard = [instruction, instruction.replace(instruction.split('"')[1], "7")]
    said = {other_instruction(world, instruction, 0, heard, Random(n)) for n in range(9)}
    assert said == {None, heard[1]}
    assert next_move(world, heard[1], 0) != next_move(world, instruction, 0)


def test_an_episode_depends_on_its_arguments_only(world: OffscreenMiniWob) -> None:
    player = Demonstrator(world, world.perform, noise=0)
    alone = player.play("choose-date-easy", 0).samples[0]
    other = player.play("choose-date-easy", 1).samples[0].questions[0].instruction
    assert player.play("choose-date-easy", 0).samples[0].questions == alone.questions
    told = player.play("choose-date-easy", 0, [other]).samples[0]
    assert other in [question.instruction for question in told.questions]
    assert other not in [question.instruction for question in alone.questions]


def test_only_what_the_page_has_room_for_can_be_asked(world: OffscreenMiniWob) -> None:
    world.task = "use-slider"
    world.reset(0)
    assert next_move(world, "Select 100000 with the slider and hit Submit.", 0) is None
    world.task = "find-word"
    world.reset(0)
    assert next_move(world, "Find the 400th word in the paragraph", 0) is None


def test_a_learner_makes_mistakes_of_its_own(world: OffscreenMiniWob) -> None:
    wrong = "Action: click(start_box='(225,390)')"  # in thousandths of the screen
    policy = ScriptedPolicy([wrong] + ["Action: finished(content='')"] * 20)
    player = Demonstrator(world, world.perform, noise=1, learner=Learner(policy))
    shown = player.play("click-option", 0)
    assert shown.solved  # where the learner would end, the oracle goes on
    first, second = (sample.questions[0] for sample in shown.samples[:2])
    assert first.action == second.action
    assert second.done == (Click(Point(36, 81)),)
    assert [turn.text for turn in policy.seen[1].history] == [
        "Action: click(start_box='(228,388)')"
    ]
