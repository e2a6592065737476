"""Ending browsers of one's own, as a crash would."""

from __future__ import annotations

import os
import signal
from pathlib import Path


class BrowserKiller:
    """Ends the browsers that descend from this process, but for those that are there already.

    Tests share browsers that must outlive one that crashes its own.
    """

    def __init__(self) -> None:
        self._spared = {*browsers(os.getpid())}

    def kill(self) -> None:
        """End those that have come since; there is at least one."""
        mine = {*browsers(os.getpid())} - self._spared
        assert mine
        for pid in mine:
            os.kill(pid, signal.SIGKILL)


def browsers(parent: int) -> list[int]:
    """Process ids of the Chromium main processes that descend from a process."""
    found = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            command = Path(f"/proc/{child}/cmdline").read_bytes()
            if b"chromium" in command and b"--type=" not in command:
                found.append(child)
            else:
                found += browsers(child)
    return found
