"""What goes away on a real X display between a look and an action, or in the middle of one."""

from __future__ import annotations

from contextlib import ExitStack
from threading import Timer

import pytest
from Xlib.display import Display

from actions.backends.x11 import X11Backend
from actions.executor import Executor
from actions.receipt import Outcome
from actions.space import Action, Click, Drag, LongPress, Type
from agent.environments.display import VirtualDisplay
from vision.capture import Screen
from vision.geometry import Point, Size


def test_a_window_that_closed_since_it_was_seen_is_not_clicked_through(
    display: VirtualDisplay,
) -> None:
    x = Display(display.name)
    with Screen(display.name) as screen, X11Backend(display.name) as backend:
        window = x.screen().root.create_window(
            40, 40, 80, 80, 0, x.screen().root_depth, background_pixel=0xFF0000,
            override_redirect=True,
        )  # fmt: skip
        window.map()
        x.sync()
        seen = screen.grab()
        window.destroy()
        x.sync()
        executor = Executor(backend, screen, fail_safe=False)
        receipt = executor.perform(Click(Point(60, 60)), seen)
        again = executor.perform(Click(Point(60, 60)), screen.grab())
    x.close()
    assert receipt.outcome is Outcome.REFUSED
    assert "looks different" in receipt.message
    assert again.outcome is Outcome.NO_VISIBLE_EFFECT


@pytest.mark.parametrize(
    "action",
    [Type("Жук " * 20_000), LongPress(Point(9, 9), 100), Drag(Point(9, 9), Point(60, 40))],
    ids=lambda action: type(action).__name__,
)
def test_a_display_lost_in_the_middle_is_one_clear_failure(action: Action) -> None:
    with ExitStack() as displays:
        virtual = displays.enter_context(VirtualDisplay(Size(64, 48), window_manager=False))
        screen = Screen(virtual.name)
        backend = X11Backend(virtual.name)
        executor = Executor(backend, screen)
        Timer(0.3, displays.close).start()
        receipts = [executor.perform(action)]
        while receipts[-1].outcome is not Outcome.FAILED:  # a drag may have been over before
            receipts.append(executor.perform(action))
        after = executor.perform(Click(Point(5, 5)))
        backend.close()
        screen.close()
    assert after.outcome is Outcome.FAILED
    for receipt in (receipts[-1], after):
        assert "display is gone" in receipt.message or "open the screen again" in receipt.message
