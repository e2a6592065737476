"""What only X11 has: layouts, borrowed keys, several displays, and lost ones."""

from __future__ import annotations

import gc
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from Xlib import X
from Xlib.display import Display
from Xlib.ext import xtest
from Xlib.protocol.rq import Event

from actions.backends.base import BackendError
from actions.backends.x11 import X11Backend
from actions.executor import Executor, Stopped
from actions.receipt import Outcome
from actions.space import (
    Action,
    Button,
    Click,
    Direction,
    Drag,
    Hotkey,
    Navigate,
    Scroll,
    Swipe,
    Type,
)
from agent.environments.browser import Browser
from agent.environments.display import VirtualDisplay
from vision.capture import Screen
from vision.geometry import Point, Size

if TYPE_CHECKING:
    from tests.actions.conftest import Stage

MIXED = "Hello, wörld! ßé€ Привет мир 你好世界 مرحبا 😀🎉 {}[]|\\~^`@\n\tZ"


@pytest.fixture
def backend(stage: Stage) -> Iterator[X11Backend]:
    made = X11Backend(stage.name)
    with made:
        made.move(Point(320, 240))
        stage.received()
        yield made


def typed(stage: Stage) -> str:
    keys = (event for event in stage.received() if event["event"] == "key_down")
    return "".join(event["text"] for event in keys).replace("\r", "\n")


@pytest.mark.parametrize("layout", ["us", "de", "fr", "ru", "us,ru", "gr"])
def test_any_layout_types_any_text(stage: Stage, layout: str) -> None:
    with stage.layout(layout), X11Backend(stage.name) as backend:
        backend.type_text(MIXED)
        assert typed(stage) == MIXED


def test_the_second_group_of_a_layout_may_be_active(stage: Stage) -> None:
    """The user last typed Cyrillic; the agent's Latin text must not turn into it."""
    with stage.layout("-layout", "us,ru", "-option", "grp:caps_toggle"):
        caps = 66
        for kind in (X.KeyPress, X.KeyRelease):
            xtest.fake_input(stage.x, kind, caps)
        stage.x.sync()
        stage.received()
        with X11Backend(stage.name) as backend:
            backend.type_text(MIXED)
        text = typed(stage)
        for kind in (X.KeyPress, X.KeyRelease):
            xtest.fake_input(stage.x, kind, caps)
        stage.x.sync()
        assert text == MIXED
    subprocess.run(["setxkbmap", "-option", ""], env=stage.env, check=True)


def test_caps_lock_does_not_matter(stage: Stage, backend: X11Backend) -> None:
    for key_is_down in (True, False):
        (backend.key_down if key_is_down else backend.key_up)("capslock")
    stage.received()
    backend.type_text("aBc äÖ жЖ 1!")
    text = typed(stage)
    for key_is_down in (True, False):
        (backend.key_down if key_is_down else backend.key_up)("capslock")
    assert text == "aBc äÖ жЖ 1!"


def test_caps_lock_is_on_again_afterwards(stage: Stage, backend: X11Backend) -> None:
    backend.key_down("capslock")
    backend.key_up("capslock")
    backend.type_text("a")
    _, mask = stage.pressed()
    backend.key_down("capslock")
    backend.key_up("capslock")
    assert mask == X.LockMask


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.text(
        st.characters(exclude_categories=("C", "Zl", "Zp"), include_characters="\n\t"), max_size=80
    )
)
def test_random_text_arrives_as_it_was(stage: Stage, backend: X11Backend, text: str) -> None:
    backend.type_text(text)
    assert typed(stage) == text


def test_more_characters_than_there_are_spare_keys(stage: Stage, backend: X11Backend) -> None:
    text = "".join(chr(0x4E00 + 7 * index) for index in range(120))
    backend.type_text(text)
    assert typed(stage) == text


def test_a_long_text_arrives_whole(stage: Stage, backend: X11Backend) -> None:
    text = "The quick brown fox. Съешь же ещё. " * 60
    backend.type_text(text)
    assert typed(stage) == text


