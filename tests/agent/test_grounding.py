"""The grounding evaluation counts what it should, and the OCR baseline really reads."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

from rich.console import Console

from actions import dialects
from actions.space import CallUser, Click, Step
from agent.learning.grounding import (
    QUESTIONS,
    SEED,
    Answer,
    Result,
    evaluate_grounding,
    evaluate_samples,
    of_shards,
    to_rich,
)
from agent.learning.samples import Question, Takes, write_shard
from agent.learning.screens.generator import ScreenGenerator
from agent.policies.base import Decision, Observation, Policy
from agent.policies.ocr import OcrPolicy
from vision.frame import Frame
from vision.geometry import Box, CoordinateMap, Size

SIZE = Size(320, 240)


class Oracle(Policy):
    """Knows the right answer to every question, and forgets some."""

    def __init__(self, screens: int, forgetful: bool = False) -> None:
        generator = ScreenGenerator(SEED, SIZE, "test", QUESTIONS)
        samples = [generator.sample(index) for index in range(screens)]
        self._answers = {
            (Frame(s.pixels, Box(0, 0, *SIZE)).digest, q.instruction): q
            for s in samples
            for q in s.questions
        }
        self._forgetful = forgetful

    def decide(self, observation: Observation) -> Decision:
        question = self._answers[observation.frame.digest, observation.instruction]
        action = CallUser() if self._forgetful else question.action
        if not isinstance(action, CallUser):
            assert question.box is not None
            action = Click(question.box.center)
        step = Step("", (action,))
        text = dialects.render(step, "uitars-absolute")
        return Decision(text, CoordinateMap(observation.frame.box, SIZE, SIZE), step=step)

    def describe(self) -> dict[str, str]:
        return {"policy": "forgetful" if self._forgetful else "oracle"}


def test_an_oracle_is_always_right_and_one_that_gives_up_only_where_nothing_is() -> None:
    oracle, forgetful = evaluate_grounding([Oracle(12), Oracle(12, forgetful=True)], SIZE, 12)
    assert oracle.rate("text")[1] > 5
    for takes in ("text", "icon", "look", "relation", "absent"):
        right, asked = oracle.rate(takes)
        assert right == asked
        assert forgetful.rate(takes) == (asked if takes == "absent" else 0, asked)
    assert oracle.absent_f1 == 1
    assert 0 < forgetful.absent_f1 < 1
    console = Console(width=100, file=StringIO())
    console.print(to_rich([oracle, forgetful]))
    assert isinstance(console.file, StringIO)
    assert "reading a label" in console.file.getvalue()
    assert json.loads(json.dumps(oracle.to_json()))["answers"]


def test_shards_are_asked_about_as_screens_are(tmp_path: Path) -> None:
    generator = ScreenGenerator(SEED, SIZE, "test", QUESTIONS)
    noted = [
        replace(sample, questions=tuple(map(noting, sample.questions, kinds)))
        for sample, kinds in map(generator.tagged, range(6))
    ]
    unknown = [replace(question, takes=None) for question in noted[0].questions]
    write_shard(tmp_path / "a.npz", [*noted, replace(noted[0], questions=tuple(unknown))])
    (from_shard,) = evaluate_samples([Oracle(6)], of_shards([tmp_path / "a.npz"]))
    (generated,) = evaluate_grounding([Oracle(6)], SIZE, 6)
    assert [a.takes for a in from_shard.answers] == [a.takes for a in generated.answers]
    assert all(answer.right for answer in from_shard.answers)


def noting(question: Question, takes: Takes) -> Question:
    return replace(question, takes=takes)


def test_f1_without_any_absent_target() -> None:
    assert Result({}, (Answer("text", True, False, 0.1),)).absent_f1 == 0


def test_the_reader_clicks_what_is_written_and_gives_up_on_what_is_not() -> None:
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (320, 120), "white")
    font = ImageFont.truetype("LiberationSans-Regular.ttf", 14)
    draw = ImageDraw.Draw(picture)
    draw.text((20, 20), "Cancel", "black", font)
    draw.text((200, 80), "Submit order", "black", font)
    policy = OcrPolicy()
    frame = Frame.of_image(picture)
    decision = policy.decide(Observation('Click on "Submit order".', frame))
    assert decision.step is not None
    (click,) = decision.step.actions
    assert isinstance(click, Click)
    assert Box(200, 80, 290, 100).contains(decision.map.to_screen(click.point))
    decision = policy.decide(Observation("Please press order now", frame))
    assert decision.step is not None
    (click,) = decision.step.actions
    assert isinstance(click, Click)
    assert Box(245, 80, 290, 100).contains(decision.map.to_screen(click.point))
    absent = policy.decide(Observation('Click on "Weather".', frame)).step
    assert absent == Step("", (CallUser(),))
