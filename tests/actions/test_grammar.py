"""Grammars under llguidance's own matcher, on a tokenizer of single bytes."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

from actions.code_grammar import CODE_KINDS
from actions.codec import NAMES
from actions.dialects import RenderError, parse, render
from actions.dialects.errors import DialectError
from actions.grammar import GrammarError, lark_grammar
from actions.space import (
    ENDING,
    Action,
    Click,
    Finished,
    Hotkey,
    OpenApp,
    Scroll,
    Step,
    Type,
    Wait,
    on_points,
)
from tests.actions.action_strategies import ACTIONS
from vision.geometry import Point

END = 256
BOXES = (b"<|box_start|>", b"<|box_end|>")
LABELS = {
    "uitars": b"\nAction: ",
    "uitars-box": b"\nAction: ",
    "opencua": b"\n\n## Code:\n```python\n",
}
DIALECTS = ("uitars", "uitars-box", "opencua")


@dataclass(frozen=True)
class Bytes:
    """A tokenizer with one token per byte, one for the end and two for boxes."""

    tokens: tuple[bytes, ...] = (*(bytes([byte]) for byte in range(256)), b"<end>", *BOXES)
    eos_token_id: int = END
    bos_token_id: int | None = None
    special_token_ids: tuple[int, ...] = (END, END + 1, END + 2)

    def __call__(self, text: bytes) -> list[int]:
        return list(text)


TOKENIZER = LLTokenizer(TokenizerWrapper(Bytes()))


def matcher(dialect: str, kinds: Iterable[type[Action]], **options: bool) -> LLMatcher:
    lark = lark_grammar(dialect, kinds, **options)
    found = LLMatcher(TOKENIZER, LLMatcher.grammar_from_lark(lark))
    assert not found.is_error(), found.get_error()
    return found


MATCHERS = {dialect: matcher(dialect, NAMES) for dialect in DIALECTS}


def walk(state: LLMatcher, dice: random.Random, label: bytes) -> str:
    """A random text of the grammar; the longer it gets, the more it hurries to an end."""
    text = bytearray()
    while True:
        mask = int.from_bytes(state.compute_bitmask(), "little")
        allowed = [token for token in range(257) if mask >> token & 1]
        hurry = dice.random() < 0.05 + len(text) / 200
        if END in allowed and (hurry or allowed == [END]):
            return text.decode()
        if hurry and state.validate_tokens(list(label)) == len(label):
            step = list(label)
        elif hurry and ord("'") in allowed:
            step = [ord("'")]
        else:
            step = [dice.choice([token for token in allowed if token != END])]
        assert state.consume_tokens(step)
        text += bytes(step)


def accepts(state: LLMatcher, text: str) -> bool:
    data = list(text.encode())
    state.reset()
    return (
        state.validate_tokens(data) == len(data)
        and state.consume_tokens(data)
        and (state.is_accepting())
    )


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=150)
@given(seed=st.integers(0, 2**32))
def test_a_random_walk_always_parses(dialect: str, seed: int) -> None:
    state = MATCHERS[dialect]
    state.reset()
    step = parse(walk(state, random.Random(seed), LABELS[dialect]), dialect)
    assert not any(isinstance(action, ENDING) for action in step.actions[:-1])


@pytest.mark.parametrize(
    ("dialect", "kind"),
    [(d, kind) for d in DIALECTS for kind in NAMES if d != "opencua" or kind in CODE_KINDS],
)
def test_a_walk_of_one_kind_gives_that_kind(dialect: str, kind: type[Action]) -> None:
    state = matcher(dialect, [kind])
    for seed in range(8):
        state.reset()
        step = parse(walk(state, random.Random(seed), LABELS[dialect]), dialect)
        assert {type(action) for action in step.actions} == {kind}


def plain(action: Action, dialect: str = "uitars") -> Action:
    """The same action within the grammar: simple numbers, no control characters, ASCII keys."""
    code = dialect == "opencua"

    def value(name: str, value: Any) -> Any:
        if name == "seconds":
            return float(round(value))
        if name in ("text", "url", "name"):
            text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", value) or "a"
            return "".join(c for c in text if c.isprintable() and c != "`") or "a" if code else text
        if name == "keys":
            return tuple(key for key in value if key.isascii()) or ("a",)
        return value if name != "key" or value.isascii() else "a"

    changed = {f.name: value(f.name, getattr(action, f.name)) for f in fields(action)}
    scale = 1000 if code else 1
    return on_points(
        replace(action, **changed), lambda p: Point(round(p.x) / scale, round(p.y) / scale)
    )


line = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="A`"), min_size=1)
thoughts = st.lists(line, max_size=3).map("\n".join)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(actions=st.lists(ACTIONS, min_size=1, max_size=3), thought=thoughts)
def test_what_is_rendered_is_accepted(dialect: str, actions: list[Action], thought: str) -> None:
    try:
        text = render(Step(thought, tuple(plain(a, dialect) for a in actions)), dialect)
    except RenderError:
        return
    assert accepts(MATCHERS[dialect], text), text


@pytest.mark.parametrize(
    "text",
    [
        "Action: click(start_box='(1001,2)')",
        "Action: click(start_box='(-1,2)')",
        "Action: click(start_box='(007,2)')",
        "Action: click(start_box='(1.5,2)')",
        "Action: type(content='it's')",
        "Action: type(content='a\nb')",
        "Action: type(content='')",
        "Action: type(content='\x1b[A')",
        "Action: type(content='a\\')",
        "Action: hotkey(key='hyper x')",
        "Action: press(key='ctrl c')",
        "Action: finished()\n\nwait()",
        "Action: ",
        "Thought: no action",
        "Thought: one\nAction:click(start_box='(1,1)')\nAction: wait()",
        "Thought: one\n Action: nonsense(\nAction: wait()",
    ],
)
def test_what_must_not_be_written_is_rejected(text: str) -> None:
    assert not accepts(MATCHERS["uitars"], text)


FENCED = "## Code:\n```python\n{}\n```"


@pytest.mark.parametrize(
    "code",
    [
        "pyautogui.click(x=1.5, y=0.2)",
        "pyautogui.click(x=-0.5, y=0.2)",
        "pyautogui.click(x=0.5, y=0.2); import os",
        "import os",
        "pyautogui.write(message='it's')",
        "pyautogui.write(message='')",
        "pyautogui.write(message='```')",
        "pyautogui.write(message=open('x'))",
        "pyautogui.dragTo(x=0.5, y=0.5, button='left')",
        "computer.terminate(status='success')\ncomputer.wait()",
        "",
    ],
)
def test_code_that_must_not_be_written_is_rejected(code: str) -> None:
    assert not accepts(MATCHERS["opencua"], FENCED.format(code))


def test_code_with_a_thought_is_accepted() -> None:
    code = FENCED.format("pyautogui.click(x=0.5, y=1.0)\ncomputer.terminate(status='success')")
    assert accepts(MATCHERS["opencua"], f"## Thought:\nPress it.\n\nNow.\n\n{code}")
    assert not accepts(MATCHERS["opencua"], f"## Thought:\n```\n\n{code}")
    assert accepts(
        matcher("opencua", [Click], brief=True), FENCED.format("pyautogui.click(x=0, y=1)")
    )


def test_only_the_wanted_kinds_can_be_written() -> None:
    state = matcher("uitars", [Click, Finished])
    assert accepts(state, "Thought: a\n\nb\nAction: left_double(start_box='(0,1000)')")
    assert accepts(state, "Action: click(start_box='(1,2)')\n\nfinished(content='ok')")
    assert not accepts(state, "Action: wait()")
    assert not accepts(state, "Action: type(content='a')")


def test_several_kinds_in_one_step() -> None:
    step = Step("", (Type("a'b\\", submit=True), Hotkey(("ctrl", "'", "\\")), Wait(2.0)))
    assert accepts(MATCHERS["uitars"], render(step))
    assert accepts(matcher("uitars-box", [Scroll]), "Action: scroll(direction='left')")


def test_a_brief_step_is_one_action_without_a_thought() -> None:
    state = matcher("uitars", [Click, Finished], brief=True)
    assert accepts(state, "Action: click(start_box='(1,2)')")
    assert accepts(state, "Action: finished()")
    assert not accepts(state, "Action: click(start_box='(1,2)')\n\nfinished()")
    assert not accepts(state, "Thought: a\nAction: finished()")


@pytest.mark.parametrize("brief", [True, False])
def test_box_tokens_may_be_special(brief: bool) -> None:
    state = matcher("uitars-box", [Click, Type], brief=brief, special=True)
    opening, closing = END + 1, END + 2
    numbers, head = list(b"(1000,0)"), list(b"Action: click(start_box='")
    tokens = [*head, opening, *numbers, closing, *b"')"]
    state.reset()
    assert state.consume_tokens(tokens)
    assert state.is_accepting()
    text = b"".join(Bytes().tokens[token] for token in tokens).decode()
    assert not accepts(state, text), "their names are ordinary text, and no boxes"
    assert accepts(state, "Action: type(content='<|box_start|>')")


def test_no_grammar_without_kinds_or_for_other_dialects() -> None:
    with pytest.raises(GrammarError, match="at least one kind"):
        lark_grammar("uitars", [])
    with pytest.raises(GrammarError, match="at least one kind"):
        lark_grammar("opencua", [OpenApp])
    for dialect in ("opencua-absolute", "uitars-xml", "uitars-omni", "uitars-absolute"):
        with pytest.raises(GrammarError, match="uitars, uitars-box or opencua"):
            lark_grammar(dialect, [Click])
    with pytest.raises(DialectError, match="expected a dialect of"):
        lark_grammar("klingon", [Click])
