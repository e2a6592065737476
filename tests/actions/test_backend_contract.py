"""What every backend promises, checked on each of them by what arrives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from actions.backends.base import BackendError
from actions.space import Action, Button, Click, Direction, Drag, Hotkey, Scroll, Type
from tests.actions.probes import PageProbe, Probe, ScriptedProbe, WaylandProbe, X11Probe
from vision.geometry import Point
from vision.wayland import Compositor

if TYPE_CHECKING:
    pass

SCRIPTS = [
    "plain ASCII: {[(<|>)]} ~^`'\"\\",
    "àéîõü ßñçøå ÀÉ€ ¿¡",
    "Съешь же ещё этих булок",
    "敏捷的棕色狐狸跳过了懒狗",
    "いろはにほへと チリヌルヲ",
    "نص عربي",
    "😀🎉 👩‍💻 🇪🇺",
    "one\ntwo\tthree\n",
    "e\u0301 combining",
    "",
]


@pytest.fixture(params=["scripted", "x11", "page", "wayland"])
def probe(request: pytest.FixtureRequest) -> Iterator[Probe]:
    if request.param == "scripted":
        yield ScriptedProbe()
        return
    with ExitStack() as stack:
        made = _probe_on(request.param, request, stack)
        with made.backend:
            made.arrived()
            made.backend.move(Point(320, 240))
            made.arrived()
            yield made


def _probe_on(kind: str, request: pytest.FixtureRequest, stack: ExitStack) -> Probe:
    if kind == "page":
        return PageProbe(request.getfixturevalue("page_stage"))
    if kind == "wayland":
        stage = request.getfixturevalue("wayland_stage")
        return WaylandProbe(stage, stack.enter_context(Compositor(stage.display)))
    return X11Probe(request.getfixturevalue("stage"))


@pytest.mark.parametrize("place", [(0, 0), (0, 479), (639, 0), (639, 479), (17, 23)])
def test_the_pointer_goes_exactly_there(probe: Probe, place: tuple[int, int]) -> None:
    probe.backend.move(Point(*place))
    assert probe.backend.pointer() == Point(*place)
    assert probe.arrived() == [("move", None, *place)]


@pytest.mark.parametrize("button", list(Button))
def test_a_button_goes_down_and_up_where_the_pointer_is(probe: Probe, button: Button) -> None:
    probe.backend.move(Point(100, 50))
    probe.backend.button_down(button)
    probe.backend.move(Point(101, 52))
    probe.backend.button_up(button)
    assert probe.is_free()
    assert probe.arrived() == [
        ("move", None, 100, 50),
        ("button_down", button, 100, 50),
        ("move", None, 101, 52),
        ("button_up", button, 101, 52),
    ]


@pytest.mark.parametrize("direction", list(Direction))
def test_the_wheel_turns_by_notches(probe: Probe, direction: Direction) -> None:
    probe.backend.move(Point(200, 200))
    probe.arrived()
    probe.backend.scroll(direction, 3)
    assert probe.arrived() == [("scroll", direction, 200, 200)] * 3


def test_keys_overlap_in_the_order_of_the_calls(probe: Probe) -> None:
    probe.backend.move(Point(5, 5))
    probe.arrived()
    for key in ("ctrl", "shift", "a"):
        probe.backend.key_down(key)
    for key in ("a", "shift", "ctrl"):
        probe.backend.key_up(key)
    kinds = [entry[:2] for entry in probe.arrived()]
    downs = [("key_down", key) for key in ("ctrl", "shift", "a")]
    assert kinds == [*downs, *(("key_up", key) for key in ("a", "shift", "ctrl"))]


@pytest.mark.parametrize(
    "key",
    ["enter", "esc", "tab", "space", "backspace", "delete", "insert", "up", "down", "left", "right",
     "home", "end", "pageup", "pagedown", "f1", "f12", "menu", "pause", "z", "7"],
)  # fmt: skip
def test_every_kind_of_key_is_found(probe: Probe, key: str) -> None:
    probe.backend.key_down(key)
    probe.backend.key_up(key)
    assert [entry[:2] for entry in probe.arrived()] == [("key_down", key), ("key_up", key)]


@pytest.mark.parametrize("key", ["nokey", "Return", "", "control"])
def test_a_key_that_does_not_exist_is_an_error(probe: Probe, key: str) -> None:
    with pytest.raises(BackendError, match="expected"):
        probe.backend.key_down(key)
    with pytest.raises(BackendError, match="expected"):
        probe.backend.key_up(key)
    assert probe.arrived() == []


@pytest.mark.parametrize("text", SCRIPTS)
def test_text_arrives_as_it_was(probe: Probe, text: str) -> None:
    probe.backend.type_text(text)
    assert probe.text() == text


def test_typing_can_be_broken_off(probe: Probe) -> None:
    calls = 0

    def enough() -> None:
        nonlocal calls
        calls += 1
        if calls == 30:
            raise InterruptedError

    probe.backend.type_text("ok", enough)
    calls = 29
    with pytest.raises(InterruptedError):
        probe.backend.type_text("жук " * 500, enough)
    assert probe.is_free()
    assert len(probe.text()) < 500


def test_release_all_lets_go_of_everything(probe: Probe) -> None:
    probe.backend.button_down(Button.LEFT)
    probe.backend.key_down("ctrl")
    probe.backend.key_down("+")
    thread = threading.Thread(target=probe.backend.release_all)
    thread.start()
    thread.join()
    assert probe.is_free()
    probe.arrived()
    probe.backend.release_all()
    assert probe.arrived() == []


def test_close_releases_and_may_be_repeated(probe: Probe) -> None:
    with probe.backend as backend:
        backend.button_down(Button.RIGHT)
        backend.key_down("alt")
    probe.backend.close()
    assert probe.is_free()


@pytest.mark.parametrize("action", [Click, Type, Drag, Hotkey, Scroll])
def test_it_supports_mouse_and_keyboard(probe: Probe, action: type[Action]) -> None:
    assert probe.backend.supports(action)
