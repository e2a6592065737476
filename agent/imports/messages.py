"""Chat samples: UI-TARS's SFT messages and LLaMA-Factory's ShareGPT, one conversation per step.

The last answer of a conversation is its step; what was asked before it is what the model saw then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.imports.trajectory import Foreign, Taken, Trajectory, inside, member, rows
from agent.policies.profiles import profile_named

_DIALECT = "uitars"
_PROFILE = "uitars-1.0"
_USER, _ASSISTANT = "user", "assistant"


@dataclass(frozen=True)
class _Talk:
    """One conversation.

    Attributes:
        where: file and line, for messages.
        folder: of the pictures.
        turns: (role, words) in order.
        images: file names, as many as there are places for pictures in the words.
        mark: such a place begins with it.
    """

    where: str
    folder: Path
    turns: tuple[tuple[str, str], ...]
    images: tuple[str, ...]
    mark: str

    def said(self, role: str) -> list[str]:
        """All words of a role."""
        return [words for whose, words in self.turns if whose == role]

    @property
    def instruction(self) -> str:
        """The task out of the prompt that the profile sends; else the user's whole first words."""
        first = next(iter(self.said(_USER)), "")
        asked, mark, _ = first.partition(self.mark)
        asked = asked.removesuffix("\n") if mark else asked
        for message in profile_named(_PROFILE).opening:
            before, marker, after = message.text.partition("{instruction}")
            if marker and asked.startswith(before) and asked.endswith(after):
                return asked[len(before) : len(asked) - len(after)]
        return asked.strip()

    @property
    def feedback(self) -> str:
        """What was told about the step before: it stands before the last picture."""
        return next(reversed(self.said(_USER)), "").partition(self.mark)[0].strip()

    @property
    def step(self) -> Taken:
        """The last answer to the last picture.

        Raises:
            Foreign: one of them is missing.
        """
        answers = self.said(_ASSISTANT)
        if not (answers and self.images):
            raise Foreign(f"{self.where}: there is no {'picture' if answers else 'answer'}")
        return Taken(inside(self.folder, self.images[-1], self.where), answers[-1])


def read_uitars(source: Path) -> Iterator[Trajectory]:
    """Every episode of a file, or of the `train.jsonl` of a folder.

    A conversation with one answer begins an episode; each later one has an answer more.

    Raises:
        Foreign: a line cannot be understood, or is no continuation of the one before.
        OSError: the file cannot be read.
    """
    file = source / "train.jsonl" if source.is_dir() else source
    talks: list[_Talk] = []
    for where, row in rows(file):
        talk = _Talk(
            where, file.parent, _turns(row, where), _images(row, where), "<|vision_start|>"
        )
        answers = len(talk.said(_ASSISTANT))
        if answers == 1 and talks:
            yield _trajectory("uitars", talks)
            talks = []
        if answers != len(talks) + 1:
            raise Foreign(f"{where}: expected answer {len(talks) + 1}, actually: {answers}")
        talks.append(talk)
    if talks:
        yield _trajectory("uitars", talks)


def read_llamafactory(source: Path) -> Iterator[Trajectory]:
    """Every episode of the `train.json` that Eyehand exported.

    A conversation with one picture begins an episode: later ones hold earlier pictures too. Answers
    without a picture between them are one turn there, so they cannot be counted.

    Raises:
        Foreign: the file holds no such conversations.
        OSError: it cannot be read.
    """
    file = source / "train.json" if source.is_dir() else source
    try:
        found = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise Foreign(f"{file} is no JSON: {error}") from error
    if not isinstance(found, list):
        raise Foreign(f"{file}: expected a list, actually: {type(found).__name__}")
    talks: list[_Talk] = []
    for number, row in enumerate(found):
        where = f"{file}, sample {number}"
        if not isinstance(row, dict):
            raise Foreign(f"{where}: expected an object, actually: {type(row).__name__}")
        talk = _Talk(where, file.parent, _turns(row, where), _images(row, where), "<image>")
        if len(talk.images) == 1 and talks:
            yield _trajectory("llamafactory", talks)
            talks = []
        talks.append(talk)
    if talks:
        yield _trajectory("llamafactory", talks)


def _trajectory(form: str, talks: list[_Talk]) -> Trajectory:
    """An episode; each conversation also tells what became of the step before."""
    told = [talk.feedback for talk in talks[1:]] + [""]
    steps = tuple(
        replace(talk.step, feedback=feedback) for talk, feedback in zip(talks, told, strict=True)
    )
    return Trajectory(form, "", talks[0].instruction, _DIALECT, steps)


def _turns(row: dict[str, Any], where: str) -> tuple[tuple[str, str], ...]:
    turns = member(row, "messages", list, where)
    found = (turn if isinstance(turn, dict) else {} for turn in turns)
    return tuple((str(turn.get("role")), member(turn, "content", str, where)) for turn in found)


def _images(row: dict[str, Any], where: str) -> tuple[str, ...]:
    return tuple(str(name) for name in member(row, "images", list, where))
