"""POST /v1/chat/completions and GET /v1/models, mostly through the official client."""

from __future__ import annotations

import json
import time
from typing import Any

import openai
import pytest

from agent.policies.base import Decision, Observation, PolicyError
from agent.policies.chat import PromptTooLong, Role
from tests.server.conftest import (
    CONTEXT,
    TEXT,
    Door,
    Open,
    ScriptedChat,
    ScriptedPolicy,
    picture,
    said,
    shown,
)
from vision.frame import Frame

PROMPT = """You are a GUI agent. You are given a task and your action history, with screenshots.

## Output Format
```Thought: ...
Action: ...```

## Action Space
click(start_box='[x1, y1, x2, y2]')

## Note
- Use English in `Thought` part.

## User Instruction
press OK
"""


def test_models_lists_the_one_that_is_served(door: Door) -> None:
    (model,) = door.openai.models.list().data
    assert (model.id, model.object, model.owned_by) == ("scripted-model", "model", "eyehand")
    assert door.openai.models.retrieve("scripted-model") == model


def test_an_unknown_model_is_not_found(door: Door) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        door.openai.models.retrieve("org/other")
    assert caught.value.param == "model"


def test_a_chat_with_a_screenshot_is_answered_with_an_action(door: Door) -> None:
    answer = door.openai.chat.completions.create(
        model="any", messages=[said("user", PROMPT), shown(picture(400, 300))]
    )
    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content) == ("assistant", TEXT)
    assert choice.finish_reason == "stop"
    assert answer.model == "scripted-model"
    usage = answer.usage
    assert usage is not None and usage.prompt_tokens_details is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (300, 20, 320)
    assert usage.prompt_tokens_details.cached_tokens == 200


def test_the_model_gets_messages_and_options_as_they_were_sent(open_door: Open) -> None:
    chat = ScriptedChat()
    door = open_door(chat=chat)
    door.openai.chat.completions.create(
        model="m",
        messages=[
            said("developer", "be brief"),
            said("user", [{"type": "text", "text": "a"}, *shown(picture(40, 30))["content"]]),
            said("assistant", None),
            said("user", "b"),
        ],
        max_completion_tokens=9,
        stop=["END", "\n\n"],
        seed=3,
        temperature=0.5,
    )
    ((messages, options),) = chat.seen
    roles = [message.role for message in messages]
    assert roles == [Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.USER]
    assert [message.text for message in messages] == ["be brief", "a", "", "b"]
    assert [type(part) for part in messages[1].parts] == [str, Frame]
    assert options == {"max_tokens": 9, "stop": ("END", "\n\n"), "seed": 3, "temperature": 0.5}


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ({}, CONTEXT),
        ({"max_tokens": 65535}, CONTEXT),
        ({"max_tokens": 5}, 5),
        ({"max_tokens": None}, CONTEXT),
        ({"max_tokens": 10**30}, CONTEXT),
    ],
)
def test_max_tokens_is_clamped_to_the_context(
    open_door: Open, asked: dict[str, Any], given: int
) -> None:
    chat = ScriptedChat()
    assert open_door(chat=chat).chat(said("user", "hi"), **asked).status_code == 200
    assert chat.seen[0][1]["max_tokens"] == given


def test_what_the_ui_tars_sdk_sends_is_understood(open_door: Open) -> None:
    policy = ScriptedPolicy()
    first, second = picture(60, 50), picture(80, 70)
    answer = open_door(policy).chat(
        said("user", PROMPT),
        said("assistant", "Thought: forgotten\nAction: wait()"),
        shown(first),
        said("assistant", "Thought: earlier\nAction: wait()"),
        shown(second),
        model="ours",
        stream=False,
        seed=None,
        stop=None,
        frequency_penalty=None,
        presence_penalty=None,
        max_tokens=65535,
        temperature=0,
        top_p=0.7,
        thinking={"type": "disabled"},
    )
    assert answer.json()["choices"][0]["message"]["content"] == TEXT
    (seen,) = policy.seen
    assert seen.instruction == "press OK"
    assert (seen.frame.width, seen.frame.height) == (80, 70)
    assert [turn.text for turn in seen.history] == [
        "Thought: forgotten\nAction: wait()",
        "Thought: earlier\nAction: wait()",
    ]
    assert [turn.frame and turn.frame.width for turn in seen.history] == [None, 60]


@pytest.mark.parametrize(
    ("messages", "instruction"),
    [
        ([said("user", "just do it")], "just do it"),
        ([said("system", "You are a helpful assistant."), said("user", PROMPT)], "press OK"),
        ([said("system", PROMPT)], "press OK"),
        ([said("user", [{"type": "text", "text": PROMPT}])], "press OK"),
        ([said("user", PROMPT), said("user", "a reminder")], "press OK"),
        ([said("user", PROMPT), said("user", PROMPT.replace("OK", "No"))], "press No"),
        ([said("user", "one"), said("user", "two")], "two"),
        ([], ""),
    ],
)
def test_the_instruction_is_found(
    open_door: Open, messages: list[dict[str, Any]], instruction: str
) -> None:
    policy = ScriptedPolicy()
    open_door(policy).chat(*messages, shown(picture(40, 30)))
    assert policy.seen[0].instruction == instruction


