"""Tasks of choosing among many: ticks, options, shades, posts, dishes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from actions.space import Hotkey, Type
from agent.learning.oracles.page import Element, Lost, Move, View, click, click_any, first

_SUBMIT = "#subbtn, #submit"


def _toggle(pairs: Iterable[tuple[Element, bool, bool]], submit: Element) -> Move:
    """Click any (element, is, should be) that is not as it should be, else submit."""
    wrong = [element for element, now, wanted in pairs if now != wanted]
    return click_any(wrong) if wrong else click(submit)


def _boxes(view: View, wanted: Callable[[str], bool]) -> Move:
    inputs, labels = view.all("#boxes input"), view.all("#boxes label")
    pairs = (
        (box, box.checked, wanted(label.text)) for box, label in zip(inputs, labels, strict=True)
    )
    return _toggle(pairs, view.one(_SUBMIT))


def checkboxes(view: View) -> Move:
    """Tick what the instruction lists."""
    names = set(view.match(r"Select (.*) and click")[1].split(", "))
    return _boxes(view, names.__contains__)


def similar_checkboxes(view: View) -> Move:
    """Tick the words that mean what the instruction lists."""
    said = set(view.match(r"similar to (.*) and click")[1].split(", "))
    groups = [set(group) for group in view.read("SYNONYMS")]
    wanted = {word for group in groups if group & said for word in group}
    return _boxes(view, wanted.__contains__)


def option(view: View) -> Move:
    """Choose one of several radio buttons."""
    name = view.match(r"Select (.*) and click")[1]
    for radio, label in zip(view.all("#boxes input"), view.all("#boxes label"), strict=True):
        if label.text == name:
            return click(view.one(_SUBMIT) if radio.checked else radio)
    raise Lost(f"expected an option {name!r}")


def drawn_number(view: View) -> Move:
    """Draw a digit with check boxes."""
    pattern = view.read(f"PATTERNS[{int(view.quoted()[0])}]")
    cells = [bool(cell) for row in pattern for cell in row]
    inputs = view.all("#checkboxes input[type=checkbox]")
    pairs = ((box, box.checked, cell) for box, cell in zip(inputs, cells, strict=True))
    return _toggle(pairs, view.one(_SUBMIT))


def shades(view: View) -> Move:
    """Choose all shades of a colour."""
    color = view.match(r"shades of (\w+)")[1]
    spans = view.all("#area span")
    pairs = ((s, "selected" in s.names, s.data["data-color"] == color) for s in spans)
    return _toggle(pairs, view.one(_SUBMIT))


def odd_or_even(view: View) -> Move:
    """Say of each number whether it is odd."""
    numbers, odds, evens = (
        view.all(f".row {name}") for name in (".display-number", ".odd", ".even")
    )
    right = (
        odd if int(number.text) % 2 else even
        for number, odd, even in zip(numbers, odds, evens, strict=True)
    )
    return _toggle(((e, "selected" in e.names, True) for e in right), view.one(_SUBMIT))


def scroll_list(view: View) -> Move:
    """Choose one entry of a list; two would need a key held down, which nothing on screen shows."""
    names = set(view.match(r"Select (.*) from the scroll list")[1].split(", "))
    options = view.all("#options option")
    if {entry.text for entry in options if entry.checked} == names:
        return click(view.one("#area button"))
    if len(names) != 1:
        raise Lost("expected one entry to choose")
    return click(next(entry for entry in options if entry.text in names))


def drop_down(view: View) -> Move:
    """Choose from a closed list by typing, because what opens is no part of the page."""
    name = view.match(r"Select (.*) from the list")[1]
    if any(entry.checked for entry in view.all("#options option", name)):
        return click(view.one("#area button"))
    if view.one("#options").focused:
        return Move(Type(name))
    return Move(Hotkey(("shift", "tab") if view.one("#area button").focused else ("tab",)))


POST_ACTIONS = {
    "Share via DM": "share",
    "Copy link to Tweet": "copy",
    "Embed Tweet": "embed",
    "Mute": "menu-user",
    "Block": "block-user",
    "Report": "report",
    "Reply": "reply",
    "Retweet": "retweet",
    "Like": "like",
    "Share": "share",
}


def post(view: View) -> Move:
    """One action on one user's post, perhaps in its menu."""
    user, label = view.match(r'For the user (\S+), click on the "(.*)" button')[1], view.quoted()[0]
    index = [name.text for name in view.all(".media .username")].index(user)
    button = view.all(f".media .{POST_ACTIONS[label]}")[index]
    return click(button if button.shown else view.all(".media .more")[index])


