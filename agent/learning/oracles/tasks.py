"""Every oracle by the name of its task."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page

from agent.environments.miniwob import Pages
from agent.learning.oracles import (
    calendars,
    choices,
    clicks,
    dragging,
    fields,
    geometry,
    mail,
    menus,
    searches,
    sliders,
    styles,
)
from agent.learning.oracles.page import Lost, Move, View

Oracle = Callable[[View], Move]
"""The next move on the page; it raises `Lost` when it sees none."""

ORACLES: dict[str, Oracle] = {
    **calendars.ORACLES,
    **choices.ORACLES,
    **clicks.ORACLES,
    **dragging.ORACLES,
    **fields.ORACLES,
    **geometry.ORACLES,
    **mail.ORACLES,
    **menus.ORACLES,
    **searches.ORACLES,
    **sliders.ORACLES,
    **styles.ORACLES,
}


def next_move(world: Pages, instruction: str, seed: int) -> Move | None:
    """What the oracle of the world's task would do in the state that is shown.

    Args:
        world: shows an episode of a task in `ORACLES`.
        instruction: as its `reset` gave it.
        seed: of the episode.

    Returns:
        The move, or None when the task can no longer be solved.

    Raises:
        BrowserError: the browser has died.
    """
    oracle = ORACLES[world.task]

    def ask(page: Page) -> Move | None:
        try:
            return oracle(View(page, instruction, seed))
        except Lost:
            return None

    return world.inspect(ask)
