"""Policies that run in this process, on checkpoint folders with tiny random weights."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actions.space import Action, CallUser, Click, Drag, Finished, Wait, points
from agent.model import checkpoint
from agent.model.engine import Engine
from agent.model.job import Picture
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import (
    BOX_START,
    END,
    embedded_tokenizer,
    instruction_ids,
    screen_ids,
)
from agent.policies.base import Observation, PolicyError, Turn
from agent.policies.chat import Finish, Message, PromptTooLong, Role
from agent.policies.engine_chat import ChatPolicy
from agent.policies.hindsight import effective, vain
from agent.policies.local import LONGEST_INSTRUCTION, EmbeddedPolicy, devices, local_policy
from tests.agent.tiny import tiny_config, tiny_model
from vision.frame import Frame
from vision.geometry import Box, Point
from vision.image import prepare


def a_frame(seed: int = 0, left: int = 0, top: int = 0) -> Frame:
    pixels = np.random.default_rng(seed).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    return Frame(pixels, Box(left, top, left + 90, top + 60))


@pytest.fixture
def embedded(tmp_path: Path) -> Path:
    checkpoint.save(tiny_model(), tmp_path)
    embedded_tokenizer().save(tmp_path)
    return tmp_path


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A folder as Kimi-VL is published: its tokenizer format, its preprocessing, no extra heads."""
    config = tiny_config(pointing=False, stem=False)
    text = replace(config.text, vocab_size=512, max_position_embeddings=1024)
    model = KimiVL(replace(config, text=text, media_placeholder_token_id=256 + 21))
    model.initialize(0)
    checkpoint.save(model.eval(), tmp_path)
    lines = [f"{base64.b64encode(bytes([b])).decode()} {b}" for b in range(256)]
    (tmp_path / "tiktoken.model").write_text("\n".join(lines))
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"in_token_limit": 64, "image_mean": [0.5] * 3, "image_std": [0.5] * 3})
    )
    return tmp_path


def test_the_embedded_policy_decides_on_pixels(embedded: Path) -> None:
    policy = local_policy(embedded)
    assert isinstance(policy, EmbeddedPolicy)
    first = policy.decide(Observation("Click on OK", a_frame(left=-90)))
    assert first.map.screen == (-90, 0, 0, 60)
    assert first.step is not None
    again = policy.decide(Observation("Click on OK", a_frame(left=-90)))
    assert again.text == first.text
    assert again.usage.cached_tokens == again.usage.prompt_tokens
    assert again.timing.total_ms >= again.timing.decode_ms


@pytest.mark.parametrize("kind", ["embedded", "published"])
def test_a_decision_that_nobody_waits_for_ends_within_a_step(
    request: pytest.FixtureRequest, kind: str
) -> None:
    policy, asked, last = local_policy(request.getfixturevalue(kind)), 0, 10_000

    def still_wanted() -> None:
        nonlocal asked
        asked += 1
        if asked == last:
            raise Left

    seen = Observation("press OK", a_frame(), max_tokens=12, check=still_wanted)
    before = policy.decide(seen)
    assert asked > 0
    last, asked = (asked + 1) // 2, 0
    with pytest.raises(Left):
        policy.decide(seen)
    assert asked == last
    last = 10_000
    assert policy.decide(seen).text == before.text


class Left(Exception):
    """Nobody waits."""


def test_an_answer_that_led_nowhere_is_not_given_again(embedded: Path) -> None:
    frame = a_frame()
    tried = 0
    for seed in range(12):
        policy = EmbeddedPolicy(Engine(tiny_model(seed), embedded_tokenizer()), embedded)
        seen = Observation("Click on OK", frame, max_tokens=60)
        answers: list[Action] = []
        while len(answers) < 4:
            decision = policy.decide(seen)
            assert decision.step is not None
            (action,) = decision.step.actions
            if isinstance(action, Finished | CallUser | Wait):
                break
            again = isinstance(action, Click | Drag)
            for earlier in answers:
                if again and isinstance(earlier, Click | Drag):
                    assert points(earlier)[0] != points(action)[0]
                assert again or type(earlier) is not type(action)
            answers.append(action)
            turn = Turn(frame, decision.text, "no visible effect")
            seen = replace(seen, history=(*seen.history, turn))
        tried += len(answers) > 1
    assert tried > 1


