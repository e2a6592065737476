"""A connection to a Wayland compositor: its outputs, and the protocols that it offers."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Any

from pywayland.client.display import Display
from pywayland.protocol.wayland import WlOutput
from pywayland.protocol.xdg_output_unstable_v1 import ZxdgOutputManagerV1

from vision.geometry import Box, Point

_CREDENTIALS = struct.Struct("3i")  # process, user, group


class WaylandError(OSError):
    """There is no such compositor, it has gone, or it lacks a protocol; the message names it."""


@dataclass(eq=False)
class Output:
    """One monitor, in the compositor's own coordinates.

    Attributes:
        proxy: its wl_output.
        name: such as "HEADLESS-1".
        left: of its corner, in logical pixels.
        top: of its corner.
        width: in logical pixels.
        height: in logical pixels.
        turned: whether it is rotated or mirrored.
    """

    proxy: Any
    name: str = ""
    left: int = 0
    top: int = 0
    width: int = 0
    height: int = 0
    turned: bool = False


class Compositor:
    """One connection, alive inside a `with` block or until `close`.

    Whoever sends or waits holds `lock`, so any thread may, one after the other. The layout of the
    outputs is read once, on opening.

    Args:
        display: a socket's name or path; None means the one in $WAYLAND_DISPLAY.

    Attributes:
        lock: see above; may be taken again by the thread that has it.
        name: as it was given.
        outputs: in the compositor's order, never empty.
        origin: where our (0, 0) is in the compositor's coordinates: the corner of the output that
            counts as the primary one, which is the one at the compositor's own (0, 0) or the first.

    Raises:
        WaylandError: there is no such compositor, or it shows nothing.
    """

    def __init__(self, display: str | None = None) -> None:
        self.lock = RLock()
        self.name = display
        self._display = Display(display)
        try:
            self._display.connect()
        except ValueError as error:
            raise WaylandError(
                f"expected a Wayland compositor at {display or '$WAYLAND_DISPLAY'}, actually none "
                "answers; log in to a desktop, or set WAYLAND_DISPLAY and XDG_RUNTIME_DIR"
            ) from error
        self.outputs: list[Output] = []
        try:
            self._read_globals()
            self._read_outputs()
        except BaseException:
            self.close()
            raise
        self.primary = next((o for o in self.outputs if (o.left, o.top) == (0, 0)), self.outputs[0])
        self.origin = Point(self.primary.left, self.primary.top)

    def bind(self, interface: Any, protocol: str) -> Any:
        """The compositor's object of an interface.

        Raises:
            WaylandError: it has none; the protocol is named.
        """
        if interface.name not in self._globals:
            raise WaylandError(
                f"expected a compositor with {interface.name} ({protocol}), actually this one "
                "lacks it; use Sway or another wlroots compositor, or an X11 session"
            )
        number, version = self._globals[interface.name]
        return self._registry.bind(number, interface, min(version, interface.version))

    def folder_and_process(self) -> tuple[Path, int]:
        """Where the compositor's sockets are, and its process id.

        Raises:
            OSError: it has gone.
        """
        with self.lock, socket.socket(fileno=os.dup(self._display.get_fd())) as connection:
            about = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            return Path(connection.getpeername()).parent, _CREDENTIALS.unpack(about)[0]

    def roundtrip(self) -> None:
        """Wait until everything that was sent has been handled.

        Raises:
            WaylandError: the compositor has gone, or has thrown us out.
        """
        with self.lock:
            if self._display.destroyed or self._display.roundtrip() < 0:
                raise WaylandError("the compositor is gone; start it and open this again")

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for events until they have made something true.

        Raises:
            WaylandError: the compositor has gone.
        """
        with self.lock:
            while not condition():
                try:
                    self._display.dispatch(block=True)
                except (RuntimeError, ValueError) as error:
                    raise WaylandError("the compositor is gone; start it again") from error

    def box_of(self, output: Output) -> Box:
        """The rectangle of an output in our coordinates."""
        left, top = output.left - self.origin.x, output.top - self.origin.y
        return Box(left, top, left + output.width, top + output.height)

    def close(self) -> None:
        """Let go of the compositor. Safe to repeat."""
        with self.lock:
            self._display.disconnect()

    def __enter__(self) -> Compositor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read_globals(self) -> None:
        """Learn what the compositor offers: interface -> (number, version); outputs are bound."""
        self._globals: dict[str, tuple[int, int]] = {}
        self._registry: Any = self._display.get_registry()
        self._registry.dispatcher["global"] = self._note_global
        self.roundtrip()

    def _note_global(self, registry: Any, number: int, name: str, version: int) -> None:
        self._globals[name] = number, version
        if name == WlOutput.name:
            proxy = registry.bind(number, WlOutput, min(version, WlOutput.version))
            self.outputs.append(Output(proxy))

    def _read_outputs(self) -> None:
        """Learn where the outputs are."""
        if not self.outputs:
            raise WaylandError("expected a monitor, actually the compositor shows none; add one")
        manager = self.bind(ZxdgOutputManagerV1, "xdg-output-unstable-v1")
        extended = [manager.get_xdg_output(output.proxy) for output in self.outputs]
        for output, logical in zip(self.outputs, extended, strict=True):
            output.proxy.dispatcher["geometry"] = partial(_note_geometry, output)
            logical.dispatcher["logical_position"] = partial(_note_position, output)
            logical.dispatcher["logical_size"] = partial(_note_size, output)
            logical.dispatcher["name"] = partial(_note_name, output)
        self.roundtrip()
        for logical in extended:
            logical.destroy()


def _note_geometry(output: Output, _: Any, *geometry: Any) -> None:
    output.turned = geometry[-1] != 0


def _note_position(output: Output, _: Any, left: int, top: int) -> None:
    output.left, output.top = left, top


def _note_size(output: Output, _: Any, width: int, height: int) -> None:
    output.width, output.height = width, height


def _note_name(output: Output, _: Any, name: str) -> None:
    output.name = name
