"""What may run: declarative rules that allow an action, ask for consent, or deny it.

The first rule that matches decides; an action that no rule matches is allowed. Rules of the user
come before `DEFAULT_RULES`. `GuardError` is a `ValueError`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from actions.codec import CLASSES, NAMES
from actions.keys import UnknownKeyError, canonical
from actions.space import Action, Hotkey, KeyDown, KeyUp, Type, points
from vision.geometry import Box, Point


class GuardError(ValueError):
    """A rule, or a file of rules, is not valid."""


class Permission(StrEnum):
    """What the guard says about an action."""

    ALLOW = "allow"
    ASK = "ask"
    """A human must agree first."""
    DENY = "deny"


@dataclass(frozen=True)
class Verdict:
    """The guard's answer, and the reason to show to the model and to people."""

    permission: Permission
    reason: str = ""


def _check_key_pattern(pattern: str) -> None:
    """Refuse a misspelt key; a pattern with wildcards is taken as it is."""
    if any(char in pattern for char in "*?["):
        return
    try:
        name = canonical(pattern)
    except UnknownKeyError as error:
        raise GuardError(f"keys: {error}") from error
    if name != pattern:
        raise GuardError(f"keys: expected the canonical name {name!r}, actually: {pattern!r}")


Windows = Callable[[Point | None], str]
"""Class and title of the window at a point, or of the one with the keyboard; empty: not known."""


def no_windows(_point: Point | None) -> str:
    """Where windows are not known."""
    return ""


@dataclass(frozen=True)
class Rule:
    """One rule. It matches an action that meets every condition given; at least one is given.

    Attributes:
        permission: what follows from a match.
        reason: one sentence for the model and for people.
        kinds: type names of `actions.codec`; empty means any.
        region: signed screen pixels; one point of the action lies inside. None means anywhere.
        window: a regular expression to be found in the class and title of the window that gets the
            action; None means any window, also where windows are not known.
        keys: patterns (`*`, `?`, `[0-9]`) of canonical key names; each must match a key that is
            pressed by the action or still held by an earlier one. Empty means any. Text that is
            submitted or has a line break presses enter.
        text: a regular expression to be found in the action's text, URL or name; None means any.
    """

    permission: Permission
    reason: str
    kinds: frozenset[str] = frozenset()
    region: Box | None = None
    keys: tuple[str, ...] = ()
    text: str | None = None
    window: str | None = None

    def __post_init__(self) -> None:
        """Refuse what could never match or would match everything by mistake."""
        if not (self.kinds or self.region or self.keys or self.text or self.window):
            raise GuardError("expected at least one of kinds, region, window, keys, text in a rule")
        unknown = sorted(self.kinds - CLASSES.keys())
        if unknown:
            raise GuardError(f"kinds: expected names of {', '.join(CLASSES)}, actually: {unknown}")
        for pattern in self.keys:
            _check_key_pattern(pattern)
        for name, expression in (("text", self.text), ("window", self.window)):
            try:
                re.compile(expression or "")
            except re.error as error:
                raise GuardError(
                    f"{name}: expected a regular expression, actually: {error}"
                ) from error

    @cached_property
    def expression(self) -> re.Pattern[str]:
        """The compiled text pattern."""
        return re.compile(self.text or "")

    def matches(self, action: Action, pressed: frozenset[str], window: Windows) -> bool:
        """Whether every condition holds; `pressed` are the keys of the action and those held."""
        if self.kinds and NAMES[type(action)] not in self.kinds:
            return False
        if self.region and not any(self.region.contains(point) for point in points(action)):
            return False
        if self.keys and not all(_any_matches(pattern, pressed) for pattern in self.keys):
            return False
        if self.window and not re.search(self.window, window(next(iter(points(action)), None))):
            return False
        return self.text is None or any(self.expression.search(text) for text in _texts(action))


_TERMINAL = r"(?i)term\b|terminal|konsole|rxvt|kitty|alacritty|tilix|powershell"

DEFAULT_RULES = (
    Rule(Permission.DENY, "ctrl+alt+delete belongs to the user", keys=("ctrl", "alt", "delete")),
    Rule(
        Permission.DENY,
        "ctrl+alt+backspace can end the desktop session",
        keys=("ctrl", "alt", "backspace"),
    ),
    Rule(
        Permission.DENY,
        "ctrl+alt+F-keys switch to another console",
        keys=("ctrl", "alt", "f[0-9]*"),
    ),
    Rule(
        Permission.DENY,
        "control characters other than newline and tab must not be typed; use a hotkey",
        kinds=frozenset({"type"}),
        text=r"[\x00-\x08\x0b-\x1f\x7f-\x9f]",
    ),
    Rule(
        Permission.ASK,
        "this runs a command in a terminal",
        keys=("enter",),
        window=_TERMINAL,
    ),
    *(
        Rule(
            Permission.ASK,
            "this runs a command in a terminal",
            keys=("ctrl", key),
            window=_TERMINAL,
        )
        for key in "jmo"  # line feed, return, and the shell's "run it and fetch the next"
    ),
    Rule(Permission.ASK, "this types a secret of yours", text=r"\{\{secret:"),
)
"""What every guard refuses or asks about unless a rule before says otherwise."""


