"""Loop replay: do the recorded words of the model still lead to the same events?

Every step goes once more through the parser, the coordinate map, the guard and the gestures of the
executor, with a backend that touches nothing: no model, no display, exact. It says nothing about
what a model would decide today (agent replay) or how an application would react (environment
replay).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actions import codec
from actions.dialects import Dialect, DialectError, ParseError, find
from actions.guard import Guard, Permission
from actions.receipt import Outcome
from actions.space import Action, on_points
from agent.episodes.errors import BrokenEpisode
from agent.episodes.format import MANIFEST, Json, StepRecord
from agent.episodes.reader import Episode
from agent.episodes.rehearsal import Refusal, Rehearsal
from agent.episodes.rules import guard_of
from vision.geometry import GeometryError

DENIED = "not allowed: "
"""How the loop begins the receipt of an action that the guard denied."""


@dataclass(frozen=True)
class Difference:
    """One place where the replay does not lead to what was recorded.

    Attributes:
        step: index of the step, -1 for what belongs to none.
        stage: `parser`, `map`, `guard` or `events`.
        expected: what was recorded, one line per thought, action or event.
        actual: what came out now.
    """

    step: int
    stage: str
    expected: tuple[str, ...]
    actual: tuple[str, ...]

    def __str__(self) -> str:
        gone = [f"  - {line}" for line in self.expected if line not in self.actual]
        new = [f"  + {line}" for line in self.actual if line not in self.expected]
        order = [] if gone or new else ["  the same, in another order or number"]
        place = self.stage if self.step < 0 else f"step {self.step}, {self.stage}"
        return "\n".join([f"{place}:", *gone, *new, *order])


@dataclass(frozen=True)
class ReplayReport:
    """What a loop replay found.

    Attributes:
        path: the episode's folder.
        steps: how many steps were replayed.
        withheld: how many of them began behind the parser, since their text holds no secrets.
        differences: every difference, in order; the first one of a step ends that step.
    """

    path: Path
    steps: int
    withheld: int
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Every step led to the recorded actions and events."""
        return not self.differences

    def __str__(self) -> str:
        told = f"{self.path}: {self.steps} steps replayed"
        if self.withheld:
            told += f" ({self.withheld} from their actions on, their text was withheld)"
        if self.ok:
            return f"{told}, all the same"
        lines = "\n".join(str(difference) for difference in self.differences)
        return f"{told}, {len(self.differences)} different (- recorded, + now)\n{lines}"


def replay(path: Path | str, guard: Guard | None = None) -> ReplayReport:
    """Replay an episode through parser, coordinate map, guard and executor gestures.

    Args:
        path: the episode's folder.
        guard: a fresh guard to judge by; None means the recorded rules. Where a rule asks for
            consent, it counts as given.

    Raises:
        EpisodeError: the episode cannot be read, or nobody knows its dialect.
    """
    episode = Episode.open(path)
    try:
        dialect = find(episode.head.dialect)
    except DialectError as error:
        raise BrokenEpisode(f"{episode.path / MANIFEST}: {error}") from error
    guard, rehearsal = guard or guard_of(episode), Rehearsal()
    found = tuple(
        difference
        for step in episode.steps
        if (difference := _replay_step(step, dialect, guard, rehearsal)) is not None
    )
    withheld = sum(step.withheld > 0 for step in episode.steps)
    return ReplayReport(episode.path, len(episode.steps), withheld, found)


class _Different(Exception):
    """Ends a step at its first difference."""

    def __init__(self, stage: str, expected: tuple[str, ...], actual: tuple[str, ...]) -> None:
        super().__init__(stage)
        self.stage, self.expected, self.actual = stage, expected, actual


def _replay_step(
    step: StepRecord, dialect: Dialect, guard: Guard, rehearsal: Rehearsal
) -> Difference | None:
    """The first difference of a step, None when there is none."""
    try:
        actions = _recorded(step) if step.withheld else _parsed(step, dialect)
        _act(step, _mapped(step, actions), guard, rehearsal)
    except _Different as found:
        return Difference(step.index, found.stage, found.expected, found.actual)
    return None


def _recorded(step: StepRecord) -> tuple[Action, ...]:
    """The recorded actions; their own JSON form is checked on the way."""
    try:
        return tuple(codec.from_dict(action) for action in step.actions)
    except codec.CodecError as error:
        raise _Different("parser", lines_of(step.actions), (f"error: {error}",)) from error


def _parsed(step: StepRecord, dialect: Dialect) -> tuple[Action, ...]:
    """What the parser makes of the text now, which must be what it made of it then."""
    then: tuple[str, ...] = ("not a step",)
    if step.error is None:
        then = (f"thought: {step.thought}", *lines_of(step.actions))
    try:
        parsed = dialect.parse(step.text)
    except ParseError as error:
        if step.error is None:
            raise _Different("parser", then, (f"not a step ({error})",)) from error
        return ()
    now = (f"thought: {parsed.thought}", *lines_of(map(codec.to_dict, parsed.actions)))
    if now != then:
        raise _Different("parser", then, now)
    return parsed.actions


def _mapped(step: StepRecord, actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """The actions in screen pixels, as far as they were handed to the executor."""
    mapped: list[Action] = []
    expected = lines_of(step.screen_actions)
    try:
        for action in actions[: len(step.screen_actions)]:
            mapped.append(on_points(action, step.map.restore().to_screen))
    except GeometryError as error:
        actual = (*lines_of(map(codec.to_dict, mapped)), f"error: {error}")
        raise _Different("map", expected, actual) from error
    actual = lines_of(map(codec.to_dict, mapped))
    if actual != expected:
        raise _Different("map", expected, actual)
    return tuple(mapped)


def _act(step: StepRecord, actions: tuple[Action, ...], guard: Guard, rehearsal: Rehearsal) -> None:
    """Judge and play what was performed then; other refusals had their reason on the screen."""
    for action, receipt in zip(actions, step.receipts, strict=False):
        verdict = guard.check(action)
        denied = receipt.outcome == Outcome.REFUSED and receipt.message.startswith(DENIED)
        if receipt.outcome == Outcome.REFUSED and not denied:
            continue
        if denied != (verdict.permission is Permission.DENY):
            told = receipt.message if denied else "allowed"
            raise _Different("guard", (told,), (f"{verdict.permission}: {verdict.reason}",))
        if receipt.outcome == Outcome.FAILED:
            guard.release_all()
            rehearsal.release()
        if receipt.events is not None:
            _play(action, receipt.events, rehearsal)


def _play(action: Action, expected: tuple[str, ...], rehearsal: Rehearsal) -> None:
    """Compare the events of an action with the recorded ones."""
    try:
        actual = rehearsal.perform(action)
    except Refusal as refusal:
        actual = (f"refused: {refusal}",)
    if actual != expected:
        raise _Different("events", expected, actual)


def lines_of(actions: Any) -> tuple[str, ...]:
    """Actions in their JSON form, one per line."""
    return tuple(_line(action) for action in actions)


def _line(action: Json) -> str:
    rest = {name: _plain(value) for name, value in action.items() if name != "type"}
    return f"{action.get('type')} {json.dumps(rest, ensure_ascii=False)}"


def _plain(value: Any) -> Any:
    """The same value, whole numbers as integers: 3 and 3.0 are one coordinate."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
