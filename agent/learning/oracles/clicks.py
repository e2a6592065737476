"""Tasks of plain clicks: one, or a few in an order that the page shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from agent.environments.miniwob import AREA
from agent.learning.oracles.page import Lost, Move, View, click, click_at, first, script
from vision.geometry import Box

_LABELS = script(Path(__file__).parent.with_name("labels.js"))

_ONE_CLICK = (
    *("buy-ticket", "click-button", "click-dialog", "click-dialog-2", "click-link", "click-shape"),
    *("click-tab", "click-test", "click-test-2", "click-test-transfer", "click-widget"),
    *("count-shape", "count-sides", "focus-text", "focus-text-2", "grid-coordinate"),
    "identify-shape",
)


def _one_click(task: str) -> Callable[[View], Move]:
    """The click that `labels.js` knows."""

    def oracle(view: View) -> Move:
        box = view.run(_LABELS, [task, view.seed, AREA.right, AREA.bottom])["target"]
        if box is None:
            raise Lost(f"{task}: expected a target on the screen")
        return click_at(Box(*box))

    return oracle


def button_sequence(view: View) -> Move:
    """ONE, then TWO."""
    pushed = view.read("buttonsPushed")
    if pushed not in ([], ["subbtn"]):
        raise Lost("the wrong button was pushed")
    return click(view.one("#subbtn2" if pushed else "#subbtn"))


def ascending_numbers(view: View) -> Move:
    """The numbers in order; after the first click they are hidden by squares."""
    return click(first(view.all("svg text", "1") or view.all("svg rect"), "a number"))


def greatest_card(view: View) -> Move:
    """Turn cards until the greatest is up; nobody can know which it is before."""
    cards = view.all(".card")
    greatest = max(cards, key=lambda card: int(card.text))
    return click(view.one("#submit") if "hidden" not in greatest.names else greatest)


def generated_number(view: View) -> Move:
    """Generate until the number is what was asked for."""
    shown = view.one("#display-number").text
    good = shown != "-" and _wanted(view.instruction, int(shown))
    return click(view.one("#submit" if good else "#generate"))


def _wanted(said: str, number: int) -> bool:
    if bound := re.search(r"(less|greater) than (\d+)", said):
        limit = int(bound[2])
        return number < limit if bound[1] == "less" else number > limit
    return number % 2 == ("odd" in said)


def tic_tac_toe(view: View) -> Move:
    """Win, else block, else take a good place."""
    board = [
        "x" if "mark-x" in s.names else "o" if "mark-o" in s.names else ""
        for s in view.all(".ttt-row span")
    ]
    return click(view.all(".ttt-row span")[_place(board)])


_LINES = (
    *((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8)),
    *((0, 4, 8), (2, 4, 6)),
)


def _place(board: list[str]) -> int:
    for who in "xo":
        for line in _LINES:
            held = [board[place] for place in line]
            if held.count(who) == 2 and "" in held:
                return line[held.index("")]
    free = [place for place in (4, 0, 8, 2, 6, 1, 3, 5, 7) if not board[place]]
    if not free:
        raise Lost("the game is over")
    return max(free, key=lambda place: _threats(board, place))


def _threats(board: list[str], place: int) -> int:
    """How many lines through a place could still be won, those begun counting more."""
    lines = [[board[spot] for spot in line] for line in _LINES if place in line]
    return sum(1 + 2 * line.count("x") for line in lines if "o" not in line)


ORACLES: dict[str, Callable[[View], Move]] = {
    **{task: _one_click(task) for task in _ONE_CLICK},
    "ascending-numbers": ascending_numbers,
    "click-button-sequence": button_sequence,
    "find-greatest": greatest_card,
    "generate-number": generated_number,
    "tic-tac-toe": tic_tac_toe,
}
