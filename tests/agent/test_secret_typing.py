"""A secret on its way from a name in the model's words to the keyboard, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from actions.backends.scripted import Kind, ScriptedBackend
from actions.guard import Guard, Permission, Rule
from actions.secrets import SecretStore
from agent.episodes.format import End
from agent.episodes.reader import Episode
from agent.policies.base import Decision, Observation
from agent.policies.scripted import ScriptedPolicy
from agent.run import RunResult, Silent, Task
from agent.session import work
from agent.veil import GREY, Veiled
from vision.capture import Monitor
from vision.frame import Frame
from vision.geometry import Box, Point

BOX = Box(0, 0, 320, 200)
VALUE = 'hunter"2'
TYPE = "Thought: log in\nAction: type(content='{{secret:mail}}')"
DONE = "Thought: t\nAction: finished(content='done')"
YES = Guard((Rule(Permission.ALLOW, "agreed", text="secret"),))


class Form:
    """Eyes on a form that shows in clear what was typed, until enter is pressed."""

    def __init__(self, backend: ScriptedBackend) -> None:
        self.backend = backend

    @property
    def box(self) -> Box:
        return BOX

    def monitors(self) -> tuple[Monitor, ...]:
        return (Monitor(BOX, "form", True),)

    def grab(self, region: Box | None = None) -> Frame:
        image = Image.new("RGB", (320, 200), "white")
        for event in self.backend.events:
            if event.kind is Kind.TEXT:
                ImageDraw.Draw(image).text((100, 90), event.text, "black")
            if event.key == "enter":
                image = Image.new("RGB", (320, 200), "blue")
        return Frame(np.array(image), BOX)


class Watching(ScriptedPolicy):
    """Keeps what it was shown."""

    def __init__(self, *texts: str) -> None:
        super().__init__(texts)
        self.shown: list[Observation] = []

    def decide(self, observation: Observation) -> Decision:
        self.shown.append(observation)
        return super().decide(observation)


def run(folder: Path, *texts: str, guard: Guard = YES) -> tuple[RunResult, Watching, Form]:
    backend = ScriptedBackend(pointer=Point(5, 5))
    form, policy = Form(backend), Watching(*texts)
    secrets = SecretStore(None, {"EYEHAND_SECRET_MAIL": VALUE})
    result = work(
        Task("log in"), policy, form, backend, folder, Silent(), guard=guard, secrets=secrets
    )
    return result, policy, form


def has_ink(frame: Frame) -> bool:
    return bool((frame.pixels[..., 0] < 100).any())


def typed(form: Form) -> list[str]:
    return [event.text for event in form.backend.events if event.kind is Kind.TEXT]


def test_the_keyboard_gets_it_and_nobody_else(tmp_path: Path) -> None:
    echo = f"Thought: it was {VALUE}\nAction: wait()"
    result, policy, form = run(tmp_path / "run", TYPE, echo, DONE)
    assert result.outcome is End.FINISHED
    assert typed(form) == [VALUE]
    assert has_ink(form.grab())  # it is on the screen in clear
    for observation in policy.shown[1:]:
        frames = [observation.frame, *(turn.frame for turn in observation.history if turn.frame)]
        assert not any(map(has_ink, frames))
        assert "hunter" not in observation.history[0].text + observation.history[0].feedback
    written = b"".join(
        path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()
    )
    assert b"hunter" not in written
    assert b"{{secret:mail}}" in written


def test_the_stored_pictures_are_grey_where_it_was_typed(tmp_path: Path) -> None:
    run(tmp_path / "run", TYPE, DONE)
    episode = Episode.open(tmp_path / "run")
    first, second = (episode.frame(step).pixels for step in episode.steps)
    assert (first == 255).all()
    assert (second[85:105, 100:140] == GREY).all()
    assert (second[:60] == 255).all() and (second[140:] == 255).all()


def test_what_comes_after_submitting_is_seen(tmp_path: Path) -> None:
    submit = "Thought: log in\nAction: type(content='{{secret:mail}}\\n')"
    result, policy, _ = run(tmp_path / "run", submit, DONE)
    assert result.outcome is End.FINISHED
    pixels = policy.shown[1].frame.pixels
    assert (pixels[:60] == (0, 0, 255)).all()
    assert (pixels[90:100, 100:140] == GREY).all()


@pytest.mark.parametrize(
    ("guard", "name", "words"),
    [(Guard(), "mail", "did not agree"), (YES, "other", "no secret 'other'")],
)
def test_without_consent_or_value_nothing_is_typed(
    tmp_path: Path, guard: Guard, name: str, words: str
) -> None:
    _, policy, form = run(tmp_path / "run", TYPE.replace("mail", name), DONE, guard=guard)
    assert typed(form) == []
    assert words in policy.shown[1].history[0].feedback


def test_what_appears_late_is_hidden_when_it_appears() -> None:
    backend = ScriptedBackend()
    eyes = Veiled(Form(backend))
    eyes.hide_what_changes_since(eyes.grab())
    assert (eyes.grab().pixels == 255).all()
    backend.type_text("late")
    for _ in range(2):
        assert not has_ink(eyes.grab())


def test_a_veil_covers_its_part_of_a_scaled_and_cut_picture() -> None:
    class Wide(Form):
        def grab(self, region: Box | None = None) -> Frame:
            return Frame(np.zeros((100, 200, 3), np.uint8), Box(-100, 0, 0, 50))

    pixels = Veiled(Wide(ScriptedBackend()), Box(-20, 40, 300, 400)).grab().pixels
    assert (pixels[80:, 160:] == GREY).all()
    assert pixels.sum() == 20 * 40 * 3 * GREY
