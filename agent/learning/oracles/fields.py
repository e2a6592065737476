"""Tasks of typing: what the instruction says, or what must be read or computed first."""

from __future__ import annotations

import re
from collections.abc import Callable

from actions.space import Direction, Hotkey, Type
from agent.learning.oracles.page import (
    Element,
    Lost,
    Move,
    View,
    click,
    click_at,
    fill,
    middle,
    reached,
    scroll,
)
from vision.geometry import Box

_SUBMIT = "#subbtn"


def _fields(view: View, wanted: dict[str, str], submit: str = _SUBMIT) -> Move:
    """Fill the fields (selector -> text) in order, then submit."""
    for selector, text in wanted.items():
        if move := fill(view.one(selector), text):
            return move
    return click(view.one(submit))


def quoted_text(view: View) -> Move:
    """Type what is in quotation marks, perhaps in other letters."""
    text = view.quoted()[0]
    if "upper case" in view.instruction:
        text = text.upper()
    elif "lower case" in view.instruction:
        text = text.lower()
    return _fields(view, {"#tt": text})


def password(view: View) -> Move:
    """The same password twice."""
    text = view.quoted()[0]
    return _fields(view, {"#password": text, "#verify": text})


def login(view: View) -> Move:
    """Log in; a popup may come in between."""
    if view.all("#popup"):
        return click(view.one("#popup-cancel"))
    user, secret = view.quoted()
    return _fields(view, {"#username": user, "#password": secret})


def slanted_text(view: View) -> Move:
    """Type characters that are drawn aslant."""
    return _fields(view, {"#tt": "".join(span.text for span in view.all("#captcha span"))})


def arithmetic(view: View) -> Move:
    """Two digits and an operator."""
    left, sign, right = view.one("#math-problem").text.split()[:3]
    a, b = int(left), int(right)
    return _fields(view, {"#math-answer": str({"+": a + b, "-": a - b, "x": a * b}[sign])})


def algebra(view: View) -> Move:
    """Solve for x."""
    left, sign, right, _, result = view.one("#math-problem").text.split()
    total = int(result)
    if sign == "+":
        x = total - int(right if left == "x" else left)
    else:
        x = total + int(right) if left == "x" else int(left) - total
    return _fields(view, {"#math-answer": str(x)})


def blocks(view: View) -> Move:
    """Count blocks."""
    return _fields(view, {"#math-answer": str(len(view.all(".addition-block")))})


def nth_word(view: View) -> Move:
    """Type one word of a paragraph."""
    number = int(view.match(r"Find the (\d+)")[1])
    words = view.one("#area p").text.split()
    if number > len(words):
        raise Lost(f"expected {number} words")
    word = words[number - 1]
    return _fields(view, {"#answer-input": re.sub(r"[^a-zA-Z]", "", word)})


def last_word(view: View) -> Move:
    """Scroll down, type the last word."""
    area = view.one("#text-area")
    word = re.sub(r"[^a-zA-Z0-9]", "", area.value.split()[-1])
    answer = view.one("#answer-input")
    if answer.value != word and not _scrolled(view, Direction.DOWN):
        return scroll(reached(area), Direction.DOWN)
    return _fields(view, {"#answer-input": word})


def _scrolled(view: View, direction: Direction) -> bool:
    """Whether the text area shows its end in that direction."""
    top, most = view.read(
        "(a => [a.scrollTop, a.scrollHeight - a.clientHeight])"
        "(document.querySelector('#text-area'))"
    )
    return bool(top >= most - 5 if direction is Direction.DOWN else top <= 5)


def scrolled_text(view: View) -> Move:
    """Scroll a text to its top or bottom, submit."""
    direction = Direction.DOWN if "bottom" in view.instruction else Direction.UP
    if _scrolled(view, direction):
        return click(view.one(_SUBMIT))
    return scroll(reached(view.one("#text-area")), direction)


def agreement(view: View) -> Move:
    """Scroll through a text, sign it, press a button."""
    if not view.quoted():
        return click(view.one("#cancel"))
    name, button = view.quoted()
    field = view.one("#name")
    if field.disabled:
        return scroll(reached(view.one("#text-area")), Direction.DOWN)
    return fill(field, name) or click(view.one(f"#{button.lower()}"))


def table(view: View) -> Move:
    """Type the value of one row."""
    key, rows = view.match(r"value of (.*) into")[1], _rows(view)
    if key not in rows:
        raise Lost(f"expected a row {key!r}")
    return _fields(view, {"#tt": rows[key]})


def two_rows(view: View) -> Move:
    """Type the values of two rows."""
    keys = [label.text.removesuffix(":") for label in view.all("#ll1, #ll2")]
    return _fields(view, {f"#tt{n}": _rows(view)[key] for n, key in enumerate(keys, 1)})


def _rows(view: View) -> dict[str, str]:
    cells = [cell.text for cell in view.all("#tab td")]
    return dict(zip(cells[::2], cells[1::2], strict=True))


def movie_search(view: View) -> Move:
    """Three fields in one of five layouts, in the order in which the instruction has their texts.

    The text comes before its place in an answer, so it should follow from what was typed before.
    """
    said = view.match(r"Search for (.*) movies directed by (.*) from year (\d+)")
    rows = view.all("#area p, #area .row, #area tr, #area .field, #area .ui-entry")
    fields = list(zip(rows, view.all("#area input"), strict=True))
    wanted = zip(("Genre", "Director", "Year|Date"), said.groups(), strict=True)
    for label, text in wanted:
        field = next(field for row, field in fields if re.search(label, row.text))
        if move := fill(field, text):
            return move
    return click(view.one("#area button, #area .final, #area .ui-submit"))


