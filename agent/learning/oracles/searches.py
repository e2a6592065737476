"""Tasks of searching: engines, completions, dates, flights."""

from __future__ import annotations

from collections.abc import Callable

from actions.space import Hotkey
from agent.learning.oracles.page import Element, Lost, Move, View, click, fill, first
from agent.model.lexical import MONTHS

_PAGE = 3
"""Search results per page."""

_MONTHS = tuple(month.capitalize() for month in MONTHS)


def engine(view: View) -> Move:
    """Search, turn to the right page, click the result of that number."""
    name = view.quoted()[0]
    index = int(view.match(r"the (\d+)\w\w search result")[1]) - 1
    if move := fill(view.one("#search-text"), name):
        return move
    found = {link.data["data-result"]: link for link in view.all("#page-content a")}
    if not found or "-1" in found:
        return click(view.one("#search"))
    if str(index) in found:
        return click(found[str(index)])
    return click(view.one("#pagination a", str(index // _PAGE + 1)))


def completion(view: View) -> Move:
    """Type the beginning, choose what ends right."""
    start, *rest = view.quoted()
    end = rest[0] if rest else ""
    field = view.one("#tags")
    if (
        field.value.startswith(start)
        and field.value.endswith(end)
        and field.value in _countries(view)
    ):
        return click(view.one("#subbtn"))
    names = [name for name in _countries(view) if name.startswith(start) and name.endswith(end)]
    return _complete(view, field, start, names)


def _countries(view: View) -> list[str]:
    return [str(name) for name in view.read("ui_utils.COUNTRIES")]


def _complete(view: View, field: Element, start: str, names: list[str]) -> Move:
    """Bring a field with suggestions to hold one of the names."""
    offered = [item for item in view.all(".ui-autocomplete li") if item.shown]
    for item in offered:
        if item.text in names and item.box and field.value:
            return click(item)
    if field.value == start and not offered:  # the suggestions were closed
        return Move(Hotkey(("down",))) if field.focused else click(field)
    text = names[0] if field.value == start else start
    move = fill(field, text)
    if move is None:
        raise Lost(f"expected suggestions for {text!r}")
    return move


def date(view: View) -> Move:
    """Choose a date in a calendar, submit."""
    return _date(view, view.match(r"Select (\S+) as")[1]) or click(view.one("#subbtn"))


def _date(view: View, wanted: str) -> Move | None:
    """Bring the calendar's field to hold a date (MM/DD/YYYY)."""
    field = view.one("#datepicker")
    if field.value == wanted:
        return None
    shown = [title for title in view.all(".ui-datepicker-month") if title.shown]
    if not shown:
        return Move(Hotkey(("tab",))) if field.focused else click(field)
    month, day, _ = wanted.split("/")
    behind = _MONTHS.index(shown[0].text) + 1 - int(month)
    if behind:
        return click(view.one(".ui-datepicker-prev" if behind > 0 else ".ui-datepicker-next"))
    return click(view.one(".ui-datepicker-calendar a.ui-state-default", str(int(day))))


def flight(view: View) -> Move:
    """Search a flight, book the cheapest or the shortest."""
    said = view.match(r"Book the (\w+) one-way flight from: (.*) to: (.*) on (\S+?)\.$")
    start, end, day = said[2], said[3], said[4]
    fields = [view.one("#flight-from"), view.one("#flight-to")]
    known = [str(name) for name in view.read("DOMESTIC_FLIGHTS")]
    ready = (
        all(
            field.value in known and place in field.value
            for field, place in zip(fields, (start, end), strict=True)
        )
        and view.one("#datepicker").value == day
    )
    if any(result.shown for result in view.all("#results")):
        return _book(view, said[1]) if ready else click(view.one("#menu-back"))
    for field, place in zip(fields, (start, end), strict=True):
        if not (field.value in known and place in field.value):
            return _complete(view, field, place, [name for name in known if place in name])
    return _date(view, day) or click(view.one("#search"))


def _book(view: View, wish: str) -> Move:
    prices = view.all(".flight-price")
    if wish == "cheapest":
        best = min(prices, key=lambda price: int(price.data["data-price"]))
        return click(best)
    spans = [float(time.data["data-duration"]) for time in view.all(".time-duration")]
    return click(first(prices[spans.index(min(spans)) :], "a flight"))


ORACLES: dict[str, Callable[[View], Move]] = {
    "book-flight": flight,
    "book-flight-nodelay": flight,
    "choose-date": date,
    "choose-date-easy": date,
    "choose-date-medium": date,
    "choose-date-nodelay": date,
    "search-engine": engine,
    "use-autocomplete": completion,
    "use-autocomplete-nodelay": completion,
}
