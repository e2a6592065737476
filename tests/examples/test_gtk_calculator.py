"""galculator, a GTK program."""

from __future__ import annotations

import pytest

from actions.space import Type
from agent.testing.desktop import Desktop
from agent.testing.tester import Tester

PROGRAM = ("galculator", "apt-get install galculator")
PATIENCE = 60.0
"""Seconds: OCR takes several for one look where other work keeps the processor busy."""
pytestmark = [pytest.mark.desktop(400, 360), pytest.mark.timeout(300)]


def test_it_multiplies(desktop: Desktop, agent: Tester, installed: str) -> None:
    desktop.start(installed)
    agent.expect('a menu that says "Calculator"', within=PATIENCE)
    desktop.hands.perform(Type("127*5="))
    agent.expect('a display that says "635"', within=PATIENCE)


def test_its_menu_opens_and_offers_help(desktop: Desktop, agent: Tester, installed: str) -> None:
    desktop.start(installed)
    agent.do('Click on "Help"', within=PATIENCE)
    agent.expect('an entry that says "About"', within=PATIENCE)
