"""A Wayland compositor that can hardly do anything, as those of GNOME and KDE look to our hands.

`python bare_compositor.py NAME` offers one output of 64x48 and a seat, and no protocol of wlroots.
"""

from __future__ import annotations

import sys
from typing import Any

from pywayland.protocol.wayland import WlOutput, WlSeat, WlShm
from pywayland.protocol.xdg_output_unstable_v1 import ZxdgOutputManagerV1
from pywayland.server import Display


def offer_layout(resource: Any) -> None:
    resource.dispatcher["get_xdg_output"] = tell_size


def tell_size(manager: Any, number: int, output: Any) -> None:
    from pywayland.protocol.xdg_output_unstable_v1 import ZxdgOutputV1

    logical: Any = ZxdgOutputV1.resource_class(manager.client, 3, number)
    logical.logical_position(0, 0)
    logical.logical_size(64, 48)
    logical.name("BARE-1")


with Display() as display:
    held = [interface.global_class(display) for interface in (WlOutput, WlSeat, WlShm)]
    layout: Any = ZxdgOutputManagerV1.global_class(display)
    layout.bind_func = offer_layout
    display.add_socket(sys.argv[1])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    display.run()