def posts(view: View) -> Move:
    """The same action on all or some of a user's posts."""
    kind = POST_ACTIONS[view.quoted()[0]]
    user = view.match(r"by (\S+) and then")[1]
    users = [name.text for name in view.all(".media .username")]
    right: list[Element] = []
    wrong: list[Element] = []
    for name in ("reply", "retweet", "like", "share"):
        for owner, button in zip(users, view.all(f".media .{name}"), strict=True):
            (right if name == kind and owner == user else wrong).append(button)
    done = [button for button in right if "active" in button.names]
    some = re.search(r"on (\d+) post", view.instruction)
    missing = (int(some[1]) if some else len(right)) - len(done)
    if spoiled := [button for button in wrong if "active" in button.names]:
        return click_any(spoiled)
    if missing < 0:
        return click_any(done)
    left = [button for button in right if button not in done] if missing else []
    return click_any(left) if left else click(view.one("#submitRow button"))


def order_food(view: View) -> Move:
    """Order dishes by name or by kind."""
    dishes = view.all(".food-item")
    names = [dish.data["data-item"].strip() for dish in dishes]
    have = [int(dish.data["data-quantity"]) for dish in dishes]
    fewest, most = _order(view, names, have)
    more, less = view.all(".food-item .add"), view.all(".food-item .remove")
    if spoiled := [less[n] for n, count in enumerate(have) if count > most[n]]:
        return click_any(spoiled)
    if missing := [more[n] for n, count in enumerate(have) if count < fewest[n]]:
        return click_any(missing)
    return click(view.one("#submit-order button"))


def _order(view: View, names: list[str], have: list[int]) -> tuple[list[int], list[int]]:
    """How many of each dish to order at least and at most, given what is ordered already."""
    if listed := re.search(r"one of each item: (.*)", view.instruction):
        chosen = {name.strip() for name in listed[1].split(",")}
        counts = [int(name in chosen) for name in names]
        return counts, counts
    said = view.match(r"Order (\d+) items that are (\S+)")
    kinds = {dish["name"].strip(): dish["types"] for dish in view.read("MENU")}
    fits = [said[2] in kinds[name] for name in names]
    missing = int(said[1]) - sum(count for count, fit in zip(have, fits, strict=True) if fit)
    if missing < 0:
        return [0] * len(names), [max(0, n - 1) * fit for n, fit in zip(have, fits, strict=True)]
    counts = [(n + (missing > 0)) * fit for n, fit in zip(have, fits, strict=True)]
    return counts, counts


def drop_down_then_button(view: View) -> Move:
    """Choose from a drawn list, then press a button."""
    height = view.match(r"Choose (.*) from the dropdown")[1]
    if view.one("#dropdown").value == height:
        return click(view.one("#buttons button", view.quoted()[0]))
    if view.all(".selectric-open"):
        return click(view.one(".selectric-items li", height))
    return click(first(view.all(".selectric"), "a drop-down list"))


ORACLES: dict[str, Callable[[View], Move]] = {
    "choose-list": drop_down,
    "click-checkboxes": checkboxes,
    "click-checkboxes-soft": similar_checkboxes,
    "click-checkboxes-transfer": checkboxes,
    "click-option": option,
    "click-scroll-list": scroll_list,
    "click-shades": shades,
    "form-sequence-3": drop_down_then_button,
    "number-checkboxes": drawn_number,
    "odd-or-even": odd_or_even,
    "order-food": order_food,
    "social-media": post,
    "social-media-all": posts,
    "social-media-some": posts,
}