@dataclass
class Guard:
    """Judges actions, in screen pixels, in the order in which they are to be performed.

    It remembers which keys `KeyDown` left pressed, so that a combination cannot be assembled from
    single presses. Not thread-safe: one guard per episode.

    Attributes:
        rules: the first match decides.
        held: canonical names of the keys that are held.
        window: tells which window an action goes to.
    """

    rules: tuple[Rule, ...] = DEFAULT_RULES
    held: set[str] = field(default_factory=set)
    window: Windows = no_windows

    def check(self, action: Action) -> Verdict:
        """What may happen with this action; unless it is denied it counts as performed."""
        pressed = frozenset(self.held | _keys(action))
        verdict = Verdict(Permission.ALLOW)
        for rule in self.rules:
            if rule.matches(action, pressed, self.window):
                verdict = Verdict(rule.permission, rule.reason)
                break
        if verdict.permission != Permission.DENY:
            if isinstance(action, KeyDown):
                self.held |= _keys(action)
            elif isinstance(action, KeyUp):
                self.held.discard(canonical(action.key))
        return verdict

    def release_all(self) -> None:
        """Forget held keys; call it when the backend has released them."""
        self.held.clear()

    @classmethod
    def load(cls, path: Path) -> Guard:
        """A guard from a TOML file of `[[rule]]` tables, followed by the default rules.

            [[rule]]
            permission = "ask"
            reason = "buying needs consent"
            kinds = ["click"]
            region = [0, 900, 400, 1000]

        `defaults = false` at the top leaves the default rules out.

        Raises:
            GuardError: the file cannot be read or is not valid; all faults at once.
        """
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise GuardError(
                f"expected a TOML file of rules at {path}, actually: {error}"
            ) from error
        faults = [f"unknown key {key}" for key in data if key not in ("rule", "defaults")]
        defaults, tables = data.get("defaults", True), data.get("rule", [])
        if not isinstance(defaults, bool):
            faults.append(f"defaults: expected true or false, actually: {defaults!r}")
        if not isinstance(tables, list):
            faults.append("rule: expected tables written as [[rule]]")
            tables = []
        rules = []
        for number, table in enumerate(tables, start=1):
            try:
                rules.append(_read_rule(table))
            except GuardError as error:
                faults.append(f"rule {number}: {error}")
        if faults:
            raise GuardError(f"{path}: " + "; ".join(faults))
        return cls((*rules, *(DEFAULT_RULES if defaults else ())))


_FIELDS = frozenset({"permission", "reason", "kinds", "region", "window", "keys", "text"})


def _read_rule(table: Mapping[str, Any]) -> Rule:
    """One rule from its TOML table."""
    if not isinstance(table, Mapping):
        raise GuardError(f"expected a table, actually: {table!r}")
    unknown = sorted(table.keys() - _FIELDS)
    if unknown:
        raise GuardError(f"unknown keys: {', '.join(unknown)}")
    permission, reason = table.get("permission"), table.get("reason")
    if permission not in list(Permission):
        raise GuardError(f"permission: expected allow, ask or deny, actually: {permission!r}")
    if not isinstance(reason, str) or not reason:
        raise GuardError(f"reason: expected a sentence, actually: {reason!r}")
    text, window = (_expression(table, name) for name in ("text", "window"))
    kinds, keys = (_strings(table, name) for name in ("kinds", "keys"))
    region = _region(table)
    return Rule(Permission(permission), reason, frozenset(kinds), region, keys, text, window)


def _expression(table: Mapping[str, Any], name: str) -> str | None:
    """A regular expression, None when it is not given."""
    value = table.get(name)
    if value is None or isinstance(value, str):
        return value
    raise GuardError(f"{name}: expected a regular expression, actually: {value!r}")


def _strings(table: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of strings, empty when it is not given."""
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise GuardError(f"{name}: expected a list of strings, actually: {value!r}")
    return tuple(value)


def _region(table: Mapping[str, Any]) -> Box | None:
    """The region [left, top, right, bottom], None when it is not given."""
    value = table.get("region")
    if value is None:
        return None
    if isinstance(value, list) and [type(n) in (int, float) for n in value] == [True] * 4:
        box = Box(*value)
        if box.width > 0 and box.height > 0:
            return box
    raise GuardError(f"region: expected [left, top, right, bottom] in pixels, actually: {value!r}")


def _any_matches(pattern: str, names: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) or name == pattern for name in names)


def _keys(action: Action) -> frozenset[str]:
    """The keys that an action presses, by canonical name."""
    if isinstance(action, Hotkey):
        return frozenset(canonical(key) for key in action.keys)
    if isinstance(action, Type):
        lines = action.submit or "\n" in action.text or "\r" in action.text
        return frozenset({"enter"}) if lines else frozenset()
    return frozenset({canonical(action.key)}) if isinstance(action, KeyDown) else frozenset()


def _texts(action: Action) -> Iterable[str]:
    """The texts that an action carries: what is typed, opened or said."""
    values = (getattr(action, name, None) for name in ("text", "url", "name"))
    return [value for value in values if isinstance(value, str)]
