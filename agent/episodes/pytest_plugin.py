"""The pytest plugin: recorded episodes as regression tests.

    @pytest.mark.episode("recordings/login")
    def test_login(episode):              # replayed before the test body runs
        assert episode.outcome.end == "finished"

    def test_more(replay_episode):
        replay_episode("recordings/logout")

A replay needs no model and no display. Nothing but pytest is imported until a test asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from agent.episodes.reader import Episode


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest about the marker."""
    config.addinivalue_line(
        "markers", "episode(path): replay the recorded episode in that folder before the test"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Replay the episode of every marker."""
    for marker in item.iter_markers("episode"):
        _replay(_path(item, marker))


@pytest.fixture
def replay_episode(request: pytest.FixtureRequest) -> Callable[[str | Path], Episode]:
    """A callable that replays an episode, fails the test at a difference, and gives the episode.

    A relative path starts at the folder of the test's file.
    """
    return lambda path: _replay(request.path.parent / path)


@pytest.fixture
def episode(request: pytest.FixtureRequest) -> Episode:
    """The episode of the test's `episode` marker."""
    from agent.episodes.reader import Episode

    marker = request.node.get_closest_marker("episode")
    if marker is None:
        raise pytest.UsageError(
            f'the fixture `episode` needs @pytest.mark.episode("path") on {request.node.name}'
        )
    return Episode.open(_path(request.node, marker))


def _path(item: pytest.Item, marker: pytest.Mark) -> Path:
    """The folder that a marker names."""
    if len(marker.args) != 1 or marker.kwargs or not isinstance(marker.args[0], str | Path):
        raise pytest.UsageError(
            f'expected @pytest.mark.episode("path") on {item.name}, '
            f"actually: {marker.args} {marker.kwargs}"
        )
    return item.path.parent / marker.args[0]


def _replay(path: Path) -> Episode:
    """Replay; a difference or a broken episode fails the test without a traceback of ours."""
    __tracebackhide__ = True
    from agent.episodes.errors import EpisodeError
    from agent.episodes.reader import Episode
    from agent.episodes.replay import replay

    try:
        report = replay(path)
        recorded = Episode.open(path)
    except EpisodeError as error:
        raise AssertionError(f"{type(error).__name__}: {error}") from None
    if not report.ok:
        raise AssertionError(str(report))
    return recorded
