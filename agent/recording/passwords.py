"""Whether the keyboard goes to a password field, as applications tell assistive programs (AT-SPI).

GTK and Qt programs tell it where an accessibility bus runs; browsers only when they were asked to
(Chromium: `--force-renderer-accessibility`). What nobody tells is not known.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from types import TracebackType

from jeepney import DBusAddress, HeaderFields, MatchRule, Message, new_method_call
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection
from jeepney.wrappers import unwrap_msg

from agent.accessibility import BUS_ERRORS, accessibility_bus

_ROLE_PASSWORD_TEXT = 40
_FOCUS = "object:state-changed:focused"
_REGISTRY = DBusAddress(
    "/org/a11y/atspi/registry", "org.a11y.atspi.Registry", "org.a11y.atspi.Registry"
)
_CHANGES = MatchRule(type="signal", interface="org.a11y.atspi.Event.Object", member="StateChanged")


class PasswordWatch:
    """Follows the focus in a thread of its own, inside a `with` block.

    Attributes:
        secret: the focus is in a password field now.
        error: why nothing can be known; None while it can.

    Args:
        session: address of the session bus; None means the one in the environment.
    """

    def __init__(self, session: str | None = None) -> None:
        self.secret = False
        self.error: str | None = None
        self._session = session or os.environ.get("DBUS_SESSION_BUS_ADDRESS", "")
        self._connection: DBusConnection | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="passwords", daemon=True)

    def __enter__(self) -> PasswordWatch:
        try:
            self._connection = self._open()
            self._thread.start()
        except BUS_ERRORS as error:
            self.error = f"no accessibility bus: {error}" if str(error) else "no session bus"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(5)
        if self._connection is not None:
            self._connection.close()

    def _open(self) -> DBusConnection:
        """The accessibility bus, with the focus asked for."""
        if not self._session:
            raise KeyError("DBUS_SESSION_BUS_ADDRESS is not set")
        bus = accessibility_bus(self._session)
        asked = new_method_call(_REGISTRY, "RegisterEvent", "sass", (_FOCUS, [], ""))
        bus.send_and_get_reply(asked, timeout=5)
        bus.send_and_get_reply(message_bus.AddMatch(_CHANGES), timeout=5)
        return bus

    def _follow(self) -> None:
        assert self._connection is not None
        bus = self._connection
        # Without the filter, what comes while `_hear` waits for an answer would be lost.
        with bus.filter(_CHANGES, queue=deque()) as told:
            while not self._over.is_set():
                with suppress(TimeoutError):
                    self._hear(bus, bus.recv_until_filtered(told, timeout=0.2))

    def _hear(self, bus: DBusConnection, message: Message) -> None:
        """Ask the role of what has just got the focus."""
        fields = message.header.fields
        if message.body[0] != "focused" or not message.body[1]:
            return
        widget = DBusAddress(
            fields[HeaderFields.path], fields[HeaderFields.sender], "org.a11y.atspi.Accessible"
        )
        try:
            asked = new_method_call(widget, "GetRole")
            role = unwrap_msg(bus.send_and_get_reply(asked, timeout=1))[0]
        except BUS_ERRORS:
            role = 0  # it was closed meanwhile
        self.secret = role == _ROLE_PASSWORD_TEXT
