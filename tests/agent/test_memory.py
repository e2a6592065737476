"""The prompt's prefix must stay byte-identical between evictions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.memory import Window, messages
from agent.policies.base import Observation, Turn
from agent.policies.chat import Message, Role
from vision.frame import Frame
from vision.geometry import Box

OPENING = (Message(Role.USER, ("do as you are told: press OK",)),)


def frame(number: int) -> Frame:
    """A frame that is told from others by its pixels."""
    return Frame(np.full((2, 2, 3), number, np.uint8), Box(0, 0, 2, 2))


def run_of(steps: int, feedback: bool = True) -> list[Observation]:
    """The observations of a run, oldest first."""
    turns: list[Turn] = []
    seen = []
    for number in range(steps):
        seen.append(Observation("press OK", frame(number), tuple(turns)))
        told = f"nothing happened {number}" if feedback and number % 2 else ""
        turns.append(Turn(frame(number), f"Action: wait() {number}", told))
    return seen


def flat(chat: tuple[Message, ...]) -> list[tuple[str, str]]:
    """Every part of a prompt in order, as (role, text or picture digest)."""
    return [
        (message.role, part if isinstance(part, str) else part.digest)
        for message in chat
        for part in message.parts
    ]


def pictures(chat: tuple[Message, ...]) -> list[str]:
    """The digests of the pictures in a chat."""
    return [frame.digest for message in chat for frame in message.frames]


def test_first_prompt_is_the_opening_and_the_screen() -> None:
    chat = messages(run_of(1)[0], OPENING)
    assert chat == (*OPENING, Message(Role.USER, chat[-1].parts))
    assert pictures(chat[-1:]) == [frame(0).digest]


def test_feedback_comes_right_before_the_next_screen() -> None:
    chat = messages(run_of(3)[2], OPENING)
    assert chat[-1].parts[0] == "nothing happened 1"
    assert pictures(chat[-1:]) == [frame(2).digest]


def test_pictures_go_and_words_stay() -> None:
    chat = messages(run_of(6)[5], OPENING, window=Window(images=5, block=3))
    words = [message.text for message in chat if message.role == Role.ASSISTANT]
    assert pictures(chat) == [frame(n).digest for n in (3, 4, 5)]
    assert words == [f"Action: wait() {n}" for n in range(5)]


def test_closing_words_come_last_and_are_not_kept() -> None:
    first, second = (messages(seen, OPENING, closing="now act") for seen in run_of(2))
    assert first[-1].parts[-1] == second[-1].parts[-1] == "now act"
    assert sum(part == "now act" for _, part in flat(second)) == 1


def test_history_without_pictures_is_words_only() -> None:
    seen = Observation("x", frame(1), (Turn(None, "Action: wait()"),))
    assert [m.role for m in messages(seen, OPENING)] == [Role.USER, Role.ASSISTANT, Role.USER]


@given(st.integers(1, 6), st.integers(1, 6), st.integers(2, 40), st.booleans())
def test_prefix_only_breaks_at_evictions(
    images: int, block: int, steps: int, feedback: bool
) -> None:
    window = Window(images, min(block, images))
    run = run_of(steps, feedback)
    prompts = [flat(messages(seen, OPENING, window=window)) for seen in run]
    breaks = 0
    for number in range(1, steps):
        before, now = prompts[number - 1], prompts[number]
        if window.evicted(number) == window.evicted(number - 1):
            assert now[: len(before)] == before
        else:
            breaks += 1
    assert breaks == window.evicted(steps - 1) / window.block


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 300))
def test_never_more_pictures_than_the_window(images: int, block: int, turns: int) -> None:
    window = Window(images, min(block, images))
    kept = turns - window.evicted(turns) + 1
    assert max(1, images - window.block + 1) <= kept <= images or kept == turns + 1 <= images


@pytest.mark.parametrize(("images", "block"), [(0, 1), (3, 0), (3, 4)])
def test_impossible_window_is_refused(images: int, block: int) -> None:
    with pytest.raises(ValueError, match="expected 1 <= block <= images"):
        Window(images, block)
