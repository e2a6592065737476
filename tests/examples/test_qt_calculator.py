"""SpeedCrunch, a Qt program."""

from __future__ import annotations

import pytest

from actions.space import Type
from agent.testing.desktop import Desktop
from agent.testing.tester import Tester

PROGRAM = ("speedcrunch", "apt-get install speedcrunch")
PATIENCE = 60.0
"""Seconds: OCR takes several for one look where other work keeps the processor busy."""
pytestmark = [pytest.mark.desktop(640, 480), pytest.mark.timeout(300)]


def test_it_computes_what_was_typed(desktop: Desktop, agent: Tester, installed: str) -> None:
    desktop.start(installed)
    agent.expect('a menu that says "Session"', within=PATIENCE)
    desktop.hands.perform(Type("127*5", submit=True))
    agent.expect('a line that says "= 635"', within=PATIENCE)
