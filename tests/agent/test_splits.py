"""Train, validation and test differ in everything that could be learned by heart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations
from typing import TypeVar

import pytest

from agent.learning.evaluate import FIRST_SEED
from agent.learning.grounding import SEED
from agent.learning.harvest import FIRST_EVALUATION_SEED, HELD_OUT, HarvestError, allow
from agent.learning.pages.skins import SKINS
from agent.learning.programs.apps import APPS, THEMES
from agent.learning.screens.fonts import families, installed
from agent.learning.screens.generator import SPLITS, ScreenGenerator
from agent.learning.screens.iconpackages import SOURCES
from agent.learning.screens.vocabulary import of_split

T = TypeVar("T")


def of(things: Iterable[T], key: Callable[[T], object]) -> dict[str, set[object]]:
    """What each split has of things that know their split."""
    found: dict[str, set[object]] = {split: set() for split in SPLITS}
    for thing in things:
        found[thing.split].add(key(thing))  # type: ignore[attr-defined]
    return found


def words(kind: str) -> dict[str, set[object]]:
    return {split: set(of_split(kind, split)) for split in SPLITS}


EVERYTHING: dict[str, dict[str, set[object]]] = {
    "fonts": {split: set(families(split)) for split in SPLITS},
    "font files": {
        split: {file for family in families(split) for file in installed()[family]}
        for split in SPLITS
    },
    **{f"{kind} words": words(kind) for kind in ("interface", "running", "names")},
    "icon sets": of(SOURCES, lambda source: source.package),
    "names of icon sets": of(SOURCES, lambda source: source.title),
    "CSS kits": of(SKINS, lambda skin: skin.package),
    "stylesheets": of(SKINS, lambda skin: skin.title),
    "programs": of(APPS, lambda app: app.title),
    "packages of programs": of(APPS, lambda app: app.package),
    "themes": of(THEMES, lambda theme: tuple(sorted(theme.env.items()))),
    "names of themes": of(THEMES, lambda theme: theme.title),
}


@pytest.mark.parametrize("kind", EVERYTHING)
def test_no_two_splits_share(kind: str) -> None:
    for one, other in combinations(SPLITS, 2):
        assert EVERYTHING[kind][one]
        assert EVERYTHING[kind][other]
        assert not EVERYTHING[kind][one] & EVERYTHING[kind][other]


def test_every_program_has_a_theme_of_its_split() -> None:
    themed = {(theme.toolkit, theme.split) for theme in THEMES}
    assert {(app.toolkit, app.split) for app in APPS} <= themed


def test_the_same_seed_and_number_draw_another_screen_in_each_split() -> None:
    for index in range(5):
        drawn = {
            split: ScreenGenerator(SEED, split=split).sample(index).pixels.tobytes()
            for split in SPLITS
        }
        assert len(set(drawn.values())) == len(SPLITS)


def test_pages_that_judge_are_never_trained_on() -> None:
    assert FIRST_SEED >= FIRST_EVALUATION_SEED
    with pytest.raises(HarvestError, match="expected seeds <"):
        allow(["click-test"], range(FIRST_SEED, FIRST_SEED + 1))
    for task in HELD_OUT:
        with pytest.raises(HarvestError, match="actually held out"):
            allow([task], range(1))