def test_on_a_picture_of_one_patch_an_answer_may_be_given_again(embedded: Path) -> None:
    frame = Frame(np.zeros((1, 1, 3), np.uint8), Box(0, 0, 1, 1))
    engine = Engine(tiny_model(), embedded_tokenizer())
    history = (Turn(frame, "Action: click(start_box='(500,500)')", "no visible effect"),)
    prepared = prepare(frame)
    visual = prepared.grid_hw[0] * prepared.grid_hw[1] // 4
    ids = screen_ids(engine.tokenizer, visual) + instruction_ids(engine.tokenizer, "Click on OK")
    script = iter([
        *engine.tokenizer.encode("Action: click(start_box='"), engine.tokenizer.special(BOX_START),
        *engine.tokenizer.encode("')"), engine.tokenizer.special(END),
    ])  # fmt: skip
    (tried,) = vain(Observation("Click on OK", frame, history))
    made = engine.generate(
        ids, [Picture(prepared, frame.digest)], stop=[engine.tokenizer.special(END)],
        choose=lambda _: next(script), avoided=points(tried),
    )  # fmt: skip
    assert made.confidence is not None and 0 < made.confidence <= 1.001


def test_an_answer_counts_as_done_when_any_pixel_changed() -> None:
    one, other = a_frame(1), a_frame(2)
    history = (
        Turn(one, "changed nothing", "no visible effect"),
        Turn(one, "was only hovered over", "no visible effect"),
        Turn(other, "changed much"),
        Turn(one, "was refused while the page moved", "refused", performed=False),
        Turn(None, "from a client without pictures"),
        Turn(None, "that failed there", "failed"),
    )
    seen = Observation("x", one, history)
    assert effective(seen) == [
        "was only hovered over", "changed much", "from a client without pictures",
    ]  # fmt: skip


def test_what_was_copied_counts_as_done_though_no_picture_shows_it() -> None:
    screen, copying = a_frame(1), "Action: hotkey(key='ctrl c')"
    nothing = "no visible effect"
    history = (
        Turn(screen, copying, nothing), Turn(screen, "Action: hotkey(key='ctrl a')", nothing),
        Turn(screen, copying, "refused", performed=False),
    )  # fmt: skip
    assert effective(Observation("x", screen, history)) == [copying]


def test_what_was_answered_on_this_picture_is_in_vain_but_for_waiting() -> None:
    here, there = a_frame(1), a_frame(2)
    click, scroll = "Action: click(start_box='(5,6)')", "Action: scroll(direction='down')"
    history = (
        Turn(here, click), Turn(there, "Action: hotkey(key='a')"), Turn(here, scroll, "nothing"),
        Turn(here, "Action: hotkey(key='b')", "refused", performed=False),
        Turn(here, "Action: wait()"), Turn(here, "no action at all"), Turn(None, click),
    )  # fmt: skip
    found = vain(Observation("x", here, history))
    assert [type(action).__name__ for action in found] == ["Click", "Scroll"]
    assert points(found[0]) == (Point(5, 6),)
    assert vain(Observation("x", a_frame(3), history)) == []


def test_the_weights_are_named_in_the_record(embedded: Path) -> None:
    about = local_policy(embedded).describe()
    assert about["policy"] == "embedded"
    assert len(about["weights"]) == 64


def test_an_instruction_that_is_too_long_is_refused(embedded: Path) -> None:
    policy = local_policy(embedded)
    with pytest.raises(PolicyError, match=f"up to {LONGEST_INSTRUCTION} characters, actually"):
        policy.decide(Observation("x" * 100_000, a_frame()))


def test_a_missing_folder_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"no model in .*eyehand train pointing"):
        local_policy(tmp_path / "nothing")


def test_a_foreign_tokenizer_is_refused(published: Path) -> None:
    (published / "tiktoken.model").unlink()
    embedded_tokenizer().save(published)
    with pytest.raises(PolicyError, match=r"media_pad\|> to be token 277"):
        local_policy(published)


def test_a_folder_without_preprocessing_is_refused(published: Path) -> None:
    (published / "preprocessor_config.json").unlink()
    with pytest.raises(PolicyError, match=r"preprocessor_config\.json cannot be used"):
        local_policy(published)


