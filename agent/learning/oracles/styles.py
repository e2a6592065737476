"""Tasks of style: a colour is typed as its code, letters are made bold or coloured."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from actions.space import Hotkey
from agent.learning.oracles.page import Element, Lost, Move, View, click, click_at, drag, fill
from vision.geometry import Box, Point

_LEVEL = 51
"""The parts of a colour are typed as multiples of it: six to choose from, near enough."""

_BUTTONS = {"bold": ".ql-bold", "italics": ".ql-italic", "underlined": ".ql-underline"}

_EDITOR = """([wanted, style]) => {
  const text = editor.getText().trimEnd();
  const [from, length] = wanted ? [text.indexOf(wanted), wanted.length] : [0, text.length];
  if (from < 0) return null;
  const {left, top, right, bottom} = editor.getBounds(from, length);
  const shift = document.querySelector('#editor').getBoundingClientRect();
  const fits = COLOR_MAP[style]
    ? {color: value => COLOR_MAP[style].includes(value)} : {[ACTION_KEY[style]]: Boolean};
  const styles = [...Array(text.length).keys()].map(at => Object.entries(editor.getFormat(at, 1)));
  const inside = at => from <= at && at < from + length;
  const fitting = (names, at) => names.every(([name, value]) => inside(at) && fits[name]?.(value));
  const {index, length: chosen} = editor.selection.savedRange;
  return {
    word: [shift.left + left, shift.top + top, shift.left + right, shift.top + bottom],
    focused: editor.hasFocus(),
    chosen: index === from && (wanted ? chosen === length : chosen >= length),
    done: styles.every((names, at) => fitting(names, at) && names.length === Number(inside(at))),
    wrong: !styles.every(fitting),
  };
}"""


def named_color(view: View) -> Move:
    """A colour that the instruction names."""
    name = view.match(r"Select (\w+) with")[1]
    code = str(view.read(f"ui_utils.colorNameToHex({json.dumps(name)})"))
    return _pick(view, tuple(int(code[at : at + 2], 16) for at in (1, 3, 5)))


def shown_color(view: View) -> Move:
    """A colour that the page shows."""
    shown = view.read("getComputedStyle(document.querySelector('.cc')).backgroundColor")
    return _pick(view, tuple(int(part) for part in re.findall(r"\d+", str(shown))))


def _pick(view: View, parts: tuple[int, ...]) -> Move:
    """Type the code; the picker hides the button until something else is clicked."""
    code = "".join(f"{round(part / _LEVEL) * _LEVEL:02X}" for part in parts)
    if move := fill(view.one("#col"), code):
        return move
    submit = view.one("#subbtn")
    return click(submit) if submit.box else click_at(_blank(view.one("#area")))


def _blank(area: Element) -> Box:
    """The top of an area, right of its heading."""
    assert area.box is not None
    return Box(area.box.right - 40, area.box.top + 2, area.box.right - 4, area.box.top + 12)


def text_editor(view: View) -> Move:
    """Select everything or one word, press a button or choose a colour, submit."""
    one = re.search(r"the text (\S+) the (?:style|color)", view.instruction)
    style = view.match(r"the (?:style|color) (\w+)")[1]
    state = view.run(_EDITOR, [one and one[1], style])
    if state is None:
        raise Lost("expected the word in the text")
    if state["done"]:
        return click(view.one("#subbtn"))
    if state["wrong"]:
        return Move(Hotkey(("ctrl", "z")))
    if state["chosen"]:
        return _styled(view, style)
    left, top, right, bottom = state["word"]
    if one:
        y = (top + bottom) / 2
        return drag(Box(left - 1, y - 2, left + 1, y + 2), Point(right, y))
    if state["focused"]:
        return Move(Hotkey(("ctrl", "a")))
    return click_at(Box(left, top, right, bottom))


def _styled(view: View, style: str) -> Move:
    if style in _BUTTONS:
        return click(view.one(_BUTTONS[style]))
    (code, *_) = view.read(f"COLOR_MAP[{json.dumps(style)}]")
    color = view.one(f'.ql-picker-item[data-value="{code}"]')
    return click(color) if color.box else click(view.one(".ql-picker-label"))


ORACLES: dict[str, Callable[[View], Move]] = {
    "text-editor": text_editor,
    "use-colorwheel": named_color,
    "use-colorwheel-2": shown_color,
}
