"""POST /v1/responses, with the official client."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from actions.dialects import parse
from actions.space import (
    Action,
    Button,
    CallUser,
    Click,
    Direction,
    Drag,
    Finished,
    Hotkey,
    LongPress,
    Move,
    Scroll,
    Step,
    Type,
    Wait,
)
from agent.policies.base import Decision, Observation, PolicyError
from agent.policies.chat import Finish, Reply, Role
from server.computer import action_of, calls
from server.remembered import Remembered, Said
from server.response_request import CallItem
from tests.server.conftest import TEXT, USAGE, Door, Open, ScriptedChat, ScriptedPolicy, picture
from vision.geometry import CoordinateMap, Point, Size

PREVIEW: Any = {
    "type": "computer_use_preview",
    "display_width": 400,
    "display_height": 300,
    "environment": "linux",
}
COMPUTER: Any = {"type": "computer"}


def deciding(*actions: Action, thought: str = "I think") -> ScriptedPolicy:
    def rule(observation: Observation) -> Decision:
        frame = observation.frame
        space = CoordinateMap(frame.box, Size(frame.width, frame.height))
        return Decision("said", space, Step(thought, actions), usage=USAGE)

    return ScriptedPolicy(rule)


def task(text: str = "press OK", *urls: str) -> Any:
    pictures = [{"type": "input_image", "image_url": url, "detail": "auto"} for url in urls]
    return {"role": "user", "content": [{"type": "input_text", "text": text}, *pictures]}


def seen(call_id: str, url: str) -> Any:
    shot = {"type": "computer_screenshot", "image_url": url}
    return {"type": "computer_call_output", "call_id": call_id, "output": shot}


# Words


def test_text_and_picture_are_answered_in_words(door: Door) -> None:
    answer = door.openai.responses.create(model="any", input=[task("hi", picture(40, 30))])
    assert (answer.output_text, answer.status, answer.model) == (
        TEXT,
        "completed",
        "scripted-model",
    )
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (300, 20)
    assert answer.usage.input_tokens_details.cached_tokens == 200


def test_the_model_gets_instructions_input_and_options(open_door: Open) -> None:
    chat = ScriptedChat()
    door = open_door(chat=chat)
    door.openai.responses.create(
        model="m", instructions="be brief", input="hi", max_output_tokens=9, temperature=0.5
    )
    ((messages, options),) = chat.seen
    assert [(m.role, m.text) for m in messages] == [(Role.SYSTEM, "be brief"), (Role.USER, "hi")]
    assert options == {"max_tokens": 9, "stop": (), "seed": None, "temperature": 0.5}


def test_a_conversation_goes_on_without_sending_it_again(open_door: Open) -> None:
    chat = ScriptedChat()
    client = open_door(chat=chat).openai
    first = client.responses.create(model="m", input=[task("one", picture(40, 30))])
    second = client.responses.create(model="m", input="two", previous_response_id=first.id)
    client.responses.create(model="m", input="three", previous_response_id=second.id)
    told = [(m.role, m.text, len(m.frames)) for m in chat.seen[-1][0]]
    answered = (Role.ASSISTANT, "Hello, world", 0)
    assert told == [
        (Role.USER, "one", 1),
        answered,
        (Role.USER, "two", 0),
        answered,
        (Role.USER, "three", 0),
    ]
    # What UI-TARS does when its window of pictures slides: the gap does not end the conversation.
    client.responses.delete(first.id)
    client.responses.create(model="m", input="four", previous_response_id=second.id)
    assert [m.text for m in chat.seen[-1][0]] == ["two", "Hello, world", "four"]


def test_what_is_not_stored_or_unknown_is_not_found(open_door: Open) -> None:
    client = open_door(chat=ScriptedChat()).openai
    kept = client.responses.create(model="m", input="one", store=False)
    for name in (kept.id, "resp_x"):
        with pytest.raises(openai.NotFoundError) as caught:
            client.responses.create(model="m", input="two", previous_response_id=name)
        assert caught.value.param == "previous_response_id"
        with pytest.raises(openai.NotFoundError):
            client.responses.delete(name)


def test_a_text_streams_with_the_official_clients_events(open_door: Open) -> None:
    client = open_door(chat=ScriptedChat()).openai
    with client.responses.stream(model="m", input="hi") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * 3,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert final.output_text == "Hello, world" and final.status == "completed"


def test_an_answer_that_was_cut_is_incomplete(open_door: Open) -> None:
    class Cut(ScriptedChat):
        def complete(self, messages: Any, *, emit: Any, **options: Any) -> Reply:
            return Reply("", Finish.LENGTH)

    answer = open_door(chat=Cut()).openai.responses.create(model="m", input="x")
    assert answer.status == "incomplete" and answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"


def test_a_failure_in_the_middle_ends_the_stream_as_failed(open_door: Open) -> None:
    class Failing(ScriptedChat):
        def complete(self, messages: Any, *, emit: Any, **options: Any) -> Reply:
            emit("He")
            raise PolicyError("the model is gone")

    stream = open_door(chat=Failing()).openai.responses.create(model="m", input="x", stream=True)
    last = list(stream)[-1]
    assert last.type == "response.failed" and last.response.error is not None
    assert last.response.error.message == "the model is gone"


# Computer use


def test_a_computer_call_is_in_pixels_of_the_screenshot(door: Door) -> None:
    answer = door.openai.responses.create(
        model="any", input=[task("press OK", picture(400, 300))], tools=[PREVIEW], truncation="auto"
    )
    thought, call = answer.output
    assert thought.type == "reasoning" and call.type == "computer_call"
    assert thought.summary[0].text == "the button is in the middle"
    assert call.action is not None and call.action.type == "click"
    assert (call.action.x, call.action.y, call.action.button) == (200, 150, "left")
    assert call.pending_safety_checks == [] and call.status == "completed"


def test_the_newer_tool_gets_all_actions_in_one_call(open_door: Open) -> None:
    policy = deciding(Click(Point(500, 500)), Type("hi", submit=True))
    answer = open_door(policy).openai.responses.create(
        model="m", input=[task("x", picture(400, 300))], tools=[COMPUTER]
    )
    call = answer.output[-1]
    assert call.type == "computer_call" and call.actions is not None
    assert [action.type for action in call.actions] == ["click", "type", "keypress"]


def test_without_a_screenshot_it_is_asked_for(door: Door) -> None:
    client = door.openai
    first = client.responses.create(model="m", input="press OK", tools=[PREVIEW])
    (call,) = first.output
    assert call.type == "computer_call" and call.action is not None
    assert call.action.type == "screenshot"
    second = client.responses.create(
        model="m",
        previous_response_id=first.id,
        tools=[PREVIEW],
        input=[seen(call.call_id, picture(100, 80))],
    )
    done = second.output[-1]
    assert done.type == "computer_call" and done.action is not None and done.action.type == "click"


def test_the_policy_is_reminded_of_what_it_did(open_door: Open) -> None:
    policy = deciding(Click(Point(500, 500)))
    client = open_door(policy).openai
    items: Any = [task("press OK", picture(400, 300))]
    answer = client.responses.create(model="m", input=items, tools=[PREVIEW])
    by_id = [seen("c", picture(400, 301))]
    client.responses.create(model="m", input=by_id, tools=[PREVIEW], previous_response_id=answer.id)
    again = [*items, *(item.model_dump() for item in answer.output), *by_id]
    client.responses.create(model="m", input=again, tools=[PREVIEW])
    _, linked, sent = policy.seen
    for observation in (linked, sent):
        assert observation.instruction == "press OK"
        assert (observation.frame.width, observation.frame.height) == (400, 301)
    assert [turn.text for turn in linked.history] == ["said"]
    (turn,) = sent.history
    step = parse(turn.text, "uitars")
    assert step.thought == "I think" and turn.frame is not None
    (click,) = step.actions
    assert isinstance(click, Click)
    x, y = CoordinateMap(turn.frame.box, Size(400, 300)).to_screen(click.point)
    assert abs(x - 200) <= 1 and abs(y - 150) <= 1


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Finished("42"), "42"),
        (Finished(), "I think"),
        (CallUser("which one?"), "which one?"),
        (LongPress(Point(1, 1)), "said"),
    ],
)
def test_an_end_and_what_the_tool_cannot_say_are_words(
    open_door: Open, action: Action, words: str
) -> None:
    answer = open_door(deciding(action)).openai.responses.create(
        model="m", input=[task("x", picture(40, 30))], tools=[COMPUTER]
    )
    assert answer.output_text == words


def test_a_computer_call_streams_as_whole_items(door: Door) -> None:
    items: Any = [task("x", picture(40, 30))]
    with door.openai.responses.stream(model="m", input=items, tools=[PREVIEW]) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[2:-1] == ["response.output_item.added", "response.output_item.done"] * 2
    assert final.output[-1].type == "computer_call"


@pytest.mark.parametrize(
    "action",
    [
        Click(Point(3, 4)),
        Click(Point(3, 4), Button.RIGHT),
        Click(Point(3, 4), Button.MIDDLE),
        Click(Point(0, 0), count=2),
        Drag(Point(1, 2), Point(3, 4)),
        Move(Point(5, 6)),
        Scroll(Direction.UP, Point(1, 2), 3),
        Scroll(Direction.LEFT, Point(1, 2), 1),
        Hotkey(("ctrl", "c")),
        Type("Grüße"),
        Wait(),
    ],
)
def test_actions_come_back_as_they_went(action: Action) -> None:
    made = calls([action], Point(9, 9))
    assert made is not None
    item = CallItem.model_validate({"type": "computer_call", "actions": made})
    assert item.actions is not None
    assert [action_of(call) for call in item.actions] == [action]


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([{"type": "function_call", "name": "x"}], "input"),
        ([{"type": "computer_call", "action": {"type": "click", "x": 1, "y": 1}}], "screenshot"),
        ([task("x", picture(40, 30)), {"type": "computer_call"}], "screenshot"),
        (
            [
                task("x", picture(40, 30)),
                {"type": "computer_call", "action": {"type": "click", "x": 41, "y": 1}},
            ],
            "outside",
        ),
        ([{"role": "user", "content": [{"type": "input_image", "image_url": "http://x"}]}], "data"),
        ([{"role": "user", "content": [{"type": "input_file"}]}], "input"),
        ([5], "input"),
        ("x" * 500_001, "input"),
    ],
)
def test_faults_are_named(door: Door, items: Any, words: str) -> None:
    answer = door.http.post("/v1/responses", json={"input": items})
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_the_oldest_pictures_are_forgotten_first(open_door: Open) -> None:
    chat = ScriptedChat()
    client = open_door(chat=chat).openai
    client.responses.create(model="m", input=[task("one", picture(40, 30))])
    said = chat.seen[0][0]
    memory = Remembered(pixels=2 * 40 * 30, count=4)
    for number in range(4):
        memory.add(str(number), Said(str(number - 1), said))
    assert sum(len(m.frames) for m in memory.until("3")) == 2
    memory.add("4", Said("3", ()))
    with pytest.raises(Exception, match="no such response"):
        memory.until("0")
