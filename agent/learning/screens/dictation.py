"""Questions whose answer is to type something, or to go on where something was typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from actions.space import Action, Type
from agent.learning.samples import Question
from agent.learning.screens.element import Element
from agent.learning.screens.kit import Subject
from agent.learning.screens.relations import direction

FIELDS = ("text", "textarea")
"""Kinds of elements that take text."""

_ALONE = (
    'Enter "{text}" into the text field and press {button}.',
    'Type "{text}" into the box.',
    'Enter "{text}" and click {button}.',
    "Search for {text}.",
    'Use the textbox to enter "{text}" and press "{button}", then find the result.',
    "Write {text} in the text field, then press {button}.",
    "type {text}",
)
_NAMED = (
    'Enter "{text}" into the "{name}" field.',
    "Type {text} in {name} and press {button}.",
    'Fill in {name} with "{text}".',
    'Set the {name} to "{text}".',
    "Enter {text} as the {name} and press {button}.",
)
_NUMBERED = (
    'Enter "{text}" into the {name} input textbox.',
    'Type "{text}" into the {name} text field and press {button}.',
)
_PAIRS = (
    'Enter the {name} "{text}" and the {other} "{then}" into the text fields and press {button}.',
    'Type "{text}" in {name} and "{then}" in {other}.',
    "Fill the form: {name}: {text}, {other}: {then}.",
    "Enter {name} {text} with {other} {then} and press {button}.",
)
_LYING = {
    "right": (
        "Enter the value of {anchor} into the text field and press {button}.",
        'Type what stands to the right of "{anchor}".',
        'What is next to "{anchor}"? Type it into the box.',
    ),
    "below": (
        'Type what stands below "{anchor}".',
        'Enter the text under "{anchor}" into the text field.',
    ),
}
"""For texts that must be read on the screen, by where they stand seen from a known one."""

_SOLVING = (
    "Solve the math problem and type your answer into the textbox. Press submit when done.",
    "Work it out and type what comes out.",
    "Type the right answer.",
)
_EQUATION = "Solve for x and type your answer into the textbox. Press Submit when done."
_SOLVING_ONE = (
    "Solve the {nth} problem.",
    "Type your answer to the {nth} problem.",
    "Type what comes out of {exercise}.",
    "Type your answer to {exercise} into its textbox.",
)

SOLVED = 0.8
"""Share of questions for what an exercise comes to, where there is one."""

SEEN = 0.5
"""Share of questions for such texts, where there are any."""

_ORDINALS = ("first", "second", "third", "fourth", "fifth")


class Dictation:
    """Asks for text to be typed on one screen.

    Args:
        kit: the screen.
        unique: whether a caption tells its element apart.
    """

    def __init__(self, kit: Subject, unique: Callable[[str], bool]) -> None:
        self._kit, self._unique = kit, unique
        self._fields = [e for e in kit.canvas.elements if e.kind in FIELDS]
        named = [e for e in self._fields if e.caption and unique(e.caption)]
        self._named = sorted(named, key=lambda e: (e.box.top, e.box.left))

    def ask(self) -> Question | None:
        """A question, or None on a screen without a field that can be told apart."""
        rng = self._kit.rng
        if any(e.answer for e in self._fields) and self._kit.chance(SOLVED):
            return self._solution()
        if len(self._fields) == 1 and self._kit.chance(SEEN) and (seen := self._seen()):
            return seen
        if len(self._named) > 1 and self._kit.chance(0.5):
            return self._pair(*sorted(rng.sample(self._named, 2), key=self._named.index))
        if self._named and self._kit.chance(0.7):
            field = rng.choice(self._named)
            return self._one(_NAMED, field, field.caption.strip(":. "))
        if len(self._fields) == 1:
            return self._one(_ALONE, self._fields[0], "")
        if 1 < len(self._fields) <= len(_ORDINALS) and len(self._kit.canvas.remains) == 0:
            place = rng.randrange(len(self._fields))
            ordered = sorted(self._fields, key=lambda e: (e.box.top, e.box.left))
            return self._one(_NUMBERED, ordered[place], _ORDINALS[place])
        return None

    def _solution(self) -> Question | None:
        """A question for the answer to an exercise, the only one or one of several."""
        exercises = sorted((e for e in self._fields if e.answer), key=lambda e: e.box.top)
        field = self._kit.rng.choice(exercises)
        place = exercises.index(field)
        alike = [e for e in exercises if e.caption == field.caption]
        if len(exercises) > len(_ORDINALS) or len(alike) > 1:
            return None
        wordings = _SOLVING if len(exercises) == 1 else _SOLVING_ONE
        if len(exercises) == 1 and "=" in field.caption:
            wordings = (_EQUATION, *_SOLVING[1:])
        said = self._say(wordings, nth=_ORDINALS[place], exercise=field.caption)
        return Question(said, Type(field.answer, point=field.point), field.box)

    def _seen(self) -> Question | None:
        """A question for a text that stands right of another one, or below it."""
        labelled = [e for e in self._kit.canvas.elements if e.label]
        for anchor in self._kit.rng.sample(labelled, min(4, len(labelled))):
            others = [e for e in labelled if e is not anchor]
            if not self._unique(anchor.label) or not all(map(str.isalnum, anchor.label.split())):
                continue
            for target in others:
                way = direction(target, anchor, others)
                if way in _LYING:
                    (field,) = self._fields
                    said = self._say(_LYING[way], anchor=anchor.label)
                    return Question(said, Type(target.label, point=field.point), field.box)
        return None

    def _one(self, wordings: Sequence[str], field: Element, name: str) -> Question:
        text = self._text()
        said = self._say(wordings, text=text, name=name)
        return Question(said, Type(text, point=field.point), field.box)

    def _pair(self, field: Element, other: Element) -> Question:
        text, then = self._text(), self._text()
        names = (field.caption.strip(":. "), other.caption.strip(":. "))
        said = self._say(_PAIRS, text=text, name=names[0], then=then, other=names[1])
        first = Type(text, point=field.point)
        if self._kit.chance(0.5):
            return Question(said, first, field.box)
        done: tuple[Action, ...] = (first,)
        return Question(said, Type(then, point=other.point), other.box, done)

    def _say(self, wordings: Sequence[str], **values: str) -> str:
        rng = self._kit.rng
        button = rng.choice(("Submit", "OK", "Search", self._kit.words.short()))
        if self._kit.chance(0.3):
            values = {k: v.lower() if k in ("name", "other") else v for k, v in values.items()}
        return rng.choice(wordings).format(button=button, **values)

    def _text(self) -> str:
        """What people type: names, words, codes, a few words together."""
        rng, words = self._kit.rng, self._kit.words
        kind = rng.random()
        if kind < 0.25:
            return words.name()
        if kind < 0.5:
            return words.code()
        if kind < 0.75:
            return words.label()
        return " ".join(words.running() for _ in range(rng.randint(1, 4)))
