"""A Wayland client that writes down the input it really receives, in the words of journal_app.py.

`python journal_wayland.py FILE` covers every output with a window. A press on the left half of a
window toggles its square, a key press moves a bar. A line on standard input is answered with a
line in the journal, after everything that was received before. Keys are read as every toolkit
reads them, by libxkbcommon.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from pywayland.protocol.wayland import WlCompositor, WlSeat, WlShm
from pywayland.protocol.xdg_shell import XdgWmBase

from vision.wayland import Compositor, Output

XRGB = 1
BUTTONS = {0x110: 1, 0x112: 2, 0x111: 3}
MODIFIERS = {"Shift": "shift", "Control": "ctrl", "Mod1": "alt", "Mod4": "super"}
EFFECTIVE = 1 << 3


class Keys:
    """What keys mean, by the compositor's keymap."""

    def __init__(self) -> None:
        self.xkb = ctypes.CDLL("libxkbcommon.so.0")
        for name in ("context_new", "keymap_new_from_string", "state_new"):
            getattr(self.xkb, f"xkb_{name}").restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.xkb.xkb_context_new(0))
        self.state: ctypes.c_void_p | None = None

    def load(self, text: bytes) -> None:
        keymap = self.xkb.xkb_keymap_new_from_string(self.context, text, 1, 0)
        assert keymap, "the compositor sent a keymap that cannot be read"
        self.state = ctypes.c_void_p(self.xkb.xkb_state_new(ctypes.c_void_p(keymap)))

    def modify(self, depressed: int, latched: int, locked: int, group: int) -> None:
        self.xkb.xkb_state_update_mask(self.state, depressed, latched, locked, 0, 0, group)

    def held(self) -> list[str]:
        is_active = self.xkb.xkb_state_mod_name_is_active
        return [
            word
            for name, word in MODIFIERS.items()
            if is_active(self.state, name.encode(), EFFECTIVE) > 0
        ]

    def meaning(self, code: int) -> tuple[str, str]:
        """The name of the key's symbol, and what it writes."""
        name, text = ctypes.create_string_buffer(64), ctypes.create_string_buffer(64)
        symbol = self.xkb.xkb_state_key_get_one_sym(self.state, code + 8)
        self.xkb.xkb_keysym_get_name(symbol, name, len(name))
        self.xkb.xkb_state_key_get_utf8(self.state, code + 8, text, len(text))
        return name.value.decode(), text.value.decode()


