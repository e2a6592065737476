"""The page as an oracle sees it, and the moves that an oracle can make on it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from playwright.sync_api import Page

from actions.space import Action, Click, Direction, Drag, Hotkey, Scroll, Type
from agent.environments.miniwob import AREA, NOTCH
from vision.geometry import Box, Point

SCROLLED = round(Scroll.clicks * NOTCH)
"""Pixels that one `Scroll` of the usual notches moves a page of Chromium."""

_BAR = 15
"""Width of a scroll bar in pixels; its arrows are as high."""


def script(path: Path) -> str:
    """A page script that may use what `reach.js` and `reading.js` define."""
    shared = "".join(
        Path(__file__).parent.with_name(name).read_text() for name in ("reach.js", "reading.js")
    )
    return f"(() => {{\n{shared}\nreturn (\n{path.read_text()}\n);\n}})()"


_READ = script(Path(__file__).with_name("page.js"))


class Lost(Exception):
    """The oracle sees no way to solve the task from here."""


@dataclass(frozen=True)
class Move:
    """What to do next.

    Attributes:
        action: in screen pixels.
        box: every pixel that counts as hitting its first point; None when nothing is pointed at.
        also: other boxes in whose middle it would be as right.
        end: every pixel that counts as hitting the end of a drag; None: only the very one.
    """

    action: Action
    box: Box | None = None
    also: tuple[Box, ...] = ()
    end: Box | None = None

    def any(self, random: Random) -> Move:
        """One of the moves that are as right, each as likely as the others."""
        if self.box is None or not self.also:
            return self
        boxes = [self.box, *self.also]
        chosen = boxes.pop(random.randrange(len(boxes)))
        if isinstance(self.action, Drag):
            action: Action = replace(self.action, start=middle(chosen))
        elif isinstance(self.action, Click):
            action = replace(self.action, point=middle(chosen))
        else:
            return self
        return replace(self, action=action, box=chosen, also=tuple(boxes))


@dataclass(frozen=True)
class Scroller:
    """A part of the page that scrolls.

    Attributes:
        box: where it is, in screen pixels.
        top: how far it is scrolled, in pixels.
        most: how far it can be scrolled, in pixels.
    """

    box: Box
    top: float
    most: float


@dataclass(frozen=True)
class Element:
    """An element of the page; boxes in screen pixels.

    Attributes:
        text: what is written in it, blanks tidied.
        value: what a form field holds.
        checked: whether it is ticked or chosen.
        disabled: whether it can be used.
        focused: whether keys go to it.
        selected: whether it has the focus and all its text is selected.
        names: its classes.
        data: its attributes.
        shown: whether it is laid out at all.
        rect: where it is, on the screen or not.
        box: the part of it that a click would reach; None when there is too little.
        scroller: what scrolls it, if anything.
    """

    text: str
    value: str
    checked: bool
    disabled: bool
    focused: bool
    selected: bool
    names: tuple[str, ...]
    data: dict[str, str]
    shown: bool
    rect: Box
    box: Box | None
    scroller: Scroller | None


class View:
    """The page as it is now.

    Args:
        page: the browser's page.
        instruction: what the task asks for.
        seed: of the episode; a few pages hide their answer in a picture that only it explains.
    """

    def __init__(self, page: Page, instruction: str, seed: int) -> None:
        self._page = page
        self.instruction = instruction
        self.seed = seed

    def all(self, selector: str, text: str | None = None) -> list[Element]:
        """Elements in document order, only those with this text when it is given."""
        found = self._page.evaluate(_READ, [selector, AREA.right, AREA.bottom])
        elements = [_element(raw) for raw in found]
        return [element for element in elements if text is None or element.text == text]

    def one(self, selector: str, text: str | None = None) -> Element:
        """The first of them.

        Raises:
            Lost: there is none.
        """
        return first(self.all(selector, text), selector)

    def read(self, expression: str) -> Any:
        """The value of a script's expression."""
        return self._page.evaluate(expression)

    def run(self, function: str, argument: object) -> Any:
        """What a script's function makes of the argument."""
        return self._page.evaluate(function, argument)

    def match(self, pattern: str) -> re.Match[str]:
        """The instruction's words for a pattern.

        Raises:
            Lost: it does not say that.
        """
        found = re.search(pattern, self.instruction)
        if found is None:
            raise Lost(f"expected an instruction like {pattern!r}, actually {self.instruction!r}")
        return found

    def quoted(self) -> list[str]:
        """What the instruction puts in quotation marks, in order."""
        return re.findall(r'"([^"]*)"', self.instruction)


