"""Exercises on generated screens, and the answers that are asked for."""

from __future__ import annotations

import re
from operator import add, mul, sub
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from actions.space import Type
from agent.learning.screens.canvas import Canvas
from agent.learning.screens.iconsets import DRAWN
from agent.learning.screens.kit import Kit
from agent.learning.screens.questions import Questioner
from agent.learning.screens.sums import equation, exercise, sums
from agent.learning.screens.theme import random_theme
from agent.learning.screens.vocabulary import Vocabulary
from vision.geometry import Box

SIGNS = {"+": add, "-": sub, "x": mul}
SEEDS = st.integers(0, 10**6)


def worked_out(one: str, sign: str, other: str) -> int:
    return int(SIGNS[sign](int(one), int(other)))


def drawn(seed: int) -> Kit:
    rng = Random(seed)
    theme = random_theme(rng, "train", plain=True)
    canvas = Canvas(160, 210, theme.page)
    kit = Kit(rng=rng, theme=theme, canvas=canvas, words=Vocabulary(rng, "train"), icons=DRAWN)
    sums(kit, Box(0, 50, 160, 210))
    return kit


def right(caption: str, answer: str) -> bool:
    """Whether that is what an exercise comes to."""
    if "=" not in caption:
        return worked_out(*caption.split()) == int(answer)
    left, total = caption.replace("x", answer).split(" = ")
    return worked_out(*left.split()) == int(total)


@given(SEEDS)
def test_sums_come_out(seed: int) -> None:
    text, answer = exercise(Random(seed))
    assert text.endswith(" =") and right(text[:-2], answer)


@given(SEEDS)
def test_equations_hold(seed: int) -> None:
    assert right(*equation(Random(seed)))


def test_answers_belong_to_the_exercise_that_is_asked_about() -> None:
    kinds = set()
    for seed in range(30):
        kit = drawn(seed)
        exercises = [e for e in kit.canvas.elements if e.answer]
        assert exercises and all(right(e.caption, e.answer) for e in exercises)
        kinds.add(("=" in exercises[0].caption, len(exercises) > 1))
        asked = [q for _, q in Questioner(kit).ask(4)]
        for question in asked:
            if not re.search("problem|comes out|answer", question.instruction):
                continue
            (field,) = [e for e in exercises if e.box == question.box]
            assert isinstance(question.action, Type) and question.action.text == field.answer
            named = re.search(r"out of (.*)\.$|answer to (.*) into", question.instruction)
            assert named is None or field.caption in named.groups()
    assert len(kinds) == 4  # sums and equations, alone and not