class Window:
    """A window over one output, drawn by hand."""

    def __init__(self, journal: Journal, output: Output) -> None:
        self.output = output
        self.surface = journal.compositor.create_surface()
        role = journal.base.get_xdg_surface(self.surface)
        role.dispatcher["configure"] = lambda proxy, serial: self.configure(proxy, serial)
        self.top = role.get_toplevel()
        self.top.dispatcher["configure"] = lambda _, width, height, __: self.resize(width, height)
        self.top.set_title(output.name)  # by which the compositor puts it there
        self.shm = journal.shm
        self.role = role  # alive as long as the window
        self.width, self.height = output.width, output.height
        self.presses = self.keys = 0
        self.drawn = False
        self.memory: mmap.mmap | None = None
        self.surface.commit()

    def resize(self, width: int, height: int) -> None:
        self.width, self.height = width or self.width, height or self.height

    def configure(self, role: Any, serial: int) -> None:
        role.ack_configure(serial)
        self.draw()
        self.drawn = True

    def draw(self) -> None:
        if self.memory is None:
            self.memory = self.allocate(4 * self.width * self.height)
        pixels = np.frombuffer(self.memory, np.uint32).reshape(self.height, self.width)
        pixels[:] = 0xFFFFFF
        pixels[40:80, 40:80] = 0xFF0000 if self.presses % 2 else 0x808080
        left = 7 * self.keys % max(1, self.width // 2)
        pixels[100:120, left : left + 10] = 0x008000
        self.surface.attach(self.buffer, 0, 0)
        self.surface.damage(0, 0, self.width, self.height)
        self.surface.commit()

    def allocate(self, size: int) -> mmap.mmap:
        """Memory for one picture, shared with the compositor."""
        descriptor = os.memfd_create("journal")
        os.ftruncate(descriptor, size)
        pool = self.shm.create_pool(descriptor, size)
        self.buffer = pool.create_buffer(0, self.width, self.height, 4 * self.width, XRGB)
        pool.destroy()
        memory = mmap.mmap(descriptor, size)
        os.close(descriptor)
        return memory


class Journal:
    """Everything that arrives, as lines of a file."""

    def __init__(self, path: Path, connection: Compositor) -> None:
        self.file = path.open("a", encoding="utf-8", buffering=1)
        self.connection = connection
        self.compositor = connection.bind(WlCompositor, "wayland")
        self.shm = connection.bind(WlShm, "wayland")
        self.base = connection.bind(XdgWmBase, "xdg-shell")
        self.base.dispatcher["ping"] = lambda base, serial: base.pong(serial)
        self.keys = Keys()
        self.seat = connection.bind(WlSeat, "wayland")
        self.seat.dispatcher["capabilities"] = self.listen
        self.pointer: Any = None
        self.keyboard: Any = None
        self.place = (0.0, 0.0)
        self.window: Window | None = None
        self.windows = [Window(self, output) for output in connection.outputs]
        self.focused: Window | None = None

    def listen(self, seat: Any, capabilities: int) -> None:
        """Devices come and go; what is left of one that went says nothing any more."""
        if not capabilities & 1:
            self.pointer = None
        elif self.pointer is None:
            self.pointer = seat.get_pointer()
            for name in ("enter", "motion", "button", "axis_discrete"):
                self.pointer.dispatcher[name] = getattr(self, name)
        if not capabilities & 2:
            self.keyboard = None
        elif self.keyboard is None:
            self.keyboard = seat.get_keyboard()
            for name in ("keymap", "modifiers", "key"):
                self.keyboard.dispatcher[name] = getattr(self, name)
            self.keyboard.dispatcher["enter"] = self.focus

    def focus(self, _: Any, serial: int, surface: Any, keys: Any) -> None:
        self.focused = next(w for w in self.windows if w.surface == surface)

    def enter(self, _: Any, serial: int, surface: Any, x: float, y: float) -> None:
        self.window = next(w for w in self.windows if w.surface == surface)
        self.motion(None, 0, x, y)

    def motion(self, _: Any, moment: int, x: float, y: float) -> None:
        assert self.window is not None
        self.place = (x + self.window.output.left, y + self.window.output.top)
        self.note("motion")

    def button(self, _: Any, serial: int, moment: int, code: int, state: int) -> None:
        self.note("button_down" if state else "button_up", button=BUTTONS[code])
        window = self.window
        if state and window and self.place[0] - window.output.left < window.width / 2:
            window.presses += 1
            window.draw()

    def axis_discrete(self, _: Any, axis: int, notches: int) -> None:
        self.note("scroll", dx=notches if axis else 0, dy=0 if axis else notches)

    def keymap(self, _: Any, form: int, descriptor: int, size: int) -> None:
        with mmap.mmap(descriptor, size, mmap.MAP_PRIVATE, mmap.PROT_READ) as memory:
            self.keys.load(memory[:].rstrip(b"\0"))
        os.close(descriptor)

    def modifiers(self, _: Any, serial: int, *masks: int) -> None:
        self.keys.modify(*masks)

    def key(self, _: Any, serial: int, moment: int, code: int, state: int) -> None:
        name, text = self.keys.meaning(code)
        self.note("key_down" if state else "key_up", key=name, text=text)
        if state and self.focused:
            self.focused.keys += 1
            self.focused.draw()

    def note(self, event: str, **more: object) -> None:
        x, y = (int(side // 1) for side in self.place)
        mods = self.keys.held() if self.keys.state else []
        self.write(event=event, x=x, y=y, mods=mods, **more)

    def write(self, **entry: object) -> None:
        self.file.write(json.dumps({**entry, "time": time.time()}) + "\n")

    def run(self) -> None:
        display = self.connection._display
        self.connection.wait_until(lambda: all(window.drawn for window in self.windows))
        self.write(event="ready")
        while True:
            display.flush()
            ready, _, _ = select.select([display.get_fd(), sys.stdin], [], [])
            if sys.stdin in ready:
                if not sys.stdin.readline():
                    return
                for _ in range(2):  # a device that came just now is listened to by the second
                    self.connection.roundtrip()
                self.write(event="flush")
            else:
                display.dispatch(block=True)


if __name__ == "__main__":
    with Compositor() as connection:
        Journal(Path(sys.argv[1]), connection).run()
