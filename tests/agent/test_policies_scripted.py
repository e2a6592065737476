"""The scripted policy says what it was told to say."""

from __future__ import annotations

import numpy as np
import pytest

from actions.space import Click
from agent.policies.base import Observation, PolicyError
from agent.policies.scripted import ScriptedPolicy
from vision.frame import Frame
from vision.geometry import Box, Point

SEEN = Observation("press OK", Frame(np.zeros((50, 100, 3), np.uint8), Box(-100, 0, 0, 50)))


def test_texts_come_in_order_with_a_map_to_the_screen() -> None:
    policy = ScriptedPolicy(["Action: click(start_box='(500,500)')", "Action: finished()"])
    decision = policy.decide(SEEN)
    assert decision.step is not None and decision.error is None
    (click,) = decision.step.actions
    assert click == Click(Point(500, 500))
    assert decision.map.to_screen(Point(500, 500)) == Point(-50, 25)
    assert policy.decide(SEEN).text == "Action: finished()"
    assert policy.seen == [SEEN, SEEN]


def test_other_dialects_bring_their_own_coordinates() -> None:
    code = "## Code:\n```python\npyautogui.click(x=0.5, y=0.5)\n```"
    decision = ScriptedPolicy([code], "opencua").decide(SEEN)
    assert decision.map.to_screen(Point(0.5, 0.5)) == Point(-50, 25)


def test_text_that_does_not_parse_is_a_value() -> None:
    decision = ScriptedPolicy(["I would rather not"]).decide(SEEN)
    assert decision.step is None and "expected" in (decision.error or "")


def test_a_script_that_is_over_says_so() -> None:
    policy = ScriptedPolicy([])
    with pytest.raises(PolicyError, match="ended after 0 texts"):
        policy.decide(SEEN)
    assert policy.describe() == {"policy": "scripted", "dialect": "uitars", "texts": "0"}
