"""Dialogs of yad, a GTK program whose answer is its output and its exit status."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from random import Random

from actions.space import Action, Hotkey, Type
from agent.learning.desktop.challenge import Challenge, DesktopTask
from agent.learning.desktop.room import Room
from agent.learning.desktop.words import PEOPLE, THINGS, TOWNS

NEEDS = (("yad", "apt-get install yad"),)

OPTIONS = ("yad", "--title=Eyehand", "--width=360", "--height=260", "--fixed")
"""Of every dialog; --fixed keeps it where openbox puts it."""


def press(*keys: str) -> Iterator[Action]:
    """Each key by itself."""
    return (Hotkey((key,)) for key in keys)


def answer(room: Room, random: Random) -> Challenge:
    """A question with three buttons."""
    labels = random.sample(("Keep", "Delete", "Later", "Rename", "Archive", "Print"), 3)
    wanted = random.randrange(3)
    buttons = [f"--button={label}:{10 + number}" for number, label in enumerate(labels)]
    dialog = room.start(*OPTIONS, "--text=What shall become of the old report?", *buttons)
    return Challenge(
        f'Click on "{labels[wanted]}".',
        lambda: dialog.status == 10 + wanted,
        lambda: press(*["tab"] * wanted, "enter"),
        dialog.ended,
    )


def enter(room: Room, random: Random) -> Challenge:
    """One text field."""
    town = random.choice(TOWNS)
    dialog = room.start(*OPTIONS, "--entry", "--entry-label=Town")
    return Challenge(
        f'Enter "{town}" into the text field and press OK.',
        lambda: (dialog.status, dialog.said()) == (0, town),
        lambda: iter([Type(town, submit=True)]),
        dialog.ended,
    )


def choose(room: Room, random: Random) -> Challenge:
    """A list of which one row is wanted."""
    towns = random.sample(TOWNS, 5)
    wanted = random.randrange(5)
    dialog = room.start(*OPTIONS, "--list", "--column=Town", *towns)
    return Challenge(
        f'Select "{towns[wanted]}" in the list and press OK.',
        lambda: (dialog.status, dialog.said()) == (0, f"{towns[wanted]}|"),
        lambda: press("home", *["down"] * wanted, "enter"),
        dialog.ended,
    )


def tick(room: Room, random: Random) -> Challenge:
    """A list of which two boxes are to be ticked."""
    things = random.sample(THINGS, 5)
    first, second = sorted(random.sample(range(5), 2))
    rows = [word for thing in things for word in ("FALSE", thing)]
    columns = ("--checklist", "--column=Buy", "--column=Thing")
    dialog = room.start(*OPTIONS, "--list", *columns, *rows)
    said = f"TRUE|{things[first]}|\nTRUE|{things[second]}|"
    moves = ["home", *["down"] * first, "space", *["down"] * (second - first), "space"]
    return Challenge(
        f"Tick {things[first]} and {things[second]}, nothing else, and press OK.",
        lambda: (dialog.status, dialog.said()) == (0, said),
        lambda: press(*moves, "tab", "tab", "enter"),
        dialog.ended,
    )


def slide(room: Room, random: Random) -> Challenge:
    """A slider from 0 to 10."""
    start, wanted = random.sample(range(11), 2)
    numbers = ("--min-value=0", "--max-value=10", f"--value={start}")
    dialog = room.start(*OPTIONS, "--scale", *numbers)
    way = ["right" if wanted > start else "left"] * abs(wanted - start)
    return Challenge(
        f"Set the slider to {wanted} and press OK.",
        lambda: (dialog.status, dialog.said()) == (0, str(wanted)),
        lambda: press(*way, "tab", "tab", "enter"),
        dialog.ended,
    )


def date(room: Room, random: Random) -> Challenge:
    """A calendar that shows the right month."""
    month, start, wanted = random.randrange(1, 13), *random.sample(range(1, 29), 2)
    shown = (f"--day={start}", f"--month={month}", "--year=2026", "--date-format=%Y-%m-%d")
    dialog = room.start(*OPTIONS, "--calendar", *shown)
    # Keys begin at the first day that is drawn, which belongs to the month before.
    down, right = divmod(((calendar.weekday(2026, month, 1) + 1) % 7 or 7) + wanted - 1, 7)
    way = ["right"] * (1 + right) + ["down"] * down
    return Challenge(
        f"Choose day {wanted} of the month that is shown and press OK.",
        lambda: (dialog.status, dialog.said()) == (0, f"2026-{month:02}-{wanted:02}"),
        lambda: press(*way, "space", "tab", "tab", "enter"),
        dialog.ended,
    )


def fill(room: Room, random: Random) -> Challenge:
    """A form of two fields and a box."""
    name, town = random.choice(PEOPLE), random.choice(TOWNS)
    fields = ("--field=Name", "--field=Town", "--field=Send me news:CHK")
    dialog = room.start(*OPTIONS, "--form", *fields)

    def oracle() -> Iterator[Action]:
        yield Type(name)
        yield from press("tab")
        yield Type(town)
        yield from press("tab", "space", "tab", "tab", "enter")

    return Challenge(
        f'Enter "{name}" as Name and "{town}" as Town, tick "Send me news" and press OK.',
        lambda: (dialog.status, dialog.said()) == (0, f"{name}|{town}|TRUE|"),
        oracle,
        dialog.ended,
    )


TASKS = {
    f"dialog-{begin.__name__}": DesktopTask(NEEDS, begin)
    for begin in (answer, enter, choose, tick, slide, date, fill)
}
