"""A screen that reacts to what a scripted backend recorded, slow hands, and a person."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from actions.backends.base import proceed
from actions.backends.scripted import Event, Kind, ScriptedBackend
from actions.executor import Executor
from actions.settle import Patience
from actions.space import (
    Button,
)
from vision.capture import CaptureError, Monitor
from vision.frame import Frame
from vision.geometry import Box, Point

LEFT = Monitor(Box(-100, -50, 0, 50), "left", False)


MAIN = Monitor(Box(0, 0, 200, 100), "main", True)


EVERYTHING = Box(-100, -50, 200, 100)


QUICK = Patience(poll=0.001, still=0.001, quiet=0.002, reaction=0.01, blink=0.01, cap=0.2)


Draw = Callable[[tuple[Event, ...]], int]


class Room:
    """Eyes on two monitors; a square around (50, 50) has the shade that `draw` makes of events."""

    def __init__(self, backend: ScriptedBackend, draw: Draw) -> None:
        self.backend = backend
        self.draw = draw
        self.broken = False

    @property
    def box(self) -> Box:
        return EVERYTHING

    def monitors(self) -> tuple[Monitor, ...]:
        return LEFT, MAIN

    def grab(self, region: Box | None = None) -> Frame:
        if self.broken:
            raise CaptureError("the display is gone")
        pixels = np.zeros((150, 300, 3), np.uint8)
        pixels[90:110, 140:160] = self.draw(self.backend.events)
        return Frame(pixels, EVERYTHING)


def presses(events: tuple[Event, ...]) -> int:
    return sum(event.kind is Kind.BUTTON_DOWN for event in events)


def still(events: tuple[Event, ...]) -> int:
    return 0


def room(draw: Draw = presses, backend: ScriptedBackend | None = None) -> tuple[Executor, Room]:
    made = Room(backend or ScriptedBackend(pointer=Point(20, 20)), draw)
    return Executor(made.backend, made, QUICK), made


class Slow(ScriptedBackend):
    """Types one character per millisecond and tells when it has begun."""

    def __init__(self) -> None:
        super().__init__(pointer=Point(20, 20))
        self.begun = threading.Event()

    def type_text(self, text: str, checkpoint: Callable[[], None] = proceed) -> None:
        for char in text:
            self.begun.set()
            super().type_text(char, checkpoint)
            time.sleep(0.001)

    def button_down(self, button: Button) -> None:
        super().button_down(button)
        self.begun.set()


class Person:
    """Takes over when `hand` says so."""

    def __init__(self, hand: Callable[[], bool]) -> None:
        self.hand = hand

    def at_work(self) -> bool:
        return self.hand()

    def visits(self) -> int:
        return 0
