"""The pytest plugin: recorded episodes as regression tests.

    @pytest.mark.episode("recordings/login")
    def test_login(episode):              # replayed before the test body runs
        assert episode.outcome.end == "finished"

    def test_more(replay_episode):
        replay_episode("recordings/logout")

Or programs that are tested in plain language, each test on a desktop of its own:

    def test_saving(desktop, agent):
        desktop.start("mousepad notes.txt")
        agent.do("Click File")
        agent.expect('a menu that says "Save"')

    def test_as_recorded(desktop, replay):
        desktop.start("mousepad notes.txt")
        replay("recordings/save")         # every screen must match

A failed test leaves an HTML file with pictures, whose path is also a property in the JUnit file;
every test of an `agent` leaves an episode. A loop replay needs no model and no display. Nothing but
pytest is imported until a test asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from agent.episodes.environment_replay import EnvironmentReport
    from agent.episodes.reader import Episode
    from agent.policies.base import Policy
    from agent.testing.desktop import Desktop
    from agent.testing.tester import Tester

PROPERTY = "eyehand_report"
"""Name of the JUnit property that carries the path of a failed test's report."""
_PASSED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where episodes and reports go."""
    group = parser.getgroup("eyehand")
    group.addoption(
        "--eyehand-dir", default="eyehand-results", help="folder for episodes and reports of tests"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest about the marker."""
    config.addinivalue_line(
        "markers", "episode(path): replay the recorded episode in that folder before the test"
    )
    config.addinivalue_line("markers", "desktop(width, height): the size of the test's desktop")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Replay the episode of every marker."""
    for marker in item.iter_markers("episode"):
        _replay(_path(item, marker))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show a failed test's pictures in a file of their own, and name it in the JUnit output."""
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    pictures = getattr(call.excinfo.value, "pictures", None) if call.excinfo else None
    if report.failed and pictures:
        from agent.testing.failure import write_failure

        message = str(call.excinfo.value) if call.excinfo else ""
        file = write_failure(_results(item) / "failure.html", item.nodeid, message, pictures)
        item.user_properties.append((PROPERTY, str(file)))  # JUnit reads them after teardown
        report.sections.append(("eyehand", f"report  {file}"))
    return report


@pytest.fixture
def desktop(request: pytest.FixtureRequest) -> Iterator[Desktop]:
    """A virtual display of 640x480 for this test alone; `@pytest.mark.desktop(w, h)` sizes it."""
    from agent.testing.desktop import Desktop
    from vision.geometry import Size

    marker = request.node.get_closest_marker("desktop")
    with Desktop(Size(*marker.args) if marker else Size(640, 480)) as opened:
        yield opened


@pytest.fixture(scope="session")
def eyehand_policy() -> Iterator[Policy]:
    """What understands the steps: the embedded model; override it to use another one."""
    from agent.policies.local import local_policy

    policy = local_policy()
    yield policy
    policy.close()


@pytest.fixture
def agent(
    request: pytest.FixtureRequest, desktop: Desktop, eyehand_policy: Policy
) -> Iterator[Tester]:
    """`do` and `expect` in plain language, on the test's desktop."""
    import shutil

    from agent.testing.tester import Tester

    folder = _results(request.node)
    shutil.rmtree(folder, ignore_errors=True)
    tester = Tester(desktop, eyehand_policy, folder / "episode")
    yield tester
    tester.close(request.node.stash.get(_PASSED, False))


@pytest.fixture
def replay(agent: Tester, request: pytest.FixtureRequest) -> Callable[..., EnvironmentReport]:
    """A callable that performs a recorded episode on the test's desktop; its screens must match."""
    return lambda path, **options: agent.replay(request.path.parent / path, **options)


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


def _results(item: pytest.Item) -> Path:
    """The folder of one test's results."""
    name = re.sub(r"[^\w.-]+", "-", item.nodeid).strip("-")[-150:]
    return Path(item.config.getoption("--eyehand-dir")).absolute() / name


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
