"""Text editors; what counts is the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from actions.space import Action, Hotkey, Type
from agent.learning.desktop.challenge import Challenge, DesktopTask
from agent.learning.desktop.room import Room
from agent.learning.desktop.words import PEOPLE, THINGS, TOWNS

EDITORS = {
    "l3afpad": (("l3afpad", "apt-get install l3afpad"),),
    "featherpad": (("featherpad", "apt-get install featherpad"),),
}
"""A GTK one and a Qt one."""


def _note(room: Room, random: Random) -> tuple[Path, str]:
    """A file of three lines, and its text."""
    text = "\n".join(random.sample(THINGS, 3)) + "\n"
    file = room.home / "note.txt"
    file.write_text(text, "utf-8")
    return file, text


def append(editor: str, room: Room, random: Random) -> Challenge:
    """Write one more line and save."""
    file, text = _note(room, random)
    line = f"{random.choice(PEOPLE)} lives in {random.choice(TOWNS)}"
    room.start(editor, str(file))
    return Challenge(
        f'Add the line "{line}" at the end of the text and save the file.',
        lambda: file.read_text("utf-8").rstrip("\n") == text + line,
        lambda: iter([Hotkey(("ctrl", "end")), Type(line), Hotkey(("ctrl", "s"))]),
    )


def replace(editor: str, room: Room, random: Random) -> Challenge:
    """Write something else in place of all, and save."""
    file, _ = _note(room, random)
    line = f"Meet {random.choice(PEOPLE)} in {random.choice(TOWNS)}"
    room.start(editor, str(file))

    def oracle() -> Iterator[Action]:
        yield Hotkey(("ctrl", "a"))
        yield Type(line)
        yield Hotkey(("ctrl", "s"))

    return Challenge(
        f'Replace all of the text by "{line}" and save the file.',
        lambda: file.read_text("utf-8").rstrip("\n") == line,
        oracle,
    )


def _with(
    begin: Callable[[str, Room, Random], Challenge], editor: str
) -> Callable[[Room, Random], Challenge]:
    return lambda room, random: begin(editor, room, random)


TASKS = {
    f"{editor}-{begin.__name__}": DesktopTask(needs, _with(begin, editor))
    for editor, needs in EDITORS.items()
    for begin in (append, replace)
}