_PRESSED = """instruction => {
  if (window.eyehandPressed === undefined) {
    document.addEventListener('keydown', event => window.eyehandPressed.push(event.key));
    document.addEventListener('mousedown', () => { window.eyehandPressed = []; });
  }
  if (window.eyehandAsked !== instruction) {
    window.eyehandAsked = instruction;
    window.eyehandPressed = [];
  }
  return window.eyehandPressed;
}"""


def clock(view: View) -> Move:
    """Type a time part by part, each as the instruction has it: "1", the next segment, "48", "AM".

    Any hour but 1 moves on by itself. The page does not tell which segments are filled, so what was
    pressed since the last click is noted.
    """
    said = view.match(r"Enter (\d+):(\d+)\s*([AP]M)")
    hour, minute = int(said[1]), int(said[2])
    field = view.one("#tt")
    pressed = [key for key in view.run(_PRESSED, view.instruction) if key != "Shift"]
    if field.value == f"{hour % 12 + 12 * (said[3] == 'PM'):02}:{minute:02}":
        return click(view.one(_SUBMIT))
    parts = [[*said[1]], *([["ArrowRight"]] if hour == 1 else []), [*said[2]], [*said[3]]]
    if field.focused:
        for place, part in enumerate(parts):
            if pressed == [key for before in parts[:place] for key in before]:
                return Move(Hotkey(("right",)) if "ArrowRight" in part else Type("".join(part)))
    box = reached(field)
    return click_at(Box(box.left + 3, box.top + 2, box.left + 14, box.bottom - 2))


_AFTER_LOWER = {4: 2, 7: 5, 2: 0}
_AFTER_HIGHER = {4: 7, 7: 8, 5: 6, 2: 3}


def guess(view: View) -> Move:
    """Halve what is left; the page only says how the last guess was wrong."""
    number = 4
    for selector, following, step in (
        ("#lower:not(.hide) span", _AFTER_LOWER, -1),
        ("#higher:not(.hide) span", _AFTER_HIGHER, 1),
    ):
        for told in view.all(selector):
            last = int(told.text) if re.fullmatch(r"-?\d+", told.text) else 4
            number = min(max(following.get(last, last + step), 0), 9)
    return _fields(view, {"#tt": str(number)})


def terminal(view: View) -> Move:
    """List the files, delete one; its name is typed by itself, so that it can be copied."""
    screen = reached(view.one("#terminal"))
    files = [str(name) for name in view.read("currentFiles")]
    listed = any(set(files) <= set(line.text.split()) for line in view.all(".output"))
    typed = view.one("#active-input").text
    if typed == "rm" and listed:
        return Move(Type(_to_delete(view, files)))
    if typed:
        return Move(Hotkey(("enter",)))
    point = None if view.one("#terminal-target").focused else middle(screen)
    action = Type("rm ", point=point) if listed else Type("ls", submit=True, point=point)
    return Move(action, screen if point else None)


def _to_delete(view: View, files: list[str]) -> str:
    said = re.search(r"extension (\.\S+)", view.instruction)
    fitting = [name for name in files if (name.endswith(said[1]) if said else "." not in name)]
    if not fitting:
        raise Lost("expected a file to delete")
    return fitting[0]


_CLIPBOARD = """() => {
  if (window.eyehandCopied === undefined) {
    window.eyehandCopied = '';
    document.addEventListener('copy', () => {
      const {value, selectionStart, selectionEnd} = document.activeElement;
      window.eyehandCopied = value.slice(selectionStart, selectionEnd);
    });
  }
  return window.eyehandCopied;
}"""


def copied(view: View) -> Move:
    """What stands in one of the text areas, by way of the clipboard: not all of it can be seen."""
    areas = view.all("textarea")
    said = re.search(r"from the (\d)", view.instruction)
    place = int(said[1]) - 1 if said else 0
    if place >= len(areas):
        raise Lost(f"expected {place + 1} text areas")
    area, field = areas[place], view.one("#answer-input")
    clipboard = view.read(_CLIPBOARD)
    if field.value == area.value:
        return click(view.one(_SUBMIT))
    if clipboard != area.value:
        return _with_keys(area, "c")
    return _with_keys(field, "v") if field.value else _keys(field, "v")


def _with_keys(element: Element, key: str) -> Move:
    """Select all that is in a text field, then press Ctrl and a key."""
    return Move(Hotkey(("ctrl", key))) if element.selected else _keys(element, "a")


def _keys(element: Element, key: str) -> Move:
    """Click a text field, then press Ctrl and a key."""
    return Move(Hotkey(("ctrl", key))) if element.focused else click(element)


ORACLES: dict[str, Callable[[View], Move]] = {
    "copy-paste": copied,
    "copy-paste-2": copied,
    "enter-password": password,
    "enter-text": quoted_text,
    "enter-text-2": quoted_text,
    "enter-text-dynamic": quoted_text,
    "enter-time": clock,
    "find-word": nth_word,
    "guess-number": guess,
    "login-user-popup": login,
    "multi-layouts": movie_search,
    "read-table": table,
    "read-table-2": two_rows,
    "scroll-text": last_word,
    "scroll-text-2": scrolled_text,
    "sign-agreement": agreement,
    "simple-algebra": algebra,
    "simple-arithmetic": arithmetic,
    "terminal": terminal,
    "text-transform": slanted_text,
    "visual-addition": blocks,
}
