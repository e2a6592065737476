"""The wlroots protocols that Eyehand speaks, as data.

The package pywayland ships the standard protocols and builds others from XML files when it is
installed; these few are small enough to be written down. Names, order and argument types are those
of wlr-screencopy-unstable-v1, wlr-virtual-pointer-unstable-v1 and virtual-keyboard-unstable-v1,
version 1 of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pywayland.protocol.wayland import WlBuffer, WlOutput, WlSeat
from pywayland.protocol_core.argument import Argument
from pywayland.protocol_core.interface import Interface
from pywayland.protocol_core.proxy import Proxy
from pywayland.scanner.argument import ArgumentType

Arguments = Sequence[Argument]

_INT, _UINT = Argument(ArgumentType.Int), Argument(ArgumentType.Uint)
_FIXED, _FD = Argument(ArgumentType.Fixed), Argument(ArgumentType.FileDescriptor)
_SEAT = Argument(ArgumentType.Object, interface=WlSeat, nullable=True)
_OUTPUT = Argument(ArgumentType.Object, interface=WlOutput)
_BUFFER = Argument(ArgumentType.Object, interface=WlBuffer)


class Speaker(Proxy[Any]):
    """The client's side of an object of these protocols; requests are sent by their name."""

    made: Mapping[str, type[Interface]]

    def send(self, request: str, *arguments: object) -> None:
        """Send a request; "destroy" lets go of the object too."""
        self._marshal(self._opcode(request), *arguments)
        if request == "destroy":
            self._destroy()

    def make(self, request: str, *arguments: object) -> Speaker:
        """Send a request that makes another object; that object."""
        made: Speaker = self._marshal_constructor(
            self._opcode(request), self.made[request], *arguments
        )
        return made

    def _opcode(self, request: str) -> int:
        return [message.name for message in self.interface.requests].index(request)


def _declare(
    name: str,
    requests: Mapping[str, Arguments],
    events: Mapping[str, Arguments] | None = None,
) -> Any:
    """An interface as pywayland wants it; the order of requests and events is the protocol's."""
    metaclass: Any = type(Interface)
    interface = metaclass(name, (Interface,), {"name": name, "version": 1})
    for known, decorate in (requests, interface.request), (events or {}, interface.event):
        for word, arguments in known.items():
            decorate(*arguments)(_named(word))
    made = {
        word: argument.interface
        for word, arguments in requests.items()
        for argument in arguments
        if argument.argument_type is ArgumentType.NewId
    }
    interface._gen_c()
    interface.proxy_class = type(
        f"{name}_proxy", (Speaker,), {"interface": interface, "made": made}
    )
    return interface


def _named(name: str) -> Any:
    """A message takes its name from a function."""

    def message() -> None:
        """Never called: requests are marshalled, events dispatched."""

    message.__name__ = name
    return message


def _new(interface: type[Interface]) -> Argument:
    return Argument(ArgumentType.NewId, interface=interface)


_FRAME = _declare(
    "zwlr_screencopy_frame_v1",
    {"copy": [_BUFFER], "destroy": []},
    {
        "buffer": [_UINT] * 4,  # format, width, height, bytes per row
        "flags": [_UINT],
        "ready": [_UINT] * 3,
        "failed": [],
    },
)
SCREENCOPY = _declare(
    "zwlr_screencopy_manager_v1",
    {"capture_output": [_new(_FRAME), _INT, _OUTPUT]},  # 1: with the pointer
)

_POINTER = _declare(
    "zwlr_virtual_pointer_v1",
    {
        "motion": [_UINT, _FIXED, _FIXED],
        "motion_absolute": [_UINT] * 5,  # milliseconds, x, y, and the far corner's x, y
        "button": [_UINT] * 3,  # milliseconds, evdev code, 1 is down
        "axis": [_UINT, _UINT, _FIXED],
        "frame": [],
        "axis_source": [_UINT],
        "axis_stop": [_UINT, _UINT],
        "axis_discrete": [_UINT, _UINT, _FIXED, _INT],  # milliseconds, axis, pixels, notches
        "destroy": [],
    },
)
VIRTUAL_POINTER = _declare(
    "zwlr_virtual_pointer_manager_v1", {"create_virtual_pointer": [_SEAT, _new(_POINTER)]}
)

_KEYBOARD = _declare(
    "zwp_virtual_keyboard_v1",
    {
        "keymap": [_UINT, _FD, _UINT],  # 1: XKB text, descriptor, bytes
        "key": [_UINT] * 3,  # milliseconds, evdev code, 1 is down
        "modifiers": [_UINT] * 4,  # depressed, latched, locked, group
        "destroy": [],
    },
)
VIRTUAL_KEYBOARD = _declare(
    "zwp_virtual_keyboard_manager_v1", {"create_virtual_keyboard": [_SEAT, _new(_KEYBOARD)]}
)