def test_kimi_vl_answers_chats(published: Path) -> None:
    policy = local_policy(published)
    assert isinstance(policy, ChatPolicy)
    pieces: list[str] = []
    chat = [
        Message(Role.USER, ("one", a_frame(1))),
        Message(Role.USER, (a_frame(2), "two")),
        Message(Role.ASSISTANT, ("three",)),
        Message(Role.USER, ("four",)),
    ]
    reply = policy.chat.complete(
        chat, max_tokens=20, stop=(), seed=None, temperature=0.0, emit=pieces.append
    )
    assert "".join(pieces) == reply.text
    assert reply.usage.completion_tokens <= 20
    warm = policy.chat.complete(
        chat, max_tokens=20, stop=(), seed=7, temperature=1.0, emit=lambda _: None
    )
    same = policy.chat.complete(
        chat, max_tokens=20, stop=(), seed=7, temperature=1.0, emit=lambda _: None
    )
    assert warm.text == same.text
    assert same.usage.cached_tokens == same.usage.prompt_tokens - 1


def test_a_stop_string_ends_the_text_and_is_not_sent(published: Path) -> None:
    policy = local_policy(published)
    assert isinstance(policy, ChatPolicy)
    ask = [Message(Role.USER, ("hello",))]

    def complete(stop: tuple[str, ...], emit: list[str]) -> tuple[str, Finish]:
        reply = policy.chat.complete(  # type: ignore[union-attr]
            ask, max_tokens=40, stop=stop, seed=3, temperature=1.5, emit=emit.append
        )
        return reply.text, reply.finish

    free, _ = complete((), [])
    readable = [c for c in free if c.isprintable() and c != "\ufffd"]
    assert len(readable) > 2, "the random network should write some readable characters"
    stop = readable[2]
    pieces: list[str] = []
    text, finish = complete((stop,), pieces)
    assert (
        text == free[: free.index(stop)].replace("\ufffd", "") or text == free[: free.index(stop)]
    )
    assert "".join(pieces) == text
    assert finish is Finish.STOP


def test_kimi_vl_decides_through_its_own_dialect(published: Path) -> None:
    policy = local_policy(published)
    decision = policy.decide(Observation("Click on OK", a_frame(left=100), max_tokens=5))
    assert decision.map.extent == (1, 1)
    assert decision.map.image == (90, 60)
    assert decision.error is not None  # random weights write no code
    assert policy.describe()["profile"] == "kimi"


def test_decisions_are_held_to_code_and_chats_are_free(published: Path) -> None:
    policy = local_policy(published)
    assert isinstance(policy, ChatPolicy)
    decision = policy.decide(Observation("Click on OK", a_frame(left=100), max_tokens=200))
    assert decision.step is not None and decision.step.actions, decision.error
    reply = policy.chat.complete(
        [Message(Role.USER, ("What is this?",))],
        max_tokens=200, stop=(), seed=1, temperature=1.0, emit=lambda _: None,
    )  # fmt: skip
    assert "## Code:" not in reply.text


def test_a_prompt_longer_than_the_context_is_refused(published: Path) -> None:
    policy = local_policy(published)
    assert isinstance(policy, ChatPolicy)
    with pytest.raises(PromptTooLong, match="prompt tokens, actually"):
        policy.chat.complete(
            [Message(Role.USER, ("long " * 800,))],
            max_tokens=5, stop=(), seed=None, temperature=0.0, emit=lambda _: None,
        )  # fmt: skip


@pytest.mark.parametrize("device", devices())
def test_every_device_of_this_machine_decides_alike(embedded: Path, device: str) -> None:
    """A machine with a GPU runs this on it too."""
    seen = Observation("Click on OK", a_frame())
    assert (
        local_policy(embedded, device).decide(seen).text == local_policy(embedded).decide(seen).text
    )


@pytest.mark.parametrize("device", ["tpu", "cuda:99", ""])
def test_a_device_that_is_not_there_is_refused(embedded: Path, device: str) -> None:
    with pytest.raises(PolicyError, match=r"expected a device of \('cpu'"):
        local_policy(embedded, device)
