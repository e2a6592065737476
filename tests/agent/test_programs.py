"""Desktop programs: what AT-SPI tells becomes what is asked."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actions.space import CallUser
from agent.accessibility import opened
from agent.environments.program import ProgramError
from agent.learning.grounding import of_shards
from agent.learning.programs.__main__ import film, plays
from agent.learning.programs.apps import APPS, THEMES
from agent.learning.programs.reading import inventory
from agent.learning.programs.stage import Play, samples
from agent.learning.programs.tree import ACTIVE, MULTI_LINE, SHOWING, Node
from agent.learning.samples import Sample
from vision.geometry import Box, Size

SCREEN = Box(0, 0, 640, 480)
FRAME, LABEL, BUTTON, ENTRY, MENU, ITEM, PASSWORD, MENU_BAR, TOOL_BAR, VIEWPORT = (
    23, 29, 43, 79, 33, 35, 40, 34, 63, 68,
)  # fmt: skip


def node(role: int, name: str, box: tuple[float, ...], *children: Node, **more: object) -> Node:
    return Node(role, name, frozenset({SHOWING}), Box(*box), children=children, **more)  # type: ignore[arg-type]


def test_elements_have_kinds_labels_and_captions() -> None:
    window = node(
        FRAME, "Main", (0, 0, 400, 300),
        node(LABEL, "Town", (10, 10, 60, 30)),
        node(ENTRY, "", (70, 10, 200, 30), text="Oslo", labels=("Town",)),
        node(PASSWORD, "Town", (70, 40, 200, 60), text="hunter2"),
        node(BUTTON, "Save", (10, 80, 90, 110)),
        node(BUTTON, "Open a file", (100, 80, 130, 110)),
        node(BUTTON, "Print", (140, 80, 240, 110), picture=True),
        node(BUTTON, "−", (250, 80, 280, 110)),
        node(MENU_BAR, "", (0, 160, 400, 180), node(ITEM, "File", (0, 160, 60, 180))),
        node(TOOL_BAR, "", (0, 120, 400, 160),
             node(BUTTON, "Up", (0, 120, 36, 156)), node(BUTTON, "Down", (40, 130, 100, 150))),
    )  # fmt: skip
    elements = inventory([window], SCREEN).elements
    assert [(e.kind, e.label, e.caption, e.shape) for e in elements] == [
        ("word", "Town", "", ""),
        ("text", "Oslo", "Town", ""),
        ("text", "", "Town", ""),  # a password is not read
        ("button", "Save", "", ""),
        ("icon", "", "", "open a file"),
        ("icon", "", "", "print"),
        ("button", "", "", ""),  # a sign that may be drawn otherwise
        ("menu", "File", "", ""),
        ("icon", "", "", "up"),
        ("button", "Down", "", ""),
    ]


def test_what_is_clipped_or_hidden_cannot_be_asked_for() -> None:
    shown, half = node(BUTTON, "Shown", (10, 10, 90, 40)), node(BUTTON, "Half", (10, 80, 90, 120))
    gone = node(BUTTON, "Gone", (10, 200, 90, 230))
    view = node(VIEWPORT, "", (0, 0, 200, 100), shown, half, gone)
    seen = inventory([node(FRAME, "Main", (0, 0, 400, 300), view)], SCREEN)
    assert [element.label for element in seen.elements] == ["Shown"]
    assert [element.label for element in seen.remains] == ["Half"]


def test_the_active_window_covers_the_others() -> None:
    below = node(FRAME, "Below", (0, 0, 400, 300), node(BUTTON, "Under", (50, 50, 150, 80)),
                 node(BUTTON, "Beside", (300, 50, 390, 80)))  # fmt: skip
    above = node(16, "Above", (40, 40, 200, 200), node(BUTTON, "Over", (60, 60, 160, 90)))
    above = replace(above, states=above.states | {ACTIVE})
    seen = inventory([above, below], SCREEN)
    assert {element.label for element in seen.elements} == {"Beside", "Over"}
    assert {element.label for element in seen.remains} == {"Under"}


def test_an_open_menu_covers_what_is_below_it() -> None:
    items = [node(ITEM, name, (0, top, 120, top + 20)) for name, top in (("New", 20), ("Quit", 40))]
    area = node(61, "", (0, 20, 400, 300))
    area = replace(area, states=area.states | {MULTI_LINE})
    menu = node(MENU, "File", (0, 0, 50, 20), *items)
    seen = inventory([node(FRAME, "Main", (0, 0, 400, 300), menu, area)], SCREEN)
    assert {(e.kind, e.label) for e in seen.elements} == {
        ("menu", "File"), ("menuitem", "New"), ("menuitem", "Quit"),
    }  # fmt: skip
    assert [element.kind for element in seen.remains] == ["textarea"]


def lacking(program: str) -> str:
    """What the real thing needs and this machine has not."""
    launcher = any(Path(p, "at-spi-bus-launcher").exists() for p in ("/usr/libexec", "/usr/lib"))
    if shutil.which("dbus-daemon") is None or not launcher:
        return "dbus-daemon and at-spi2-core"
    return "" if shutil.which(program) else program


def played(title: str) -> Play:
    (app,) = (app for app in APPS if app.title == title)
    return next(plays([app], Size(640, 480), 12))


def check(sample: Sample) -> None:
    assert sample.pixels.shape == (480, 640, 3)
    for question in sample.questions:
        if question.box is None:
            assert question.action == CallUser()
            continue
        left, top, right, bottom = map(int, question.box)
        assert 0 <= left < right <= 640
        assert 0 <= top < bottom <= 480
        # What is called by its label shows it; an empty field may be of one colour.
        shown = sample.pixels[top:bottom, left:right].astype(int)
        assert question.takes != "text" or np.ptp(shown, axis=(0, 1)).max() > 20


@pytest.mark.timeout(300)
@pytest.mark.parametrize("title", ["galculator", "speedcrunch"])
def test_a_real_program_is_asked_about(title: str, tmp_path: Path) -> None:
    if package := lacking(title):
        pytest.skip(f"needs the Debian package {package}")
    (path,) = film([played(title)], range(2), tmp_path)
    shots = [*of_shards([path])]
    assert len(shots) == 2
    for sample, kinds in shots:
        assert len(sample.questions) == len(kinds) > 3
        assert "text" in kinds
        check(sample)
    assert [*film([played(title)], range(2), tmp_path)] == [path]  # nothing is started again


def test_a_bus_that_listens_a_moment_later_is_waited_for(tmp_path: Path) -> None:
    if shutil.which("dbus-daemon") is None:
        pytest.skip("needs the Debian package dbus-daemon")
    address = f"unix:path={tmp_path}/bus"
    late = f"sleep 0.3; exec dbus-daemon --session --nofork --nopidfile --address={address}"
    with subprocess.Popen(["sh", "-c", late]) as daemon:
        try:
            opened(address).close()
        finally:
            daemon.terminate()


def test_a_program_that_is_not_there_is_told() -> None:
    play = played("galculator")
    missing = replace(play, app=replace(play.app, command=("no-such-program",)))
    if package := lacking("true"):
        pytest.skip(f"needs the Debian package {package}")
    with pytest.raises(ProgramError, match="no-such-program"):
        next(samples(missing, range(1)))


def test_programs_play_in_the_themes_of_their_split_only() -> None:
    for play in plays(APPS, Size(640, 480), 5):
        assert play.theme.split == play.app.split
        assert play.theme.toolkit == play.app.toolkit
    assert {play.app.title for play in plays(APPS, Size(1, 1), 1)} == {app.title for app in APPS}
    assert {play.theme.title for play in plays(APPS, Size(1, 1), 1)} == {t.title for t in THEMES}