def test_a_text_probe_is_answered_with_content(door: Door) -> None:
    answer = door.openai.chat.completions.create(model="m", messages=[said("user", "return 1+1=?")])
    assert answer.id and answer.choices[0].message.content


def test_five_noisy_4k_screenshots_fit(open_door: Open, noise_4k: str) -> None:
    policy = ScriptedPolicy()
    messages = [said("user", PROMPT), *(shown(noise_4k) for _ in range(5))]
    assert open_door(policy).chat(*messages).status_code == 200
    assert (policy.seen[0].frame.width, policy.seen[0].frame.height) == (3840, 2160)


def test_a_stop_string_ends_a_policys_text(door: Door) -> None:
    answer = door.chat(said("user", "x"), shown(picture(40, 30)), stop="\nAction")
    assert answer.json()["choices"][0]["message"]["content"] == TEXT.partition("\nAction")[0]


def test_an_answer_as_long_as_allowed_ended_for_its_length(open_door: Open) -> None:
    door = open_door(ScriptedPolicy())
    answer = door.chat(said("user", "x"), shown(picture(40, 30)), max_tokens=20)
    assert answer.json()["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages.0.content.0"),
        ({"messages": [said("user", "x" * 600_000)]}, "messages"),
        ({"messages": [shown("http://127.0.0.1/x.png")]}, "messages.0.content.0.image_url.url"),
        ({"n": 2}, "n"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": False}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"seed": 2**70}, "seed"),
    ],
)
def test_what_cannot_be_honoured_is_refused(door: Door, change: dict[str, Any], param: str) -> None:
    body = {"messages": [said("user", "x")]} | change
    answer = door.http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_errors_reach_the_official_client_as_its_own(open_door: Open) -> None:
    def failing(observation: Observation) -> Decision:
        raise PromptTooLong("the prompt has 9000 tokens, the context 4096")

    client = open_door(ScriptedPolicy(failing)).openai
    with pytest.raises(openai.BadRequestError, match="9000 tokens") as caught:
        client.chat.completions.create(model="m", messages=[shown(picture(40, 30))])
    assert caught.value.type == "invalid_request_error"


def test_a_stream_brings_every_piece(open_door: Open) -> None:
    client = open_door(chat=ScriptedChat()).openai
    events = list(
        client.chat.completions.create(
            model="m",
            messages=[said("user", "hi")],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    deltas = [event.choices[0].delta for event in events if event.choices]
    assert deltas[0].role == "assistant"
    assert [d.content for d in deltas if d.content] == ["Hello", ", ", "world"]
    assert [e.choices[0].finish_reason for e in events if e.choices][-1] == "stop"
    assert len({event.id for event in events}) == 1
    assert events[-1].choices == []
    assert events[-1].usage is not None and events[-1].usage.total_tokens == 320


def test_a_stream_without_usage_ends_with_done(open_door: Open) -> None:
    answer = open_door(chat=ScriptedChat()).chat(said("user", "hi"), stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in answer.text.split("\n") if line]
    assert lines[-1] == "data: [DONE]"
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert all(event["choices"] for event in events)


def test_a_stream_arrives_while_it_is_written(open_door: Open) -> None:
    written: list[str] = []
    seen: list[str] = []

    def wait_until_seen(piece: str) -> None:
        written.append(piece)
        for _ in range(1000):
            if seen == written:
                return
            time.sleep(0.01)
        raise AssertionError("the client did not see a piece before the next was written")

    client = open_door(chat=ScriptedChat(after=wait_until_seen)).openai
    stream = client.chat.completions.create(model="m", messages=[said("user", "hi")], stream=True)
    for event in stream:
        if event.choices[0].delta.content:
            seen.append(event.choices[0].delta.content)
    assert seen == ["Hello", ", ", "world"]


def test_a_failure_before_the_first_piece_has_its_status(open_door: Open) -> None:
    def failing(observation: Observation) -> Decision:
        raise PolicyError("broken")

    door = open_door(ScriptedPolicy(failing))
    answer = door.chat(shown(picture(40, 30)), stream=True)
    assert (answer.status_code, answer.json()["error"]["message"]) == (503, "broken")


def test_a_failure_within_a_stream_is_an_event(open_door: Open) -> None:
    def fail(piece: str) -> None:
        raise PolicyError("broken in the middle")

    client = open_door(chat=ScriptedChat(after=fail)).openai
    with pytest.raises(openai.APIError, match="broken in the middle"):
        list(client.chat.completions.create(model="m", messages=[said("user", "hi")], stream=True))


def test_an_unforeseen_fault_within_a_stream_is_an_event_that_tells_nothing(
    open_door: Open,
) -> None:
    def fail(piece: str) -> None:
        raise RuntimeError("a secret")

    answer = open_door(chat=ScriptedChat(after=fail)).openai.chat.completions.create(
        model="m", messages=[said("user", "hi")], stream=True
    )
    with pytest.raises(openai.APIError, match="its log says where"):
        list(answer)
