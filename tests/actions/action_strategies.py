"""Hypothesis strategies: `BY_CLASS[Click]` draws clicks, `ACTIONS` any action.

Points are whole or fractional numbers inside 0..1000, texts any Unicode, keys any canonical name.
"""

from __future__ import annotations

from hypothesis import strategies as st

from actions.keys import NAMED
from actions.space import (
    Action,
    Button,
    CallUser,
    Click,
    Direction,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NavigateBack,
    OpenApp,
    OpenComputer,
    PressBack,
    PressHome,
    Scroll,
    Select,
    Swipe,
    Type,
    Wait,
)
from vision.geometry import Point

numbers = st.integers(0, 1000) | st.floats(0, 1000)
points = st.builds(Point, numbers, numbers)
maybe_points = st.none() | points
seconds = st.integers(0, 60).map(float) | st.floats(0, 60)
buttons = st.sampled_from(Button)
keys = st.sampled_from(sorted(NAMED)) | st.sampled_from("abcxyz019+-=,./;'\\[]`éß漢")
words = st.text(max_size=30) | st.text("ab'\"\\\n\t =,()<>", max_size=12)
filled = words.filter(bool)

BY_CLASS: dict[type[Action], st.SearchStrategy[Action]] = {
    Click: st.builds(Click, points, buttons, st.integers(1, 3)),
    LongPress: st.builds(LongPress, points, seconds),
    Drag: st.builds(Drag, points, points, buttons),
    Swipe: st.builds(Swipe, points, points),
    Move: st.builds(Move, points),
    MouseDown: st.builds(MouseDown, maybe_points, buttons),
    MouseUp: st.builds(MouseUp, maybe_points, buttons),
    Scroll: st.builds(
        Scroll, st.sampled_from(Direction), maybe_points, st.just(5) | st.integers(1, 99)
    ),
    Type: st.builds(Type, words, st.booleans(), maybe_points),
    Select: st.builds(Select, points, words),
    Hotkey: st.builds(Hotkey, st.lists(keys, min_size=1, max_size=3).map(tuple)),
    KeyDown: st.builds(KeyDown, keys),
    KeyUp: st.builds(KeyUp, keys),
    Wait: st.builds(Wait, st.just(5.0) | seconds),
    Navigate: st.builds(Navigate, filled),
    NavigateBack: st.just(NavigateBack()),
    OpenApp: st.builds(OpenApp, filled),
    OpenComputer: st.just(OpenComputer()),
    PressHome: st.just(PressHome()),
    PressBack: st.just(PressBack()),
    Finished: st.builds(Finished, words),
    CallUser: st.builds(CallUser, words),
}
"""The strategy of each action class."""

ACTIONS: st.SearchStrategy[Action] = st.one_of(list(BY_CLASS.values()))
"""Any action."""
