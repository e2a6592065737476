"""Calculators; what counts is what they write down when they are closed."""

from __future__ import annotations

import re
from random import Random

from actions.space import Type
from agent.learning.desktop.challenge import Challenge, DesktopTask
from agent.learning.desktop.room import Room

GALCULATOR = (("galculator", "apt-get install galculator"),)
SPEEDCRUNCH = (("speedcrunch", "apt-get install speedcrunch"),)


def _factors(random: Random) -> tuple[int, int]:
    return random.randrange(12, 100), random.randrange(12, 100)


def galculator(room: Room, random: Random) -> Challenge:
    """A product; the program writes down what it shows."""
    one, other = _factors(random)
    (room.home / "config" / "galculator").mkdir(parents=True)  # it does not make it itself
    calculator = room.start("galculator")

    def solved() -> bool:
        room.close_windows()
        calculator.wait()
        return f'remembered_valuex="{one * other}"' in room.written("galculator.conf")

    # One by one: it overlooks a digit that comes again while its button still looks pressed.
    return Challenge(f"Compute {one} times {other}.", solved, lambda: map(Type, f"{one}*{other}="))


def speedcrunch(room: Room, random: Random) -> Challenge:
    """A product; the program writes down its history."""
    one, other = _factors(random)
    calculator = room.start("speedcrunch")

    def solved() -> bool:
        room.close_windows()
        calculator.wait()
        # The last result is the variable "ans".
        found = re.findall(r'"value": "([0-9.]+)"', room.written("history.json"))
        return bool(found) and float(found[-1]) == one * other

    return Challenge(
        f"Compute {one} times {other}.",
        solved,
        lambda: iter([Type(f"{one}*{other}", submit=True)]),
    )


TASKS = {
    "galculator-multiply": DesktopTask(GALCULATOR, galculator),
    "speedcrunch-multiply": DesktopTask(SPEEDCRUNCH, speedcrunch),
}
