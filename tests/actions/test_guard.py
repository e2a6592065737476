"""What may run: rules match what they say, combinations cannot be smuggled in piece by piece."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from actions.guard import DEFAULT_RULES, Guard, GuardError, Permission, Rule, Verdict
from actions.space import (
    Action,
    Click,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    KeyUp,
    Navigate,
    Type,
    Wait,
)
from tests.actions.action_strategies import ACTIONS
from vision.geometry import Box, Point

DENIED = [
    Hotkey(("ctrl", "alt", "delete")),
    Hotkey(("alt", "ctrl", "shift", "delete")),
    Hotkey(("Control", "Alt", "Del")),
    Hotkey(("ctrl", "alt", "backspace")),
    Hotkey(("ctrl", "alt", "f1")),
    Hotkey(("ctrl", "alt", "f12")),
    Type("\x1b[A"),
    Type("a\x00b"),
    Type("a\rb"),
    Type("\x7f"),
    Type("\x9b"),
]
ALLOWED = [
    Hotkey(("ctrl", "alt", "f")),
    Hotkey(("ctrl", "alt", "t")),
    Hotkey(("alt", "f4")),
    Hotkey(("delete",)),
    Type("two\nlines\tand a tab, é漢🙂", submit=True),
    Click(Point(0, 0)),
    Wait(),
    Finished("\x1b"),
]


@pytest.mark.parametrize("action", DENIED)
def test_denied_by_default(action: Action) -> None:
    verdict = Guard().check(action)
    assert verdict.permission == Permission.DENY
    assert verdict.reason


@pytest.mark.parametrize("action", ALLOWED)
def test_allowed_by_default(action: Action) -> None:
    assert Guard().check(action) == Verdict(Permission.ALLOW)


def test_a_combination_cannot_be_assembled_from_single_presses() -> None:
    guard = Guard()
    for key in ("ctrl", "alt"):
        assert guard.check(KeyDown(key)).permission == Permission.ALLOW
    assert guard.check(KeyDown("delete")).permission == Permission.DENY
    assert guard.check(Hotkey(("f2",))).permission == Permission.DENY
    assert guard.held == {"ctrl", "alt"}
    guard.check(KeyUp("alt"))
    assert guard.check(KeyDown("delete")).permission == Permission.ALLOW


def test_released_keys_are_forgotten() -> None:
    guard = Guard()
    guard.check(KeyDown("ctrl"))
    guard.check(KeyDown("alt"))
    guard.release_all()
    assert guard.check(Hotkey(("delete",))).permission == Permission.ALLOW


def test_a_key_that_was_asked_for_counts_as_held() -> None:
    ask = Rule(Permission.ASK, "holding keys", kinds=frozenset({"key_down"}))
    guard = Guard((ask, *DEFAULT_RULES))
    assert guard.check(KeyDown("ctrl")).permission == Permission.ASK
    assert guard.check(Hotkey(("alt", "delete"))).permission == Permission.DENY


def test_the_first_matching_rule_decides() -> None:
    corner = Box(-100, 0, 0, 50)
    guard = Guard(
        (
            Rule(Permission.ALLOW, "the corner", kinds=frozenset({"click"}), region=corner),
            Rule(Permission.ASK, "clicks", kinds=frozenset({"click", "drag"})),
            Rule(Permission.DENY, "the bank", text=r"^https://bank\."),
        )
    )
    assert guard.check(Click(Point(-1, 49))) == Verdict(Permission.ALLOW, "the corner")
    assert guard.check(Click(Point(0, 0))) == Verdict(Permission.ASK, "clicks")
    assert guard.check(Drag(Point(-1, 1), Point(5, 5))).permission == Permission.ASK
    assert guard.check(Navigate("https://bank.example")).reason == "the bank"
    assert guard.check(Navigate("https://example")).permission == Permission.ALLOW


def test_a_region_matches_any_point_of_the_action() -> None:
    guard = Guard((Rule(Permission.DENY, "taskbar", region=Box(0, 900, 400, 1000)),))
    assert guard.check(Drag(Point(0, 0), Point(1, 950))).permission == Permission.DENY
    assert guard.check(Type("a", point=Point(399, 999))).permission == Permission.DENY
    assert guard.check(Type("a")).permission == Permission.ALLOW
    assert guard.check(Click(Point(400, 950))).permission == Permission.ALLOW


@given(ACTIONS)
def test_every_action_gets_a_verdict(action: Action) -> None:
    assert Guard().check(action).permission in (Permission.ALLOW, Permission.DENY)


def test_load_puts_the_user_before_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "guard.toml"
    path.write_text(
        """
        [[rule]]
        permission = "ask"
        reason = "buying needs consent"
        kinds = ["click"]
        region = [0, 900, 400, 1000]

        [[rule]]
        permission = "allow"
        reason = "a virtual machine"
        keys = ["ctrl", "alt", "delete"]

        [[rule]]
        permission = "deny"
        reason = "no shell"
        text = "rm -rf"
        """
    )
    guard = Guard.load(path)
    assert guard.check(Click(Point(1, 901))) == Verdict(Permission.ASK, "buying needs consent")
    assert guard.check(Hotkey(("ctrl", "alt", "delete"))).permission == Permission.ALLOW
    assert guard.check(Hotkey(("ctrl", "alt", "f3"))).permission == Permission.DENY
    assert guard.check(Type("sudo rm -rf /")) == Verdict(Permission.DENY, "no shell")
    path.write_text("defaults = false")
    assert Guard.load(path).check(Type("\x1b")).permission == Permission.ALLOW


def test_load_lists_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "guard.toml"
    path.write_text(
        """
        defaults = 1
        colour = "red"
        [[rule]]
        permission = "maybe"
        reason = "x"
        [[rule]]
        permission = "deny"
        reason = "x"
        [[rule]]
        permission = "deny"
        reason = "x"
        kinds = ["clack"]
        [[rule]]
        permission = "deny"
        reason = "x"
        keys = ["control"]
        [[rule]]
        permission = "deny"
        reason = "x"
        region = [1, 2, 3]
        [[rule]]
        permission = "deny"
        reason = "x"
        text = "("
        [[rule]]
        permission = "deny"
        reason = "x"
        key = "ctrl"
        """
    )
    with pytest.raises(GuardError) as caught:
        Guard.load(path)
    message = str(caught.value)
    for fault in (
        "defaults: expected true or false, actually: 1",
        "unknown key colour",
        "rule 1: permission: expected allow, ask or deny, actually: 'maybe'",
        "rule 2: expected at least one of kinds, region, window, keys, text",
        "rule 3: kinds: expected names of click",
        "rule 4: keys: expected the canonical name 'ctrl', actually: 'control'",
        "rule 5: region: expected [left, top, right, bottom]",
        "rule 6: text: expected a regular expression",
        "rule 7: unknown keys: key",
    ):
        assert fault in message


@pytest.mark.parametrize(
    "content",
    [
        b"rule = 3",
        b"rule = [3]",
        b"[[rule",
        b"\xff",
        b'[[rule]]\npermission = "deny"\nreason = ""\ntext = "a"',
        b'[[rule]]\npermission = "deny"\nreason = "x"\ntext = 3',
        b'[[rule]]\npermission = "deny"\nreason = "x"\nkinds = "click"',
        b'[[rule]]\npermission = "deny"\nreason = "x"\nkeys = ["nokey"]',
        b'[[rule]]\npermission = "deny"\nreason = "x"\nregion = [5, 5, 1, 1]',
        b'[[rule]]\npermission = "deny"\nreason = "x"\nregion = 7',
    ],
)
def test_a_broken_file_is_a_guard_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "guard.toml"
    path.write_bytes(content)
    with pytest.raises(GuardError, match=r"guard\.toml"):
        Guard.load(path)


def test_a_missing_file_is_a_guard_error(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="expected a TOML file of rules at"):
        Guard.load(tmp_path / "missing.toml")


TERMINAL = "xfce4-terminal Xfce4-terminal ada@host: ~"


@pytest.mark.parametrize(
    ("action", "window", "expected"),
    [
        (Type("ls", submit=True), TERMINAL, Permission.ASK),
        (Type("ls\n"), TERMINAL, Permission.ASK),
        (Hotkey(("enter",)), "xterm XTerm bash", Permission.ASK),
        (Hotkey(("ctrl", "m")), TERMINAL, Permission.ASK),
        (Hotkey(("ctrl", "j")), TERMINAL, Permission.ASK),
        (Hotkey(("ctrl", "o")), TERMINAL, Permission.ASK),
        (Hotkey(("ctrl", "c")), TERMINAL, Permission.ALLOW),
        (Hotkey(("ctrl", "o")), "gedit Gedit letter.txt", Permission.ALLOW),
        (Type("ls"), TERMINAL, Permission.ALLOW),
        (Type("ls", submit=True), "Navigator firefox How to determine", Permission.ALLOW),
        (Type("ls", submit=True), "", Permission.ALLOW),
        (Type("{{secret:mail}}"), "", Permission.ASK),
    ],
)
def test_what_is_asked_by_default(action: Action, window: str, expected: Permission) -> None:
    assert Guard(window=lambda point: window).check(action).permission is expected


def test_a_rule_may_be_about_the_window_at_a_point(tmp_path: Path) -> None:
    path = tmp_path / "guard.toml"
    path.write_text('[[rule]]\npermission = "deny"\nreason = "mine"\nwindow = "Bank"\n')
    guard = Guard.load(path)
    asked: list[Point | None] = []

    def window(point: Point | None) -> str:
        asked.append(point)
        return "Bank of Somewhere"

    guard.window = window
    assert guard.check(Click(Point(3, 4))).permission is Permission.DENY
    assert guard.check(Hotkey(("a",))).permission is Permission.DENY
    assert asked == [Point(3, 4), None]
    path.write_text('[[rule]]\npermission = "deny"\nreason = "x"\nwindow = "("\n')
    with pytest.raises(GuardError, match="window: expected a regular expression"):
        Guard.load(path)
