"""The guard's rules in an episode's manifest, so that a replay judges by the same ones."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from actions.guard import Guard, GuardError, Rule
from agent.episodes.errors import BrokenEpisode
from agent.episodes.format import MANIFEST, Json
from agent.episodes.reader import Episode

_RULES = TypeAdapter(tuple[Rule, ...])


def rules_json(rules: Sequence[Rule]) -> tuple[Json, ...]:
    """Each rule as the members that it has in a TOML file."""
    written = _RULES.dump_python(tuple(rules), mode="json")
    return tuple(rule | {"kinds": sorted(rule["kinds"])} for rule in written)


def guard_of(episode: Episode) -> Guard:
    """A fresh guard with the recorded rules; the default ones when none were kept.

    Raises:
        BrokenEpisode: they are no rules.
    """
    if episode.head.rules is None:
        return Guard()
    try:
        return Guard(_RULES.validate_python(episode.head.rules))
    except (ValidationError, GuardError) as error:
        raise BrokenEpisode(f"{episode.path / MANIFEST}, head.rules: {error}") from error
