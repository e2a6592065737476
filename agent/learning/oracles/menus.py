"""Tasks of finding something that is folded away: tabs, sections, trees, menus."""

from __future__ import annotations

from collections.abc import Callable

from actions.space import Move as MoveTo
from agent.learning.oracles.page import (
    Element,
    Lost,
    Move,
    View,
    click,
    click_at,
    first,
    middle,
    reached,
)
from vision.geometry import Box


def _shown(elements: list[Element]) -> list[Element]:
    return [element for element in elements if element.shown]


def section(view: View) -> Move:
    """Unfold the only section, then submit."""
    unfolded = _shown(view.all(".ui-accordion-content"))
    return click(view.one("#subbtn" if unfolded else ".ui-accordion-header"))


def link_in_sections(view: View) -> Move:
    """Unfold one section after the other until the link shows."""
    return _search(view, ".ui-accordion-header", "ui-accordion-header-active")


def link_in_tabs(view: View) -> Move:
    """Open one tab after the other until the link shows."""
    return _search(view, ".ui-tabs-tab", "ui-tabs-active")


def _search(view: View, holders: str, active: str) -> Move:
    """Click the link when it shows, else what comes after the part that is open."""
    if links := _shown(view.all(".alink", view.quoted()[0])):
        return click(links[0])
    parts = view.all(holders)
    opened = [index for index, part in enumerate(parts) if active in part.names]
    return click(parts[(opened[0] + 1) % len(parts) if opened else 0])


def tree(view: View) -> Move:
    """Unfold folders from the top until the name shows."""
    if found := _shown(view.all("#tree span", view.quoted()[0])):
        return click(found[0])
    return click(first(_shown(view.all("#tree li.expandable > span")), "a folder to unfold"))


def hover_menu(view: View) -> Move:
    """Open menus by pointing at them, click the last name."""
    *path, leaf = view.match(r"Select (.*)$")[1].split(">")
    if found := _shown(view.all("#menu div", leaf)):
        return click(found[0])
    shown = [item for name in path for item in _shown(view.all("#menu div", name))]
    if not shown:
        raise Lost("expected a menu")
    return _point_at(shown[-1])


_NAME_OF_ICON = """
(icon => icon && Object.keys(PROBLEM_SET).find(name => icon.matches('.' + PROBLEM_SET[name])))(
  document.querySelector('#query .ui-icon'))
"""


def icon_menu(view: View) -> Move:
    """Open the menu, and the one inside it, then click the item with that name or icon."""
    items = view.all("#menu li > div")
    if not any(item.shown for item in items):
        return click(view.one("#open-menu"))
    name = view.read(_NAME_OF_ICON) or view.quoted()[1]
    target = next(item for item in items if item.text == name)
    playback = next(item for item in items if item.text == "Playback")
    return click(target) if target.shown else _point_at(playback)


def pie_menu(view: View) -> Move:
    """Unfold the pie, then click the item; the page takes no click on its first one."""
    for title in view.all("text[id*=title]", view.quoted()[0]):
        if title.data["id"].endswith("-0"):
            raise Lost("the page does not react to its first item")
        if title.rect.height > 8 and "spreader" not in title.data["id"]:
            return click_at(_whole(title.rect))
    return click_at(_whole(view.one("[id*=spreadertitle]").rect))


def _whole(box: Box) -> Box:
    return Box(*map(round, box))


def _point_at(element: Element) -> Move:
    box = reached(element)
    return Move(MoveTo(middle(box)), box)


ORACLES: dict[str, Callable[[View], Move]] = {
    "click-collapsible": section,
    "click-collapsible-2": link_in_sections,
    "click-collapsible-2-nodelay": link_in_sections,
    "click-collapsible-nodelay": section,
    "click-menu": hover_menu,
    "click-menu-2": icon_menu,
    "click-pie": pie_menu,
    "click-pie-nodelay": pie_menu,
    "click-tab-2": link_in_tabs,
    "click-tab-2-easy": link_in_tabs,
    "click-tab-2-hard": link_in_tabs,
    "navigate-tree": tree,
}
