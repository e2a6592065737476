"""What a program tells assistive programs (AT-SPI), read over D-Bus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from jeepney import DBusAddress, new_method_call
from jeepney.wrappers import unwrap_msg

from agent.accessibility import BUS_ERRORS, accessibility_bus
from vision.geometry import Box

ACTIVE, CHECKED, FOCUSED, MULTI_LINE, SHOWING = 1, 4, 12, 17, 25
"""Numbers of states."""

PATIENCE = 5.0
"""Seconds that a program may take for one answer."""

MOST = 1500
"""Objects of a program that are read; a table may have a million."""

_SCREEN = 0
_LABELLED_BY = 2
_ROOT = DBusAddress("/org/a11y/atspi/accessible/root", "org.a11y.atspi.Registry")


class TreeError(RuntimeError):
    """There is no accessibility bus, or the program says nothing on it."""


@dataclass(frozen=True)
class Node:
    """An accessible object that is showing, and what is in it.

    Attributes:
        role: its number in AtspiRole.
        name: what it calls itself.
        states: the numbers of its states.
        box: where it is, in screen pixels.
        text: its content where it has some, else "".
        labels: names of what labels it.
        picture: whether it shows an image.
        children: in the program's order.
    """

    role: int
    name: str
    states: frozenset[int]
    box: Box
    text: str = ""
    labels: tuple[str, ...] = ()
    picture: bool = False
    children: tuple[Node, ...] = field(default=(), repr=False)

    def all(self) -> Iterator[Node]:
        """This object and everything in it."""
        yield self
        for child in self.children:
            yield from child.all()


class Tree:
    """The accessibility bus of a session, open inside a `with` block.

    Args:
        session: address of the session bus.

    Raises:
        TreeError: on entering, when there is no such bus.
    """

    def __init__(self, session: str) -> None:
        self._session = session

    def __enter__(self) -> Tree:
        try:
            self._bus = accessibility_bus(self._session, 20)
        except BUS_ERRORS as error:
            raise TreeError(
                f"expected an accessibility bus, actually: {error}; "
                "install it with `apt-get install at-spi2-core`"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.close()

    def windows(self) -> list[Node]:
        """The windows that are showing, with all that shows in them.

        Raises:
            TreeError: the bus is gone.
        """
        try:
            programs = self._call(_ROOT, "Accessible", "GetChildren")
        except BUS_ERRORS as error:
            raise TreeError(f"the accessibility bus is gone: {error}") from error
        self._left = MOST
        found: list[Node] = []
        for name, path in programs:
            with suppress(*BUS_ERRORS):  # a program that has just ended
                windows = self._call(DBusAddress(path, name), "Accessible", "GetChildren")
                found += [node for window in windows if (node := self._node(*window))]
        return found

    def _node(self, name: str, path: str) -> Node | None:
        """An object, or None when it does not show or does not answer."""
        here = DBusAddress(path, name)
        self._left -= 1
        if self._left < 0:
            return None
        with suppress(*BUS_ERRORS):
            states = _bits(self._call(here, "Accessible", "GetState"))
            if SHOWING not in states:
                return None
            return self._described(here, states)
        return None

    def _described(self, here: DBusAddress, states: frozenset[int]) -> Node:
        x, y, width, height = self._call(here, "Component", "GetExtents", "u", (_SCREEN,))
        children = self._call(here, "Accessible", "GetChildren")
        found = (self._node(*child) for child in children)
        return Node(
            role=self._call(here, "Accessible", "GetRole"),
            name=self._property(here, "Accessible", "Name"),
            states=states,
            box=Box(x, y, x + width, y + height),
            text="" if children else self._text(here),
            labels=self._labels(here),
            picture=not children and self._picture(here),
            children=tuple(node for node in found if node),
        )

    def _text(self, here: DBusAddress) -> str:
        with suppress(*BUS_ERRORS):
            text: str = self._call(here, "Text", "GetText", "ii", (0, -1))
            return text
        return ""

    def _labels(self, here: DBusAddress) -> tuple[str, ...]:
        with suppress(*BUS_ERRORS):
            relations = self._call(here, "Accessible", "GetRelationSet")
            targets = [one for kind, ones in relations if kind == _LABELLED_BY for one in ones]
            at = [DBusAddress(path, name) for name, path in targets]
            return tuple(self._property(one, "Accessible", "Name") for one in at)
        return ()

    def _picture(self, here: DBusAddress) -> bool:
        with suppress(*BUS_ERRORS):
            width, height = self._call(here, "Image", "GetImageSize")
            return width > 0 and height > 0
        return False

    def _property(self, here: DBusAddress, interface: str, name: str) -> str:
        at = DBusAddress(here.object_path, here.bus_name, "org.freedesktop.DBus.Properties")
        asked = new_method_call(at, "Get", "ss", (f"org.a11y.atspi.{interface}", name))
        ((_, value),) = unwrap_msg(self._bus.send_and_get_reply(asked, timeout=PATIENCE))
        return str(value)

    def _call(
        self, here: DBusAddress, interface: str, name: str, signature: str | None = None,
        body: tuple[Any, ...] = (),
    ) -> Any:  # fmt: skip
        """The answer to a call; where it has several values, all of them."""
        at = DBusAddress(here.object_path, here.bus_name, f"org.a11y.atspi.{interface}")
        asked = new_method_call(at, name, signature, body)
        reply = unwrap_msg(self._bus.send_and_get_reply(asked, timeout=PATIENCE))
        return reply[0] if len(reply) == 1 else reply


def _bits(words: list[int]) -> frozenset[int]:
    """The numbers of the bits that are set in two words of 32."""
    whole = words[0] | (words[1] << 32 if len(words) > 1 else 0)
    return frozenset(bit for bit in range(whole.bit_length()) if whole >> bit & 1)
