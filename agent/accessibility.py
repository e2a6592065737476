"""The bus on which programs tell assistive programs what they show (AT-SPI)."""

from __future__ import annotations

import time

from jeepney import DBusAddress, new_method_call
from jeepney.io.blocking import DBusConnection, open_dbus_connection
from jeepney.wrappers import DBusErrorResponse, unwrap_msg

BUS_ERRORS = (OSError, KeyError, ValueError, TimeoutError, DBusErrorResponse)
"""What goes wrong on such a bus."""

PATIENCE = 5.0
"""Seconds that a bus may take to listen."""

_STATUS = DBusAddress("/org/a11y/bus", "org.a11y.Bus", "org.freedesktop.DBus.Properties")
_LAUNCHER = DBusAddress("/org/a11y/bus", "org.a11y.Bus", "org.a11y.Bus")


def accessibility_bus(session: str, patience: float = PATIENCE) -> DBusConnection:
    """The accessibility bus of a session, switched on.

    Args:
        session: address of the session bus.
        patience: seconds that each of its answers may take.

    Raises:
        OSError, KeyError, ValueError, TimeoutError, DBusErrorResponse: there is none.
    """
    with open_dbus_connection(session) as bus:
        on = ("org.a11y.Status", "IsEnabled", ("b", True))
        bus.send_and_get_reply(new_method_call(_STATUS, "Set", "ssv", on), timeout=patience)
        asked = new_method_call(_LAUNCHER, "GetAddress")
        (address,) = unwrap_msg(bus.send_and_get_reply(asked, timeout=patience))
    return opened(address)


def opened(address: str) -> DBusConnection:
    """A connection to a bus; its launcher tells the address a moment before the bus listens.

    Raises:
        OSError: there is none after `PATIENCE`.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return open_dbus_connection(address)
        except (ConnectionRefusedError, FileNotFoundError):
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
