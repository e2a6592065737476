"""Questions about a screen, each with the one element that answers it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from actions.space import CallUser, Click
from agent.learning.samples import Question, Takes
from agent.learning.screens import wording
from agent.learning.screens.absences import missing
from agent.learning.screens.dictation import Dictation
from agent.learning.screens.element import Element
from agent.learning.screens.kit import Subject
from agent.learning.screens.relations import direction, in_a_row
from vision.geometry import Box

Tagged = tuple[Takes, Question]

ABSENT = 0.1
"""Share of questions whose target is not on the screen."""

TYPED = 0.5
"""Share of questions that ask for text to be typed, where there is a field for it."""

EXERCISED = 0.9
"""The same where there are exercises to be solved."""

LOWER = 0.1
"""Share of labels that the instruction writes in lower case."""


def bare(label: str) -> str:
    """A label as it is compared: without case and final punctuation."""
    return label.strip(".,:").lower()


ALIKE = 2
"""Questions with the same target, at most, where `varied` asks."""


def varied(subject: Subject, count: int, typed: float) -> tuple[Question, ...]:
    """Up to `count` questions about a screen that someone else made, not all about one thing.

    Args:
        subject: the screen.
        count: how many at most.
        typed: share of questions that ask for text to be typed, where there is a field for it.
    """
    targets: Counter[tuple[bool, Box | None]] = Counter()
    chosen: list[Question] = []
    for takes, question in Questioner(subject, typed).ask(3 * count):
        target = (takes == "typing", question.box)
        targets[target] += 1
        if takes == "absent" or targets[target] <= ALIKE:
            chosen.append(replace(question, takes=takes))
    return tuple(chosen[:count])


class Questioner:
    """Asks about the elements of one screen.

    Args:
        kit: the screen; its canvas holds the elements.
        typed: share of questions that ask for text to be typed, where there is a field for it.
    """

    def __init__(self, kit: Subject, typed: float = TYPED) -> None:
        self._kit = kit
        self._elements: Sequence[Element] = kit.canvas.elements
        self._typed = EXERCISED if any(e.answer for e in self._elements) else typed
        # What is half hidden is never the answer, but it can make a question ambiguous.
        self._all = [*kit.canvas.elements, *kit.canvas.remains]
        self._kinds = Counter(element.kind for element in self._all)
        self._labels = Counter(bare(element.label) for element in self._all if element.label)
        self._texts = Counter(bare(text) for text in kit.canvas.texts)
        self._dictation = Dictation(kit, lambda caption: self._texts[bare(caption)] == 1)

    def ask(self, count: int) -> tuple[Tagged, ...]:
        """`count` different questions, each with what it takes; about one in ten has no answer."""
        questions: dict[str, Tagged] = {}
        while len(questions) < count:
            asked = self._tagged()
            questions.setdefault(asked[1].instruction, asked)
        return tuple(questions.values())

    def _tagged(self) -> Tagged:
        dictated = self._dictation.ask() if self._kit.chance(self._typed) else None
        if dictated is not None:
            return "typing", dictated
        present = None if self._kit.chance(ABSENT) else self._present()
        return present or ("absent", Question(missing(self._kit, self._all), CallUser(), None))

    def _present(self) -> Tagged | None:
        """A question about one of the elements, every kind on the screen equally often."""
        kit = self._kit
        kinds = sorted({element.kind for element in self._elements})
        weights = [0.4 if kind in ("word", "cell", "title") else 1.0 for kind in kinds]
        for _ in range(8 if kinds else 0):
            kind = kit.rng.choices(kinds, weights)[0]
            element = kit.rng.choice([e for e in self._elements if e.kind == kind])
            ways = [(takes, kit.rng.choice(group)) for takes, group in self._ways(element)]
            if ways:
                takes, said = kit.rng.choice(ways)
                return takes, Question(said, Click(element.point), element.box)
        return None

    def _ways(self, element: Element) -> Iterator[tuple[Takes, Sequence[str]]]:
        """Groups of wordings that mean this element and no other, and what they take."""
        noun = self._kit.rng.choice(wording.NOUNS.get(element.kind, ("",)))
        named: Takes = "relation" if element.kind in ("icon", "expander") else "text"
        yield from (("text", group) for group in self._by_label(element, noun))
        yield from ((named, group) for group in self._by_caption(element, noun))
        if element.kind in wording.COUNTABLE:
            yield from (("relation", group) for group in self._by_type(element, noun))
            yield from (("relation", group) for group in self._by_order(element, noun))
        yield from (("relation", group) for group in self._by_place(element, noun))
        look: Takes = "icon" if element.kind == "icon" else "look"
        yield from ((look, group) for group in self._by_look(element))

    def _by_label(self, element: Element, noun: str) -> Iterator[Sequence[str]]:
        if element.kind == "close":
            if self._kinds["close"] == 1:
                yield wording.CLOSE
            return
        label = element.label if self._kit.chance(0.5) else element.label.strip(".,")
        if not label or not self._once(label):
            return
        if element.kind in wording.COUNTABLE and self._kit.chance(LOWER):
            label = label.lower()
        own = wording.SPECIFIC.get(element.kind, ())
        common = element.kind in ("button", "link", "tab", "menu")
        forms = (*own, *own, *(wording.LABELED if common else wording.BARE))
        yield [text.format(label=label, noun=noun) for text in forms]
        if element.place == "dialog":
            yield [text.format(label=label) for text in wording.IN_DIALOG]

    def _once(self, label: str) -> bool:
        """Whether a label belongs to one element and is written nowhere else."""
        return self._labels[bare(label)] == 1 and self._texts[bare(label)] <= 1

    def _by_caption(self, element: Element, noun: str) -> Iterator[Sequence[str]]:
        caption = element.caption
        alike = [e for e in self._all if caption and bare(e.caption) == bare(caption)]
        if not caption or self._texts[bare(caption)] > 1:
            return
        if element.kind in ("button", "icon", "link"):
            same = [e for e in alike if (e.kind, e.label, e.shape) == _identity(element)]
            if len(same) == 1:
                yield [
                    text.format(what=self._control(element, noun), caption=caption)
                    for text in wording.IN_ROW
                ]
        elif element.kind == "expander":
            yield [f"expand {caption}", f'Click the box in front of "{caption}".']
        elif len(alike) == 1 and element.kind in wording.NOUNS:
            yield [text.format(caption=caption, noun=noun) for text in wording.CAPTIONED]

    def _control(self, element: Element, noun: str) -> str:
        """What a control in a row is called without its row."""
        if element.kind == "icon":
            return f"{self._kit.rng.choice(self._kit.icons.names(element.shape))} icon"
        return noun if element.kind == "link" else f'"{element.label}" button'

    def _by_type(self, element: Element, noun: str) -> Iterator[Sequence[str]]:
        alone = self._kinds[element.kind] == 1
        forms: Sequence[str] = wording.TYPED[:1]
        if alone and element.kind in ("text", "textarea"):
            forms = (*wording.FOCUS, *wording.TYPED[:1])
        elif alone:
            forms = wording.TYPED
        if alone or (element.kind in wording.WIDGETS and self._kit.chance(0.4)):
            yield [text.format(noun=noun) for text in forms]

    def _by_order(self, element: Element, noun: str) -> Iterator[Sequence[str]]:
        peers = [e for e in self._elements if e.kind == element.kind]
        if len(peers) != self._kinds[element.kind] or not in_a_row(peers):
            return
        if not 2 <= len(peers) <= len(wording.ORDINALS):
            return
        place = peers.index(element)
        nth = self._kit.rng.choice((wording.ORDINALS[place], wording.NUMERALS[place]))
        if element is peers[-1] and self._kit.chance(0.3):
            nth = "last"
        forms = wording.NTH_FIELD if element.kind == "text" else wording.NTH
        yield [text.format(nth=nth, noun=noun) for text in forms]

    def _by_place(self, element: Element, noun: str) -> Iterator[Sequence[str]]:
        placeable = (*wording.COUNTABLE, "shape", "letter", "digit")
        if element.kind not in placeable or self._kit.chance(0.5):
            return
        rng = self._kit.rng
        peers = [e for e in self._all if e.kind == element.kind]
        for anchor in rng.sample(self._elements, min(5, len(self._elements))):
            name = self._name(anchor)
            if anchor is element or not name or bare(anchor.label) == bare(element.caption):
                continue
            way = direction(element, anchor, [peer for peer in peers if peer is not anchor])
            if way:
                where = rng.choice(wording.DIRECTIONS[way])
                yield [text.format(noun=noun, where=where, other=name) for text in wording.BESIDE]
                return

    def _name(self, anchor: Element) -> str:
        """A name that fits this element alone, or ""."""
        if anchor.label and self._once(anchor.label):
            label = anchor.label.strip(".,:")
            return self._kit.rng.choice((f'"{label}"', label))
        if anchor.kind == "shape" and self._alike(anchor, "shape", "color") == 1:
            return f"the {anchor.color} {anchor.shape}"
        if anchor.kind == "icon" and (names := self._icon_names(anchor)):
            return f"the {self._kit.rng.choice(names)} icon"
        return ""

    def _by_look(self, element: Element) -> Iterator[Sequence[str]]:
        if element.kind == "icon" and (names := self._icon_names(element)):
            called = self._kit.rng.choice
            yield [text.format(name=called(names)) for text in wording.PICTURED]
        if element.kind == "swatch":
            yield [text.format(color=element.color) for text in wording.SWATCH]
        if element.kind in ("shape", "letter", "digit"):
            looks = list(self._looks(element))
            if looks:
                look = self._kit.rng.choice(looks)
                yield [text.format(look=look) for text in wording.LOOKS]
        if element.kind in ("spin_up", "spin_down") and self._kinds[element.kind] == 1:
            way = "up" if element.kind == "spin_up" else "down"
            yield [f"click the {way} arrow of the spinner", f"Press the {way} arrow."]

    def _looks(self, element: Element) -> Iterator[str]:
        """Descriptions by size, colour and form that fit this element alone."""
        form = ("kind", "shape") if element.kind == "shape" else ("kind", "label")
        named = getattr(element, form[1])
        for size in ("", element.size):
            for color in ("", element.color):
                for noun, fields in ((named, form), (element.kind, ("kind",)), ("item", ())):
                    words = [word for word in (size, color, noun) if word]
                    used = [*fields, *(["size"] if size else []), *(["color"] if color else [])]
                    if noun and len(words) > (noun == "item") and self._alike(element, *used) == 1:
                        yield " ".join(words)

    def _alike(self, element: Element, *fields: str) -> int:
        """How many elements have the same values of these fields."""
        values = [getattr(element, field) for field in fields]
        return sum([getattr(e, field) for field in fields] == values for e in self._all)

    def _icon_names(self, element: Element) -> list[str]:
        """What an icon is called, as far as that fits no other icon of the screen."""
        if self._alike(element, "shape") > 1:
            return []
        others = {e.shape for e in self._all if e.kind == "icon"} - {element.shape}
        return self._kit.icons.tell_apart(element.shape, others)


def _identity(element: Element) -> tuple[str, str, str]:
    return (element.kind, element.label, element.shape)
