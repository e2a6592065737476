"""Questions about a screen: instructions, each with the one element that answers it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from actions.space import CallUser, Click
from agent.learning.samples import Question
from agent.learning.screens.element import Element
from agent.learning.screens.icons import ICONS, NICKNAMES, SHAPES
from agent.learning.screens.kit import Kit
from agent.learning.screens.theme import PALETTE

NOUNS: dict[str, tuple[str, ...]] = {
    "button": ("button",),
    "link": ("link",),
    "checkbox": ("checkbox", "check box"),
    "radio": ("radio", "radio button"),
    "text": ("textbox", "text field", "input field", "text box", "text"),
    "textarea": ("textarea", "text area"),
    "select": ("dropdown", "select box", "combo box"),
    "slider": ("slider",),
    "spinner": ("spinner", "number field"),
    "tab": ("tab",),
    "close": ("close button",),
    "image": ("image", "picture"),
    "progress": ("progress bar",),
    "item": ("item", "list item"),
    "cell": ("cell",),
    "menu": ("menu",),
    "menuitem": ("menu item",),
    "title": ("title",),
    "heading": ("heading",),
    "word": ("word", "text"),
    "icon": ("icon",),
    "character": ("character", "letter"),
    "shape": ("shape",),
}
"""What people call each kind of element."""

UNTITLED = ("word", "title", "heading", "image", "cell", "progress", "spin_up", "spin_down")
"""Kinds that are not asked for by type or ordinal alone."""

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
NUMERALS = ("1st", "2nd", "3rd", "4th", "5th", "6th")

LABELED = (
    'Click on the "{label}" {noun}.',
    'Click the {noun} labeled "{label}".',
    "Click {noun} {label}.",
    'click the "{label}" {noun}',
    "press {label}",
    "click {label}",
    'Click on "{label}".',
    'Click the {noun} "{label}".',
    "{label}",
    'the {noun} "{label}"',
    "choose {label}",
    "Press the {label} {noun}.",
)
SPECIFIC: dict[str, tuple[str, ...]] = {
    "link": ('Click on the link "{label}".', 'Click the link "{label}"', "follow the link {label}"),
    "tab": ("Click on {label}.", "open the {label} tab", 'Switch to the "{label}" tab.'),
    "checkbox": ("check {label}", 'Select "{label}".', 'tick the box "{label}"'),
    "radio": ('select the option "{label}"', "Select {label}.", 'choose "{label}"'),
    "button": ('Click on the "{label}" button.', 'Click the button labeled "{label}".'),
    "item": ("select {label} in the list", 'Select "{label}".'),
    "menuitem": ('Click on the menu item "{label}".', "choose {label} from the menu"),
    "menu": ("open the {label} menu",),
    "word": ('click on the word "{label}"', 'Click on the text "{label}".', 'Find "{label}".'),
    "text": ('Click on the textbox that says "{label}".', 'the field containing "{label}"'),
    "select": ('the dropdown showing "{label}"', 'Open the select box "{label}".'),
    "cell": ('Click on the cell "{label}".', 'Click on "{label}" in the table.'),
    "title": ('Click on the title "{label}".',),
    "heading": ('Click on the heading "{label}".',),
    "spinner": ('the number field showing "{label}"',),
    "character": ('Click on the "{label}".', 'click the letter "{label}"'),
    "shape": ('click the shape with "{label}" on it', 'Click on the shape labeled "{label}".'),
}
TYPED = (
    'Click on a "{noun}" widget.',
    "Click the {noun}.",
    "click the {noun}",
    "Click on a {noun}.",
)
TYPED_FIELD = ("Focus into the {noun}.", "put the cursor into the {noun}", "Click the {noun}.")
NTH = ("the {nth} {noun}", "Click on the {nth} {noun}.", "click the {nth} {noun}")
NTH_FIELD = (
    "Focus into the {nth} input textbox.",
    "the {nth} {noun}",
    "Focus into the {nth} {noun}.",
)
CAPTIONED = (
    'the field next to "{caption}"',
    "Click on the {caption} field.",
    'Focus into the "{caption}" field.',
    'the {noun} labeled "{caption}"',
    'Click the {noun} for "{caption}".',
)
CLOSE = (
    'Close the dialog box by clicking the "x".',
    'Click the button in the dialog box labeled "x".',
    "close the window",
    "close the dialog",
    'Click on the "x".',
)
IN_DIALOG = ('Click the button in the dialog box labeled "{label}".', "press {label} in the dialog")


class Questioner:
    """Asks about the elements of one screen.

    Args:
        kit: the screen; its canvas holds the elements.
    """

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._elements: Sequence[Element] = kit.canvas.elements
        self._kinds = Counter(element.kind for element in self._elements)
        self._labels = Counter(_bare(element.label) for element in self._elements if element.label)
        self._captions = Counter(_bare(e.caption) for e in self._elements if e.caption)

    def ask(self, count: int) -> tuple[Question, ...]:
        """`count` questions, as different as the screen allows; about one in ten has no answer."""
        questions: dict[str, Question] = {}
        while len(questions) < count:
            question = self._absent() if self._kit.chance(0.1) else self._present()
            question = question or self._absent()
            questions.setdefault(question.instruction, question)
        return tuple(questions.values())

    def _present(self) -> Question | None:
        """A question about one of the elements, every kind on the screen equally often."""
        kit = self._kit
        if not self._elements:
            return None
        for _ in range(8):
            kinds = sorted(self._kinds)
            weights = [0.5 if kind == "word" else 1.0 for kind in kinds]
            kind = kit.rng.choices(kinds, weights)[0]
            element = kit.rng.choice([e for e in self._elements if e.kind == kind])
            wordings = [text for group in self._ways(element) for text in [kit.rng.choice(group)]]
            if wordings:
                return Question(kit.rng.choice(wordings), Click(element.point), element.box)
        return None

    def _ways(self, element: Element) -> Iterator[Sequence[str]]:
        """Groups of wordings that mean this element and no other."""
        yield from self._by_label(element)
        yield from self._by_type(element)
        yield from self._by_order(element)
        yield from self._by_look(element)

    def _by_label(self, element: Element) -> Iterator[Sequence[str]]:
        label, noun = element.label.strip(".,"), self._noun(element.kind)
        if element.kind == "close":
            if self._kinds["close"] == 1:
                yield CLOSE
            return
        if label and self._labels[_bare(label)] == 1:
            own = SPECIFIC.get(element.kind, ())
            general = LABELED if element.kind in ("button", "link", "tab") else LABELED[6:9]
            yield [text.format(label=label, noun=noun) for text in (*own, *own, *general)]
            if element.place == "dialog":
                yield [text.format(label=label) for text in IN_DIALOG]
        caption = element.caption
        if caption and self._captions[_bare(caption)] == 1 and element.kind in NOUNS:
            yield [text.format(caption=caption, noun=noun) for text in CAPTIONED]

    def _by_type(self, element: Element) -> Iterator[Sequence[str]]:
        if element.kind in UNTITLED or element.kind in ("icon", "shape", "character", "close"):
            return
        widget = element.kind in ("radio", "checkbox", "text", "textarea", "button")
        if self._kinds[element.kind] == 1 or (widget and self._kit.chance(0.4)):
            noun = self._noun(element.kind)
            forms = TYPED_FIELD if element.kind in ("text", "textarea") else TYPED
            forms = TYPED[:1] if self._kinds[element.kind] > 1 else (*forms, TYPED[0])
            yield [text.format(noun=noun) for text in forms]

    def _by_order(self, element: Element) -> Iterator[Sequence[str]]:
        if element.kind in UNTITLED or element.kind in ("shape", "character", "close"):
            return
        peers = [e for e in self._elements if e.kind == element.kind]
        if not 2 <= len(peers) <= len(ORDINALS) or not _in_a_row(peers):
            return
        place = peers.index(element)
        forms = NTH_FIELD if element.kind == "text" else NTH
        noun = self._noun(element.kind)
        nth = self._kit.rng.choice((ORDINALS[place], NUMERALS[place]))
        if place == len(peers) - 1 and self._kit.chance(0.3):
            nth = "last"
        yield [text.format(nth=nth, noun=noun) for text in forms]

    def _by_look(self, element: Element) -> Iterator[Sequence[str]]:
        same = [e for e in self._elements if (e.shape, e.color) == (element.shape, element.color)]
        if element.kind == "icon" and len(same) == 1:
            name = self._kit.rng.choice(NICKNAMES.get(element.shape, (element.shape,)))
            yield [f"click the {name} icon", f"the {name} icon", f"Click on the {name} icon."]
        if element.kind == "shape" and len(same) == 1:
            named = f"{element.color} {element.shape}"
            yield [f"click the {named}", f"Click on the {named}.", f"the {named}"]
            for noun, alike in ((element.shape, "shape"), (element.color + " shape", "color")):
                value = getattr(element, alike)
                if sum(getattr(e, alike) == value for e in self._elements) == 1:
                    yield [f"click the {noun}", f"Click on the {noun}."]
        if element.kind in ("spin_up", "spin_down") and self._kinds[element.kind] == 1:
            way = "up" if element.kind == "spin_up" else "down"
            yield [f"click the {way} arrow of the spinner", f"Press the {way} arrow."]

    def _absent(self) -> Question:
        """A question about something that is not on the screen."""
        rng = self._kit.rng
        kind = rng.random()
        if kind < 0.7:
            label = self._missing_label()
            forms = [*LABELED, *SPECIFIC["link"], *SPECIFIC["tab"], *CAPTIONED]
            text = rng.choice(forms).format(
                label=label, caption=label, noun=rng.choice(("button", "link", "tab"))
            )
        elif kind < 0.85:
            missing = [name for name in ICONS if not any(e.shape == name for e in self._elements)]
            text = f"click the {rng.choice(missing)} icon"
        else:
            present = {(e.color, e.shape) for e in self._elements}
            while True:
                pair = (rng.choice(sorted(PALETTE)), rng.choice(SHAPES))
                if pair not in present:
                    break
            text = f"click the {pair[0]} {pair[1]}"
        return Question(text, CallUser(), None)

    def _missing_label(self) -> str:
        while True:
            label = self._kit.words.label()
            if not any(_bare(label) in other or other in _bare(label) for other in self._texts()):
                return label

    def _texts(self) -> list[str]:
        return [*self._labels, *self._captions]

    def _noun(self, kind: str) -> str:
        return self._kit.rng.choice(NOUNS.get(kind, ("",)))


def _bare(label: str) -> str:
    return label.strip(".,:").lower()


def _in_a_row(peers: Sequence[Element]) -> bool:
    """Whether elements follow each other strictly downwards or strictly to the right."""
    pairs = list(pairwise(peers))
    down = all(a.box.bottom <= b.box.top + 1 for a, b in pairs)
    right = all(
        a.box.right <= b.box.left + 1 and abs(a.box.center.y - b.box.center.y) < 4 for a, b in pairs
    )
    return down or right
