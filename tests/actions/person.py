"""A person at an X display: input that comes from its own devices, not from XTEST's."""

from __future__ import annotations

from Xlib import X
from Xlib.display import Display
from Xlib.ext import xinput
from Xlib.protocol import rq

_PRESS, _RELEASE = 1, 2  # of a device, counted from the extension's first event


class _FakeInput(rq.Request):
    """XTEST's request with a device, which python-xlib leaves out."""

    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(2),
        rq.RequestLength(),
        rq.Card8("event"),
        rq.Card8("detail"),
        rq.Pad(2),
        rq.Card32("time"),
        rq.Window("root"),
        rq.Pad(8),
        rq.Int16("x"),
        rq.Int16("y"),
        rq.Pad(7),
        rq.Card8("device"),
    )


class Person:
    """Uses the display's keyboard."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._first = display.query_extension("XInputExtension").first_event
        devices = display.xinput_query_device(xinput.AllDevices).devices
        self._keyboard = next(d.deviceid for d in devices if "Xvfb keyboard" in str(d.name))

    def press(self, *keycodes: int) -> None:
        for keycode in keycodes:
            self._send(_PRESS, keycode)

    def release(self, *keycodes: int) -> None:
        for keycode in keycodes:
            self._send(_RELEASE, keycode)

    def _send(self, kind: int, keycode: int) -> None:
        _FakeInput(
            display=self._display.display,
            opcode=self._display.display.get_extension_major("XTEST"),
            event=self._first + kind,
            detail=keycode,
            time=0,
            root=X.NONE,
            x=0,
            y=0,
            device=self._keyboard,
        )
        self._display.sync()
