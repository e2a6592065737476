"""The action algebra: points are found and converted, nothing else changes."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given

from actions.space import ENDING, Action, Click, Drag, MouseDown, Type, on_points, points
from tests.actions.action_strategies import ACTIONS
from vision.geometry import Box, CoordinateMap, Point, Size


@given(ACTIONS)
def test_converting_by_identity_changes_nothing(action: Action) -> None:
    assert on_points(action, lambda point: point) == action


@given(ACTIONS)
def test_every_point_is_converted(action: Action) -> None:
    moved = on_points(action, lambda point: Point(point.x + 1, point.y + 2))
    assert points(moved) == tuple(Point(x + 1, y + 2) for x, y in points(action))
    assert type(moved) is type(action)


def test_points_come_in_field_order_and_none_is_not_a_point() -> None:
    assert points(Drag(Point(1, 2), Point(3, 4))) == (Point(1, 2), Point(3, 4))
    assert points(MouseDown()) == ()
    assert points(Type("a", point=Point(0, 0))) == (Point(0, 0),)


def test_to_screen_as_the_agent_does_it() -> None:
    screen = CoordinateMap(Box(-1920, 0, 0, 1080), Size(1344, 756))
    assert on_points(Click(Point(0, 0)), screen.to_screen) == Click(Point(-1920, 0))
    assert on_points(Click(Point(1000, 1000)), screen.to_screen) == Click(Point(-1, 1079))


@pytest.mark.parametrize("kind", Action.__subclasses__())
def test_actions_are_frozen_hashable_values(kind: type[Action]) -> None:
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert kind.__doc__


def test_the_actions_that_end_a_run() -> None:
    assert [kind.__name__ for kind in ENDING] == ["Finished", "CallUser"]
