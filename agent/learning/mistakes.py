"""Plausible wrong actions: what they lead to belongs in the data, with the way back."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from string import ascii_lowercase

from actions.space import Action, Click, Direction, Drag, Hotkey, Scroll, Type
from agent.environments.miniwob import AREA
from agent.learning.oracles.page import Move, middle
from vision.geometry import Box, Point

_MISS = (6, 16)
"""By how many pixels a click misses."""
_SLIP = (8, 25)
"""By how many pixels a drag ends elsewhere."""

_OPPOSITE = {Direction.UP: Direction.DOWN, Direction.DOWN: Direction.UP}
_ARROWS = ("left", "right", "up", "down")


def mistake(move: Move, others: list[Box], random: Random) -> Action:
    """Something that a learner might do instead.

    Args:
        move: the right thing to do.
        others: what else can be clicked, in screen pixels.
        random: where chance comes from.
    """
    action = move.action
    if isinstance(action, Type) and random.random() < 0.7:
        return replace(action, text=_typo(action.text, random))
    if isinstance(action, Drag):
        return replace(action, end=_beside(action.end, _SLIP, random))
    if isinstance(action, Scroll):
        return replace(action, direction=_OPPOSITE.get(action.direction, Direction.UP))
    if isinstance(action, Hotkey) and action.keys[0] in _ARROWS:
        return Hotkey((random.choice(_ARROWS),))
    return Click(_elsewhere(move, others, random))


def _elsewhere(move: Move, others: list[Box], random: Random) -> Point:
    """Another element, or a near miss."""
    right = None if move.box is None else middle(move.box)
    apart = [box for box in others if right is None or not box.contains(right)]
    if right is None and not apart:
        right = middle(AREA)
    if right is not None and (not apart or random.random() < 0.5):
        return _beside(right, _MISS, random)
    return middle(random.choice(apart))


def _beside(point: Point, far: tuple[int, int], random: Random) -> Point:
    """A point nearby, still in the task's area."""
    x = point.x + random.choice((-1, 1)) * random.randint(*far)
    y = point.y + random.choice((-1, 0, 1)) * random.randint(*far)
    return Point(min(max(x, AREA.left), AREA.right - 1), min(max(y, AREA.top), AREA.bottom - 1))


def _typo(text: str, random: Random) -> str:
    """One character too few, too many, or wrong."""
    place = random.randrange(len(text))
    kind = random.choice(("drop", "add", "change")) if len(text) > 1 else "add"
    letter = random.choice(ascii_lowercase)
    middle_part = {"drop": "", "add": text[place] + letter, "change": letter}[kind]
    return text[:place] + middle_part + text[place + 1 :]
