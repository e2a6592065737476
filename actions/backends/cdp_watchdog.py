"""Releases what a killed process left pressed in a page of Chromium; run by `Watchdog`.

Chromium adds nothing to what a DevTools client sent: when the client dies in the middle of a drag,
the page waits for the release for ever (`tests/actions/test_backend_cdp_killed.py`).
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__)
NOTHING: dict[str, object] = {"held": ["", [], [0, 0]]}
"""The DevTools target, the commands to it that release everything, and where the pointer is."""
_ANSWER_SECONDS = 5.0


def _watch(address: str) -> None:
    """Listen until the pipe breaks, then release."""
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect

    from actions.backends.watchdog import say_ready, told_at_last

    with (
        suppress(OSError, WebSocketException, KeyError),  # the browser, or its page, is gone
        connect(address, max_size=None, compression=None) as browser,
    ):
        say_ready()
        target, commands, pointer = told_at_last(NOTHING)["held"]
        if commands:
            _release(browser, target, [*commands, _end_of_drag(*pointer)])
    os._exit(0)


def _release(browser: Any, target: str, commands: list[tuple[str, dict[str, Any]]]) -> None:
    """Send the commands, one after the other."""
    attach = {"targetId": target, "flatten": True}
    session = _answer(browser, {"method": "Target.attachToTarget", "params": attach})["sessionId"]
    for method, params in commands:
        _answer(browser, {"method": method, "params": params, "sessionId": session})


def _end_of_drag(x: float, y: float) -> tuple[str, dict[str, Any]]:
    """Of something that was dragged: the page would be deaf to the mouse until somebody ends it.

    To Chromium only the client that began to drag can drop; where nothing is dragged, this is
    nothing.
    """
    nothing = {"items": [], "dragOperationsMask": 0}
    return "Input.dispatchDragEvent", {"type": "dragCancel", "x": x, "y": y, "data": nothing}


def _answer(browser: Any, command: dict[str, Any]) -> dict[str, Any]:
    """What the browser says to a command; events in between are passed over."""
    browser.send(json.dumps({"id": 1, **command}))
    while True:
        message: dict[str, Any] = json.loads(browser.recv(_ANSWER_SECONDS))
        if "id" in message:
            return dict(message.get("result", {}))


if __name__ == "__main__":
    sys.path[:] = json.loads(sys.argv[2])
    _watch(sys.argv[1])
