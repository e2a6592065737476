"""Bad input, line by line: told to the model, written into the episode, and survived."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from actions.backends.base import BackendError, proceed
from actions.backends.scripted import ScriptedBackend
from actions.receipt import Outcome
from agent.episodes.format import End
from agent.episodes.verify import verify
from agent.policies.scripted import ScriptedPolicy
from tests.agent.loop_kit import CLICK, DONE, Bench, Still
from vision.capture import CaptureError
from vision.frame import Frame
from vision.geometry import Box

LINES = {
    "coordinates off every monitor": ("click(start_box='(900,5)')", "inside the picture"),
    "NaN": ("click(start_box='(nan,5)')", "could not be read"),
    "a drag of zero length": (
        "drag(start_box='(5,5)', end_box='(5,5)')",
        "ends where it starts",
    ),
    "an unknown key": ("hotkey(key='ctrl frobnicate')", "frobnicate"),
    "a hotkey of ten keys": ("hotkey(key='a b c d e f g h i j')", "1 to 5 keys"),
    "text with control characters": ("type(content='a\x01b')", "control characters"),
    "text with lone surrogates": ("type(content='a\ud800b')", "U+D800"),
}


@pytest.mark.parametrize(("action", "why"), LINES.values(), ids=LINES)
def test_one_clear_refusal_and_the_loop_goes_on(tmp_path: Path, action: str, why: str) -> None:
    policy = ScriptedPolicy([f"Action: {action}", DONE], "uitars-absolute")
    bench = Bench(tmp_path, policy)
    assert bench.run().outcome is End.FINISHED
    assert bench.backend.events == ()
    assert why in bench.diary.steps[0].feedback
    episode = bench.episode()
    assert verify(episode.path).ok
    assert why in episode.steps[0].feedback


def test_a_window_closed_between_look_and_click(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ScriptedPolicy([CLICK, DONE]), Still((0, 255)))
    assert bench.run().outcome is End.FINISHED
    (receipt,) = bench.episode().steps[0].receipts
    assert receipt.outcome == Outcome.REFUSED
    assert "looks different by now; look again" in receipt.message
    assert bench.backend.events == ()


def test_a_display_that_goes_away_in_the_middle(tmp_path: Path) -> None:
    class Vanishing(Still):
        gone = False

        def grab(self, region: Box | None = None) -> Frame:
            if self.gone:
                raise CaptureError("the display is gone; open it again")
            return super().grab(region)

    class Lost(ScriptedBackend):
        def type_text(self, text: str, checkpoint: Callable[[], None] = proceed) -> None:
            super().type_text(text[0], checkpoint)
            eyes.gone = True
            raise BackendError("the display is gone while typing")

    eyes = Vanishing()
    bench = Bench(tmp_path, ScriptedPolicy(["Action: type(content='abc')"]), eyes, Lost())
    result = bench.run()
    assert (result.outcome, result.steps) == (End.FAILED, 1)
    assert "display is gone" in result.message
    episode = bench.episode()
    assert verify(episode.path).ok
    (receipt,) = episode.steps[0].receipts
    assert (receipt.outcome, receipt.message) == ("failed", "the display is gone while typing")
    assert episode.outcome is not None and "display is gone" in episode.outcome.message
