"""Loop replay and the pytest plugin."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actions.dialects import ParseError, parse, render
from actions.guard import Guard
from actions.receipt import Outcome, Receipt
from actions.space import (
    ENDING,
    Action,
    Button,
    Click,
    Direction,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    KeyUp,
    Scroll,
    Step,
    Type,
    Wait,
    on_points,
)
from agent.episodes.errors import BrokenEpisode
from agent.episodes.files import FolderFiles
from agent.episodes.format import End, Ending, Head, Json, genesis, open_line, seal_line
from agent.episodes.reader import Episode, read_manifest
from agent.episodes.replay import replay
from agent.episodes.verify import verify
from agent.episodes.withhold import Secrets, Withhold, nothing
from agent.episodes.writer import EpisodeWriter
from agent.policies.base import Decision
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Point, Size

Replay = Callable[[str], Episode]
MAP = CoordinateMap(Box(-320, 10, 0, 250), Size(320, 240))
FRAME = Frame(np.full((240, 320, 3), 200, np.uint8), MAP.screen)


def record(
    path: Path,
    *texts: str,
    outcome: Outcome = Outcome.CONFIRMED,
    message: str = "",
    withhold: Withhold = nothing,
) -> Path:
    """Record what the loop would, had a model said these texts."""
    with EpisodeWriter(path, Head("do it"), withhold=withhold) as writer:
        for text in texts:
            try:
                step: Step | None = parse(text)
                error = None
            except ParseError as fault:
                step, error = None, str(fault)
            acts = [act for act in (step.actions if step else ()) if not isinstance(act, ENDING)]
            acts = [on_points(act, MAP.to_screen) for act in acts]
            receipts = [Receipt(act, outcome, message) for act in acts]
            writer.append(FRAME, Decision(text, MAP, step, error), acts, receipts)
        writer.close(Ending(End.FINISHED))
    return path


def alter(path: Path, index: int, change: Json) -> None:
    """Seal the steps anew with one of them changed, as if it had been recorded like that."""
    manifest, _ = read_manifest(FolderFiles(path))
    old = new = genesis(manifest["head"])
    sealed = b""
    for number, line in enumerate((path / "steps.jsonl").read_bytes().splitlines()):
        step, old = open_line(line, old)
        line, new = seal_line(step | change if number == index else step, new)
        sealed += line
    (path / "steps.jsonl").write_bytes(sealed)


ALL = (
    Click(Point(0, 0)),
    Click(Point(1000, 500), Button.RIGHT),
    Click(Point(500, 500), count=2),
    Drag(Point(10, 10), Point(700, 800)),
    Type("Grüße, 'quoted' \"世界\"\n", submit=True),
    Hotkey(("ctrl", "shift", "t")),
    Scroll(Direction.DOWN, Point(300, 300)),
    Wait(),
    Finished("done"),
)


def test_what_was_recorded_replays_the_same(tmp_path: Path) -> None:
    texts = [render(Step("I think", (action,)), "uitars") for action in ALL]
    report = replay(record(tmp_path / "e", *texts, "Action: nonsense("))
    assert report.ok and report.steps == len(ALL) + 1, str(report)
    step = Episode.open(tmp_path / "e").steps[1]
    assert step.receipts[0].events == ("move -1 130", "button_down right", "button_up right")
    assert "10 steps replayed, all the same" in str(report)


POINTS = st.builds(Point, st.integers(0, 1000), st.integers(0, 1000))
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(Click, POINTS, st.sampled_from(Button)).filter(lambda act: act.button != "middle"),
    st.builds(Type, st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)),
    st.builds(Drag, POINTS, POINTS).filter(lambda drag: drag.start != drag.end),
    st.builds(Scroll, st.sampled_from(Direction), POINTS),
)


@given(actions=st.lists(ACTIONS, min_size=1, max_size=5))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_recording_replays_the_same(
    tmp_path_factory: pytest.TempPathFactory, actions: list[Action]
) -> None:
    texts = [render(Step("", (action,)), "uitars") for action in actions]
    report = replay(record(tmp_path_factory.mktemp("e") / "e", *texts))
    assert report.ok, str(report)


CLICK = "Thought: a\nAction: click(start_box='(500,500)')"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"text": CLICK.replace("500,", "501,")},
            r"parser:\n  - click .*\[500, 500\].*\n  \+ click .*\[501, 500\]",
        ),
        ({"text": CLICK.replace("a\n", "b\n")}, r"parser:\n  - thought: a\n  \+ thought: b"),
        ({"text": "Action: clik()"}, r"parser:\n  - thought: a\n  - click .*\n  \+ not a step \("),
        ({"error": "no"}, r"parser:\n  - not a step\n  \+ thought: a\n  \+ click"),
        (
            {"map": {"screen": [0, 0, 320, 240], "image": [320, 240], "extent": [1000, 1000]}},
            r"map:\n  - click .*-160.*\n  \+ click .*160",
        ),
        (
            {"map": {"screen": [0, 0, 320, 240], "image": [320, 240], "extent": [10, 10]}},
            r"map:\n  - click .*\n  \+ error: point .* outside",
        ),
    ],
)
def test_one_difference_is_found_and_told(tmp_path: Path, change: Json, told: str) -> None:
    path = record(tmp_path / "e", CLICK, CLICK, CLICK)
    alter(path, 1, change)
    report = replay(path)
    [difference] = report.differences
    assert difference.step == 1
    assert re.search(told, str(report)), str(report)


def test_a_different_event_sequence_is_found(tmp_path: Path) -> None:
    path = record(tmp_path / "e", CLICK)
    receipt = json.loads((path / "steps.jsonl").read_bytes())["receipts"][0]
    events = receipt["events"]
    alter(path, 0, {"receipts": [receipt | {"events": [events[0], events[2], events[1]]}]})
    report = replay(path)
    assert "step 0, events:\n  the same, in another order" in str(report)


def test_refused_and_failed_actions_send_nothing_to_compare(tmp_path: Path) -> None:
    for outcome in (Outcome.REFUSED, Outcome.FAILED):
        path = record(tmp_path / outcome, CLICK, outcome=outcome)
        assert Episode.open(path).steps[0].receipts[0].events is None
        assert replay(path).ok


def test_keys_stay_held_between_steps_and_are_let_go_after_a_failure(tmp_path: Path) -> None:
    with EpisodeWriter(tmp_path, Head("x")) as writer:
        for act, outcome in (
            (KeyDown("shift"), Outcome.CONFIRMED),
            (KeyUp("shift"), Outcome.FAILED),
        ):
            step = Step("", (act,))
            text = render(step, "uitars")
            writer.append(FRAME, Decision(text, MAP, step), [act], [Receipt(act, outcome)])
    assert replay(tmp_path).ok


DELETE = "Action: hotkey(key='ctrl alt delete')"


def test_the_guard_must_decide_as_it_did(tmp_path: Path) -> None:
    path = record(tmp_path / "let", DELETE)
    assert "step 0, guard:\n  - allowed\n  + deny: ctrl+alt+delete" in str(replay(path))
    assert replay(path, Guard(rules=())).ok

    path = record(tmp_path / "denied", DELETE, outcome=Outcome.REFUSED, message="not allowed: no")
    assert replay(path).ok
    assert "guard:\n  - not allowed: no\n  + allow: " in str(replay(path, Guard(rules=())))

    path = record(tmp_path / "moved", DELETE, outcome=Outcome.REFUSED, message="the target moved")
    assert replay(path).ok and replay(path, Guard(rules=())).ok


def test_the_example_was_recorded_on_a_real_page_and_replays(replay_episode: Replay) -> None:
    episode = replay_episode("../data/episodes/login")
    assert verify(episode.path).ok
    assert episode.outcome == Ending("finished", "logged in", 1.0)
    assert [len(step.receipts) for step in episode.steps] == [1, 1, 2, 0, 1, 0]
    assert {episode.frame(step).pixels.shape for step in episode.steps} == {(210, 160, 3)}


@pytest.mark.episode("../data/episodes/login")
def test_the_marker_replays_the_example(episode: Episode) -> None:
    assert episode.head.instruction.startswith('Enter the username "bernardine"')


def test_withheld_text_is_replayed_from_the_actions_on(tmp_path: Path) -> None:
    text = render(Step("I log in", (Type("hunter2hunter2"),)), "uitars")
    path = record(tmp_path / "e", text, withhold=Secrets(["hunter2hunter2"]))
    report = replay(path)
    assert report.ok and report.withheld == 1
    assert Episode.open(path).steps[0].receipts[0].events == ("text [withheld]",)


TESTS = """
import sys
import pytest

