"""Pages as plain HTML: semantic elements, a split's words, icons as masks; no look of its own."""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Callable
from html import escape

from agent.learning.screens.iconsets import SIDE, Icons
from agent.learning.screens.vocabulary import Vocabulary

STYLE = """
*, *::before, *::after { animation: none !important; transition: none !important }
body { max-width: none; margin: 0; padding: 8px }
main { display: grid; gap: 12px; align-items: start }
main > * { min-width: 0; overflow-x: hidden }
.icon { display: inline-block; vertical-align: middle; background: currentColor;
        mask: var(--shape) center / contain no-repeat; mask-mode: luminance }
label.choice { display: block; width: fit-content }
header { margin-bottom: 12px }
.row { display: flex; flex-wrap: wrap; gap: 6px; align-items: center }
"""
"""What every page needs whatever its skin: a layout, and nothing that moves."""

INPUTS = ("text", "text", "text", "email", "search", "password", "date")


class Markup:
    """Writes one page.

    Args:
        rng: decides everything.
        words: its words.
        icons: their design.
    """

    def __init__(self, rng: random.Random, words: Vocabulary, icons: Icons) -> None:
        self._rng = rng
        self._words = words
        self._icons = icons
        self._fields = 0

    def page(self) -> str:
        """A body: perhaps a bar of links or tabs, then blocks in columns."""
        rng = self._rng
        columns = rng.choice((1, 1, 2, 2, 3))
        blocks = [rng.choice(BLOCKS)(self) for _ in range(rng.randint(3, 5) * columns)]
        head = rng.choice((self._links, self._tabs, self._toolbar, str))()
        grid = f"grid-template-columns: repeat({columns}, minmax(0, 1fr))"
        return f'<header>{head}</header><main style="{grid}">{"".join(blocks)}</main>'

    def _label(self) -> str:
        return escape(self._words.label())

    def _links(self) -> str:
        links = [f'<a href="#">{self._label()}</a>' for _ in range(self._rng.randint(2, 6))]
        return f'<nav class="row">{" ".join(links)}</nav>'

    def _tabs(self) -> str:
        chosen = self._rng.randrange(4)
        heads = [
            f'<a href="#" role="tab" aria-selected="{str(k == chosen).lower()}">{self._label()}</a>'
            for k in range(self._rng.randint(2, 6))
        ]
        return f'<nav class="tabs row" role="tablist">{" ".join(heads)}</nav>'

    def _toolbar(self) -> str:
        side = self._rng.choice((16, 18, 20, 24, 28, 32))
        names = self._icons.choose(self._rng, self._rng.randint(2, 9))
        plain = self._rng.random() < 0.4
        return f'<div class="row">{"".join(self._icon(n, side, plain) for n in names)}</div>'

    def _icon(self, name: str, side: int, plain: bool = False) -> str:
        png = io.BytesIO()
        self._icons.mask(name, SIDE, SIDE).save(png, "PNG")
        shape = f"url(data:image/png;base64,{base64.b64encode(png.getvalue()).decode()})"
        size = f"width:{side}px;height:{side}px"
        span = f'<span class="icon" data-icon="{name}" style="{size};--shape:{shape}"></span>'
        return span if plain else f'<button class="quiet" data-icon="{name}">{span}</button>'

    def _heading(self) -> str:
        level = self._rng.choice("123")
        return f"<div><h{level}>{self._label()}</h{level}></div>"

    def _paragraph(self) -> str:
        words = [escape(word) for word in self._words.sentence(self._rng.randint(8, 40))]
        some = self._rng.choice((0, 0, 0.08, 0.2))
        text = [f'<a href="#">{w}</a>' if self._rng.random() < some else w for w in words]
        kind = 'p class="note"' if self._rng.random() < 0.15 else "p"
        return f"<{kind}>{' '.join(text)}</p>"

    def _buttons(self) -> str:
        kinds = ("", "", ' class="main"', ' class="quiet"', " disabled")
        buttons = [
            f"<button{self._rng.choice(kinds)}>{self._label()}</button>"
            for _ in range(self._rng.randint(1, 5))
        ]
        return f'<div class="row">{" ".join(buttons)}</div>'

    def _choices(self) -> str:
        kind, name = self._rng.choice(("checkbox", "radio")), self._words.invented()
        lines = [
            f'<label class="choice"><input type="{kind}" name="{name}"{mark}> '
            f"{self._label()}</label>"
            for mark in self._rng.choices(("", "", " checked"), k=self._rng.randint(2, 6))
        ]
        return f"<fieldset>{''.join(lines)}</fieldset>"

    def _form(self) -> str:
        fields = [self._field() for _ in range(self._rng.randint(1, 5))]
        send = f'<button class="main">{escape(self._words.short())}</button>'
        return f"<form>{''.join(fields)}{send}</form>"

    def _field(self) -> str:
        """A caption with what takes an answer."""
        self._fields += 1
        name = f"f{self._fields}"
        return f'<label class="field" for="{name}">{self._label()}</label>{self._control(name)}'

    def _control(self, name: str) -> str:
        rng, kind = self._rng, self._rng.random()
        if kind < 0.6:
            says = rng.choice(("", "", "value", "placeholder"))
            said = f' {says}="{self._label()}"' if says else ""
            return f'<input id="{name}" type="{rng.choice(INPUTS)}"{said}>'
        if kind < 0.72:
            options = [f"<option>{self._label()}</option>" for _ in range(3)]
            return f'<select id="{name}">{"".join(options)}</select>'
        if kind < 0.82:
            return f'<textarea id="{name}" rows="{rng.randint(2, 4)}"></textarea>'
        if kind < 0.92:
            return f'<input id="{name}" type="number" value="{rng.randint(-9, 99)}">'
        return f'<input id="{name}" type="range" value="{rng.randint(0, 100)}">'

    def _list(self) -> str:
        kind = self._rng.choice(("ul", "ol", 'ul class="list"'))
        items = [f"<li>{self._label()}</li>" for _ in range(self._rng.randint(2, 7))]
        return f"<{kind}>{''.join(items)}</{kind[:2]}>"

    def _table(self) -> str:
        rng, columns = self._rng, self._rng.randint(2, 4)
        action = rng.choice(("", "", f"<button>{escape(self._words.short())}</button>", "icon"))
        icons = self._icons.choose(rng, 2) if action == "icon" else []
        last = "".join(self._icon(name, 18) for name in icons) or action
        rows = []
        for _ in range(rng.randint(2, 5)):
            cells = "".join(f"<td>{escape(self._words.short())}</td>" for _ in range(columns))
            rows.append(f"<tr>{cells}<td>{last}</td></tr>" if last else f"<tr>{cells}</tr>")
        wide = columns + bool(last)
        heads = "".join(f"<th>{escape(self._words.short())}</th>" for _ in range(wide))
        head, body = f"<thead><tr>{heads}</tr></thead>", f"<tbody>{''.join(rows)}</tbody>"
        return f"<div><table>{head}{body}</table></div>"

    def _cards(self) -> str:
        action = escape(self._words.short())
        cards = [
            f'<article class="card" data-row><h3>{self._label()}</h3>'
            f"<p>{escape(' '.join(self._words.sentence(7)))}</p><button>{action}</button></article>"
            for _ in range(self._rng.randint(1, 3))
        ]
        return f"<div>{''.join(cards)}</div>"

    def _details(self) -> str:
        open_ = " open" if self._rng.random() < 0.3 else ""
        text = escape(" ".join(self._words.sentence(8)))
        return f"<details{open_}><summary>{self._label()}</summary><p>{text}</p></details>"

    def _progress(self) -> str:
        return f'<progress max="100" value="{self._rng.randint(5, 95)}"></progress>'


BLOCKS: tuple[Callable[[Markup], str], ...] = (
    *(Markup._heading, Markup._paragraph, Markup._paragraph, Markup._buttons, Markup._buttons),
    *(Markup._choices, Markup._choices, Markup._form, Markup._form, Markup._list, Markup._table),
    *(Markup._cards, Markup._details, Markup._progress, Markup._toolbar, Markup._toolbar),
    *(Markup._links, Markup._tabs),
)
"""What a page is made of; what is often there is there twice."""
