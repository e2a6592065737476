"""Instructions whose target is not on the screen, the near misses among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agent.learning.screens import wording
from agent.learning.screens.element import Element
from agent.learning.screens.icons import SHAPES
from agent.learning.screens.kit import Subject
from agent.learning.screens.theme import PALETTE

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def missing(kit: Subject, elements: Sequence[Element]) -> str:
    """An instruction that none of the elements answers."""
    makers = (_label, _near_miss, _kind, _ordinal, _icon, _shape)
    while True:
        maker = kit.rng.choices(makers, (5, 3, 2, 2, 2, 2))[0]
        text = maker(kit, elements)
        if text:
            return text


def _label(kit: Subject, elements: Sequence[Element]) -> str:
    """A label that is neither there nor part of one that is."""
    label = kit.words.label()
    return _ask(kit, label) if _unseen(label, kit) else ""


def _near_miss(kit: Subject, elements: Sequence[Element]) -> str:
    """A label of the screen with one or two letters exchanged."""
    labels = [e.label for e in elements if len(e.label) > 3 and e.label.isalpha()]
    if not labels:
        return ""
    letters = list(kit.rng.choice(labels))
    for place in kit.rng.sample(range(len(letters)), kit.rng.randint(1, 2)):
        other = kit.rng.choice(ALPHABET)
        letters[place] = other.upper() if letters[place].isupper() else other
    label = "".join(letters)
    return _ask(kit, label) if _unseen(label, kit) else ""


def _kind(kit: Subject, elements: Sequence[Element]) -> str:
    """A type of widget that the screen does not have."""
    present = {element.kind for element in elements}
    kind = kit.rng.choice(("slider", "textarea", "checkbox", "radio", "select", "link", "tab"))
    noun = kit.rng.choice(wording.NOUNS[kind])
    return "" if kind in present else kit.rng.choice(wording.TYPED).format(noun=noun)


def _ordinal(kit: Subject, elements: Sequence[Element]) -> str:
    """One more than the screen has."""
    counts = Counter(e.kind for e in elements if e.kind in wording.COUNTABLE)
    kinds = [kind for kind, count in sorted(counts.items()) if 1 < count < len(wording.ORDINALS)]
    if not kinds:
        return ""
    kind = kit.rng.choice(kinds)
    place = kit.rng.randrange(counts[kind], len(wording.ORDINALS))
    nth = kit.rng.choice((wording.ORDINALS[place], wording.NUMERALS[place]))
    forms = wording.NTH_FIELD if kind == "text" else wording.NTH
    return kit.rng.choice(forms).format(nth=nth, noun=kit.rng.choice(wording.NOUNS[kind]))


def _icon(kit: Subject, elements: Sequence[Element]) -> str:
    """An icon that is not there; only where it cannot hide in a widget's own drawing."""
    present = {element.shape for element in elements} | OFTEN_DRAWN
    others = [icon for icon in kit.icons.usual if icon not in present]
    icon = kit.rng.choice(others) if others else ""
    if not icon or kit.icons.resembles(icon, present):
        return ""
    name = kit.rng.choice(kit.icons.names(icon))
    return kit.rng.choice(wording.PICTURED).format(name=name)


OFTEN_DRAWN = {"check", "up", "down", "plus", "minus", "folder", "file", "forward", "back"}
"""Icons that widgets contain without being asked for."""


def _shape(kit: Subject, elements: Sequence[Element]) -> str:
    """A coloured shape that is not there, of a colour or a form that may be."""
    shapes = [element for element in elements if element.kind == "shape"]
    colors = [element.color for element in shapes] or sorted(PALETTE)
    color = kit.rng.choice(colors if kit.chance(0.6) else sorted(PALETTE))
    forms = [element.shape for element in shapes] or list(SHAPES)
    form = kit.rng.choice(forms if kit.chance(0.6) else list(SHAPES))
    if any(e.color == color and e.shape == form for e in shapes):
        return ""
    return kit.rng.choice(wording.LOOKS).format(look=f"{color} {form}")


def _ask(kit: Subject, label: str) -> str:
    forms = (*wording.LABELED, *wording.SPECIFIC["link"], *wording.SPECIFIC["tab"])
    if kit.chance(0.25):
        return kit.rng.choice(wording.CAPTIONED).format(caption=label, noun="textbox")
    noun = kit.rng.choice(("button", "link", "tab"))
    return kit.rng.choice(forms).format(label=label, noun=noun)


def _unseen(label: str, kit: Subject) -> bool:
    """Whether a label is written nowhere on the screen, not even in part."""
    texts = [text.lower() for text in kit.canvas.texts]
    return not any(label.lower() in text or text in label.lower() for text in texts if text)