@pytest.mark.episode("good")
def test_same(episode):
    assert episode.outcome.end == "finished"

@pytest.mark.episode("changed")
def test_changed():
    pass

def test_fixture(replay_episode):
    assert len(replay_episode("good").steps) == 2
    with pytest.raises(AssertionError, match="step 1, parser"):
        replay_episode("changed")

def test_missing(replay_episode):
    replay_episode("nowhere")

def test_unmarked(episode):
    pass

@pytest.mark.episode
def test_without_path():
    pass
"""


def run_pytest(folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder).stdout


def test_the_plugin_fails_a_test_when_one_action_differs(tmp_path: Path) -> None:
    record(tmp_path / "good", CLICK, CLICK)
    record(tmp_path / "changed", CLICK, CLICK)
    alter(tmp_path / "changed", 1, {"text": CLICK.replace("500,", "501,")})
    (tmp_path / "test_episodes.py").write_text(TESTS)
    told = run_pytest(tmp_path, "--strict-markers", "-rA")
    assert "PASSED test_episodes.py::test_same" in told, told
    assert "PASSED test_episodes.py::test_fixture" in told
    assert "ERROR test_episodes.py::test_changed - AssertionError" in told
    assert "+ click" in told and "[501, 500]" in told
    assert "FAILED test_episodes.py::test_missing - AssertionError: NotAnEpisode" in told
    assert "needs @pytest.mark.episode" in told
    assert "expected @pytest.mark.episode" in told


def test_the_plugin_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "test_light.py").write_text(
        "import sys\ndef test_light():\n"
        "    assert 'agent.episodes.pytest_plugin' in sys.modules\n"
        "    heavy = {'torch', 'numpy', 'PIL', 'pydantic', 'jinja2', 'actions', 'vision'}\n"
        "    assert not heavy & set(sys.modules)\n"
    )
    told = run_pytest(tmp_path, "-p", "no:hypothesispytest")
    assert "1 passed" in told, told


def test_a_broken_episode_is_an_error_of_its_own(tmp_path: Path) -> None:
    path = record(tmp_path / "e", CLICK)
    (path / "steps.jsonl").write_text("{}\n")
    with pytest.raises(BrokenEpisode, match="step 0"):
        replay(path)


def test_an_unknown_dialect_is_an_error_that_names_the_manifest(tmp_path: Path) -> None:
    with EpisodeWriter(tmp_path, Head("x", dialect="klingon")):
        pass
    with pytest.raises(BrokenEpisode, match=r"manifest\.json: expected a dialect of"):
        replay(tmp_path)