def first(elements: Sequence[Element], what: str = "an element") -> Element:
    """The first element.

    Raises:
        Lost: there is none.
    """
    if not elements:
        raise Lost(f"expected {what} on the page")
    return elements[0]


def click(element: Element) -> Move:
    """Click the middle of what a click can reach; scroll there first when it is out of view.

    Raises:
        Lost: it can neither be reached nor scrolled to.
    """
    if element.box is not None:
        return click_at(element.box)
    return _scroll_to(element)


def click_any(elements: Sequence[Element]) -> Move:
    """Click any of them; scroll to the first where none is in view.

    Raises:
        Lost: there is none, or it can neither be reached nor scrolled to.
    """
    boxes = [element.box for element in elements if element.box is not None]
    return replace(click_at(boxes[0]), also=tuple(boxes[1:])) if boxes else click(first(elements))


def click_at(box: Box) -> Move:
    """Click the middle of a box."""
    return Move(Click(middle(box)), box)


def middle(box: Box) -> Point:
    """The whole pixel in the middle of a box."""
    return Point(*map(int, box.center))


def _scroll_to(element: Element) -> Move:
    scroller = element.scroller
    if scroller is None or not element.shown:
        raise Lost(f"{element.text[:40]!r} is hidden")
    view, place = scroller.box, element.rect.center.y
    down = place > view.center.y
    wanted = scroller.top + place - view.center.y
    landed = scroller.top + (SCROLLED if down else -SCROLLED)
    landed = min(max(landed, 0), scroller.most)
    if landed == scroller.top:
        raise Lost(f"{element.text[:40]!r} is out of reach")
    half = (view.bottom - view.top) / 2 - 8
    overshot = wanted < landed - half if down else wanted > landed + half
    if overshot:
        return _step(view, down)
    return scroll(view, Direction.DOWN if down else Direction.UP)


def scroll(view: Box, direction: Direction) -> Move:
    """Turn the wheel in the middle of a box."""
    return Move(Scroll(direction, middle(view)), view)


def _step(view: Box, down: bool) -> Move:
    """Click an arrow of the scroll bar: a small step, where the wheel would go too far."""
    top = view.bottom - _BAR if down else view.top
    return click_at(Box(view.right - _BAR, top + 2, view.right - 2, top + _BAR - 2))


def fill(element: Element, text: str) -> Move | None:
    """Bring a text field to hold this text: None when it does, or the next move towards it.

    Raises:
        Lost: it cannot be reached.
    """
    if element.value == text:
        return None
    if element.selected or (element.focused and not element.value):
        return Move(Type(text) if text else Hotkey(("backspace",)))
    if element.focused:
        return Move(Hotkey(("ctrl", "a")))
    there = click(element)
    if element.value or not isinstance(there.action, Click):
        return there
    return Move(Type(text, point=there.action.point), there.box)


def drag(start: Box, end: Point, anywhere: Box | None = None) -> Move:
    """Drag the middle of a box to a point, or anywhere in another box."""
    return Move(Drag(middle(start), Point(round(end.x), round(end.y))), start, end=anywhere)


def around(point: Point, x: float, y: float) -> Box:
    """Every pixel up to so many beside and above or below a point."""
    return Box(point.x - x, point.y - y, point.x + x, point.y + y)


def reached(element: Element) -> Box:
    """The part of an element that the pointer can reach.

    Raises:
        Lost: there is none.
    """
    if element.box is None:
        raise Lost(f"{element.text[:40]!r} is out of reach")
    return element.box


def _element(raw: dict[str, Any]) -> Element:
    scroller = raw["scroller"]
    return Element(
        **{
            **raw,
            "names": tuple(raw["names"]),
            "rect": Box(*raw["rect"]),
            "box": None if raw["box"] is None else Box(*raw["box"]),
            "scroller": scroller and Scroller(**{**scroller, "box": Box(*scroller["box"])}),
        }
    )