def test_what_the_user_has_copied_stays(stage: Stage, backend: X11Backend) -> None:
    """Neither the clipboard nor the selection is used to type what the layout lacks."""
    owner = stage.x.screen().root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
    names = [stage.x.intern_atom(name) for name in ("CLIPBOARD", "PRIMARY")]
    for name in names:
        owner.set_selection_owner(name, X.CurrentTime)
    backend.type_text(MIXED)
    assert typed(stage) == MIXED
    assert [stage.x.get_selection_owner(name).id for name in names] == [owner.id] * 2
    assert not any(e.type in (X.SelectionClear, X.SelectionRequest) for e in _events(stage.x))
    owner.destroy()
    stage.x.sync()


def _events(x: Display) -> list[Event]:
    return [x.next_event() for _ in range(x.pending_events())]


def test_borrowed_keys_are_given_back_after_an_exception(stage: Stage, backend: X11Backend) -> None:
    before, calls = stage.mapping(), 0

    def interrupt() -> None:
        nonlocal calls
        calls += 1
        if calls > 5:
            assert stage.mapping() != before
            raise InterruptedError

    with pytest.raises(InterruptedError):
        backend.type_text("привет мир", interrupt)
    assert stage.mapping() == before


def test_a_key_that_the_layout_lacks_is_borrowed(stage: Stage, backend: X11Backend) -> None:
    backend.key_down("ж")
    backend.key_up("ж")
    assert typed(stage) == "ж"


def test_shift_that_was_down_already_stays_down(stage: Stage, backend: X11Backend) -> None:
    for key in ("shift", "+"):
        backend.key_down(key)
    backend.key_up("+")
    down, _ = stage.pressed()
    assert len(down) == 1
    backend.key_up("shift")
    events = [(event["event"], event["key"]) for event in stage.received()]
    assert events == [
        ("key_down", "Shift_L"),
        ("key_down", "plus"),
        ("key_up", "plus"),
        ("key_up", "Shift_L"),
    ]


def test_a_left_handed_mouse_clicks_what_is_meant(stage: Stage, backend: X11Backend) -> None:
    usual = list(stage.x.get_pointer_mapping())
    stage.x.set_pointer_mapping([3, 2, 1, *usual[3:]])
    try:
        for button in (Button.LEFT, Button.RIGHT):
            backend.button_down(button)
            backend.button_up(button)
        backend.scroll(Direction.DOWN, 1)
        pressed = [e["button"] for e in stage.received() if e["event"] == "button_down"]
    finally:
        stage.x.set_pointer_mapping(usual)
    assert pressed == [1, 3, 5]


@pytest.mark.parametrize("action", [Navigate, Swipe])
def test_what_a_desktop_cannot_do_is_not_promised(
    backend: X11Backend, action: type[Action]
) -> None:
    assert not backend.supports(action)


def test_two_displays_in_one_process(stage: Stage, backend: X11Backend) -> None:
    with (
        VirtualDisplay(Size(64, 48), window_manager=False) as other,
        X11Backend(other.name) as second,
    ):
        second.move(Point(3, 4))
        backend.move(Point(5, 6))
        assert second.pointer() == Point(3, 4)
        assert backend.pointer() == Point(5, 6)


def test_no_display_names_the_fix() -> None:
    with pytest.raises(BackendError, match=r"':4321'.*set DISPLAY.*XAUTHORITY"):
        X11Backend(":4321")


def test_a_lost_display_is_an_error_and_closing_still_works() -> None:
    with VirtualDisplay(Size(64, 48), window_manager=False) as virtual:
        backend = X11Backend(virtual.name)
        backend.key_down("ctrl")
    for broken in (
        lambda: backend.move(Point(1, 1)),
        lambda: backend.key_up("ctrl"),
        lambda: backend.type_text("ж"),
        backend.pointer,
    ):
        with pytest.raises(BackendError, match="display is gone"):
            broken()
    backend.release_all()
    backend.close()
    backend.close()


def test_a_display_without_windows_takes_text_too() -> None:
    with (
        VirtualDisplay(Size(64, 48), window_manager=False) as virtual,
        X11Backend(virtual.name) as backend,
    ):
        backend.type_text("nobody listens: жж")
        watcher = Display(virtual.name)
        assert not any(watcher.query_keymap())
        watcher.close()


def test_the_executor_tells_the_truth_on_a_real_window(stage: Stage) -> None:
    """The app's left half shows presses, its right half shows nothing."""
    with X11Backend(stage.name) as backend, Screen(stage.name) as screen:
        executor = Executor(backend, screen)
        outcomes = [
            executor.perform(action).outcome
            for action in (
                Click(Point(60, 60)),
                Click(Point(500, 60)),
                Click(Point(500, 100), Button.RIGHT, 2),
                Type("ab"),
                Scroll(Direction.DOWN, Point(500, 100)),
                Hotkey(("shift",)),
            )
        ]
    yes, no = Outcome.CONFIRMED, Outcome.NO_VISIBLE_EFFECT
    assert outcomes == [yes, no, no, yes, no, no]


def test_chromium_reads_what_was_typed(display: VirtualDisplay) -> None:
    """A browser keeps its own copy of the keyboard, and tells when it has caught up."""
    page = "<textarea id=box autofocus style='width:90vw;height:90vh'></textarea>"
    text = MIXED.replace("\t", " ") * 3
    with Browser(display) as browser, X11Backend(display.name) as backend:
        browser.call(lambda page_: page_.set_content(page))
        executor = Executor(backend)
        executor.perform(Type(text, point=Point(300, 200)))
        browser.call(
            lambda page_: page_.wait_for_function(
                "size => box.value.length >= size", arg=len(text.encode("utf-16-le")) // 2
            )
        )
        assert browser.call(lambda page_: page_.input_value("#box")) == text
        executor.perform(Hotkey(("ctrl", "a")))
        executor.perform(Hotkey(("backspace",)))
        browser.call(lambda page_: page_.wait_for_function("box.value === ''"))


# Ctrl-C while a connection is being made leaves its socket to the garbage collector.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("after", [0, 0.007, 0.013, 0.034, 0.055, 0.089])
def test_ctrl_c_at_any_moment_of_typing_leaves_nothing_behind(stage: Stage, after: float) -> None:
    """The stage itself checks that no key is down and that the keyboard is as it was.

    A library may swallow the exception, so the work ends by itself too, soon after.
    """
    main, sent = threading.get_ident(), threading.Event()

    def interrupt() -> None:
        deadline = time.monotonic() + 10
        while not stage.journal.read_text() and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(after)
        sent.set()
        signal.pthread_kill(main, signal.SIGINT)

    killer = threading.Thread(target=interrupt)
    with suppress(KeyboardInterrupt), X11Backend(stage.name) as backend:
        executor = Executor(backend)
        killer.start()
        while not sent.is_set():  # keys are borrowed and given back each time
            executor.perform(Type("Жу! " * 5))
        killer.join()
    gc.collect()
    assert typed(stage).startswith("Ж")


def test_a_drag_arrives_as_press_path_and_release(stage: Stage) -> None:
    with X11Backend(stage.name) as backend:
        Executor(backend).perform(Drag(Point(0, 0), Point(639, 479)))
    events = stage.received()
    kinds = [event["event"] for event in events]
    start, end = kinds.index("button_down"), kinds.index("button_up")
    assert (events[start]["x"], events[start]["y"]) == (0, 0)
    assert (events[end]["x"], events[end]["y"]) == (639, 479)
    assert end - start > 8


def test_a_stop_in_the_middle_of_typing_leaves_nothing_behind(stage: Stage) -> None:
    """The stage itself checks that no key is down and that the keyboard is as it was."""
    with X11Backend(stage.name) as backend:
        executor = Executor(backend)

        def stop_soon() -> None:
            while not stage.journal.read_text():
                time.sleep(0.001)
            executor.stop()

        stopper = threading.Thread(target=stop_soon, daemon=True)
        stopper.start()
        with pytest.raises(Stopped):
            executor.perform(Type("Жук! " * 2000))
        stopper.join()
        assert 0 < len(typed(stage)) < 10_000


def test_double_and_triple_clicks_are_fast_enough_and_single_ones_apart(stage: Stage) -> None:
    with X11Backend(stage.name) as backend:
        executor = Executor(backend)
        executor.perform(Click(Point(500, 60), count=3))
        executor.perform(Click(Point(500, 60)))
    presses = [e["count"] for e in stage.received() if e["event"] == "button_down"]
    assert presses == [1, 2, 3, 1]
