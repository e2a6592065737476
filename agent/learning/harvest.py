"""Screenshots of MiniWoB++ tasks with labels from the DOM: training data, at training time only.

The pictures are, pixel for pixel, those that an agent sees on a display. `labels.js` reads what is
where; this file turns it into questions, the task's own first and then some about other elements.

    python -m agent.learning.harvest --tasks click-test,click-button --count 600 --out DIR
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import track

from actions.space import CallUser, Click
from agent.environments.browser import BrowserError
from agent.environments.display import DisplayError
from agent.environments.miniwob import AREA, Pages, TaskError, task_page
from agent.environments.offscreen import OffscreenMiniWob
from agent.learning.oracles.page import script
from agent.learning.samples import Glyphs, Question, Sample, write_shard
from agent.signals import keyboard_interrupt, on_signals
from vision.geometry import Box, Point

HELD_OUT = frozenset(
    {
        "click-checkboxes-large",
        "click-color",
        "click-tab-2-medium",
        "drag-items",
        "email-inbox-delete",
        "enter-date",
        "form-sequence-2",
        "login-user",
        "multi-orderings",
        "phone-book",
        "unicode-test",
        "use-spinner",
    }
)
"""Tasks that are evaluated and never trained on."""

FIRST_EVALUATION_SEED = 1_000_000_000
"""Seeds from here on are for evaluation; training uses smaller ones."""

SHARD_SIZE = 100
MAX_EXTRA = 6

_ORDINALS = ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th")
_ORDINAL_WORDS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")

_WORDINGS = {
    "button": (
        'Click on the "{}" button.',
        'Click the "{}" button.',
        'Press "{}".',
        "Press the {} button.",
        'Click the button labeled "{}".',
        'Click the button in the dialog box labeled "{}".',
        "Hit {}.",
        "Click button {}.",
    ),
    "close": (
        'Close the dialog box by clicking the "x".',
        'Click the button in the dialog box labeled "x".',
        "Close the dialog.",
        "Dismiss the window.",
    ),
    "tab": (
        "Click on {}.",
        'Switch to the tab "{}".',
        "Open {}.",
        'Select the "{}" tab.',
        "Go to {}.",
    ),
    "link": (
        'Click on the link "{}".',
        'Click the link "{}".',
        'Follow the "{}" link.',
        "Open the link {}.",
        'Click on "{}".',
    ),
    "checkbox": (
        'Click the checkbox "{}".',
        "Check {}.",
        'Tick the box labeled "{}".',
        "Select {}.",
    ),
    "radio": (
        'Click the radio button "{}".',
        "Select {}.",
        "Choose the option {}.",
        'Pick "{}".',
    ),
    "textbox": (
        'Focus into the textbox "{}".',
        'Click into the "{}" field.',
        "Click the text field next to {}.",
    ),
    "word": (
        'Click on the word "{}".',
        'Point at "{}".',
        'Click "{}" in the text.',
        'Find "{}" and click it.',
    ),
}

_ORDINAL_WORDINGS = (
    "Focus into the {} input textbox.",
    "Click into the {} text field.",
    "Click the {} textbox.",
)
_ONLY_WORDINGS = ("Focus into the textbox.", "Click into the text field.", "Click the input box.")
_ABSENT_NAMES = (
    *("Accept", "Apply", "Archive", "Back", "Browse", "Buy", "Checkout", "Confirm", "Continue"),
    *("Copy", "Delete", "Details", "Download", "Edit", "Export", "Filter", "Finish", "Help"),
    *("Home", "Import", "Inbox", "Like", "Login", "Logout", "Menu", "More", "Open", "Pay", "Play"),
    *("Print", "Profile", "Refresh", "Remove", "Rename", "Reply", "Save", "Search", "Send"),
    *("Settings", "Share", "Sign up", "Start", "Stop", "Undo", "Update", "Upload", "View"),
    *("arcu", "dolor", "elit", "justo", "lorem", "magna", "nulla", "quam", "sed", "velit"),
)
_TIDY = re.compile(r"[!-~]([ -~]{0,38}[!-~])?")
_WORD = re.compile(r"[A-Za-z0-9@#$%&+-]{2,}")


class HarvestError(ValueError):
    """This must not become training data, or cannot."""


def harvest(tasks: Sequence[str], seeds: range, folder: Path) -> Iterator[Path]:
    """Write one shard per `SHARD_SIZE` seeds of each task; shards that exist are kept.

    Args:
        tasks: names of tasks, none of them held out.
        seeds: consecutive training seeds, all below `FIRST_EVALUATION_SEED`.
        folder: where the shards go; it is made when missing.

    Yields:
        The path of each shard, old or new.

    Raises:
        HarvestError: a held-out task or an evaluation seed.
        TaskError: an unknown task.
        BrowserError: the browser died; what was written stays, and the next call goes on there.
    """
    allow(tasks, seeds)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        world: OffscreenMiniWob | None = None  # no browser is started when nothing is missing
        for path, task, part in shard_plan(tasks, seeds, folder):
            if not path.exists():
                world = world or held.enter_context(OffscreenMiniWob())
                _write(path, world, task, part)
            yield path


def allow(tasks: Sequence[str], seeds: range) -> None:
    """Refuse what must not become training data.

    Raises:
        HarvestError: a held-out task or an evaluation seed.
        TaskError: an unknown task.
    """
    if forbidden := sorted(HELD_OUT.intersection(tasks)):
        raise HarvestError(f"expected tasks to train on, actually held out: {', '.join(forbidden)}")
    if seeds and seeds[-1] >= FIRST_EVALUATION_SEED:
        raise HarvestError(f"expected seeds < {FIRST_EVALUATION_SEED}, actually up to {seeds[-1]}")
    for task in tasks:
        task_page(task)


def shard_plan(
    tasks: Sequence[str], seeds: range, folder: Path
) -> Iterator[tuple[Path, str, range]]:
    """The file, task and seeds of every shard."""
    for task in tasks:
        for first in seeds[::SHARD_SIZE]:
            part = range(first, min(first + SHARD_SIZE, seeds.stop))
            yield folder / f"{task}-{part.start:09d}-{len(part)}.npz", task, part


def _write(path: Path, world: Pages, task: str, seeds: range) -> None:
    world.task = task
    write_shard(path, (sample(world, seed) for seed in seeds))


def sample(world: Pages, seed: int) -> Sample:
    """The first screen of the world's task with that seed, and all that is known about it.

    Raises:
        TaskError: an unknown task.
        BrowserError: the browser died.
    """
    instruction = world.reset(seed)
    labels = read_labels(world, seed)
    own = [_hit(instruction, labels["target"])] if labels["target"] else []
    return look(world, labels, own, Random(f"{world.task} {seed}"))


def read_labels(world: Pages, seed: int) -> dict[str, Any]:
    """What `labels.js` knows about the page that is shown.

    Raises:
        BrowserError: the browser died.
    """
    arguments = [world.task, seed, AREA.right, AREA.bottom]
    found: dict[str, Any] = world.inspect(lambda page: page.evaluate(_LABELS, arguments))
    return found


def look(world: Pages, labels: dict[str, Any], own: Sequence[Question], random: Random) -> Sample:
    """The screen as it is, with the task's own questions first and then some others."""
    chars = "".join(char for char, _, _ in labels["glyphs"])
    centers = np.array([spot for _, *spot in labels["glyphs"]], np.float32).reshape(-1, 2)
    questions = (*own, *_questions(labels, random))
    return Sample(world.screen.grab().pixels, questions, Glyphs(chars, centers))


def _questions(labels: dict[str, Any], random: Random) -> tuple[Question, ...]:
    """Up to `MAX_EXTRA` questions about what is on the screen."""
    extra = [
        *_about_elements(labels["elements"], random),
        *_about_textboxes(labels["elements"], random),
    ]
    random.shuffle(extra)
    words = list(_about_words(labels["words"], random))
    some_words = random.sample(words, min(2, len(words)))
    chosen = [*extra[: MAX_EXTRA - 1 - len(some_words)], *some_words, _absent(labels, random)]
    return tuple(chosen)


def _about_elements(elements: list[dict[str, Any]], random: Random) -> Iterator[Question]:
    """One question per element whose name is readable and unique on the page."""
    names = Counter(element["text"] for element in elements)
    for element in elements:
        kind, name, box = element["kind"], element["text"], element["box"]
        if kind == "close" or (names[name] == 1 and _TIDY.fullmatch(name)):
            yield _hit(random.choice(_WORDINGS[kind]).format(name), box)


def _about_textboxes(elements: list[dict[str, Any]], random: Random) -> Iterator[Question]:
    """Questions about text fields by their place from the top."""
    boxes = [element["box"] for element in elements if element["kind"] == "textbox"]
    boxes.sort(key=lambda box: (box[1], box[0]))
    if len(boxes) == 1:
        yield _hit(random.choice(_ONLY_WORDINGS), boxes[0])
    elif len(boxes) > 1:
        for box, *names in zip(boxes, _ORDINALS, _ORDINAL_WORDS, strict=False):
            yield _hit(random.choice(_ORDINAL_WORDINGS).format(random.choice(names)), box)


def _about_words(words: list[dict[str, Any]], random: Random) -> Iterator[Question]:
    """One question per word that is on the screen once."""
    names = Counter(word["text"].strip(".,:;?!\"'()") for word in words)
    for word in words:
        name = word["text"].strip(".,:;?!\"'()")
        if names[name] == 1 and _WORD.fullmatch(name):
            yield _hit(random.choice(_WORDINGS["word"]).format(name), word["box"])


def _absent(labels: dict[str, Any], random: Random) -> Question:
    """A question about something that is not there."""
    shown = " ".join(
        entry["text"].lower() for key in ("elements", "words") for entry in labels[key]
    )
    names = [name for name in _ABSENT_NAMES if name.lower() not in shown]
    kind = random.choice(("button", "link", "tab", "checkbox", "word"))
    return Question(random.choice(_WORDINGS[kind]).format(random.choice(names)), CallUser())


def _hit(instruction: str, box: list[float]) -> Question:
    """A click in the middle of the box."""
    target = Box(*box)
    return Question(instruction, Click(Point(*map(int, target.center))), target)


_LABELS = script(Path(__file__).with_name("labels.js"))


def main(
    tasks: Annotated[str, typer.Option(help="Names of tasks, separated by commas.")],
    out: Annotated[Path, typer.Option(help="Folder for the shards.")],
    first_seed: Annotated[int, typer.Option(min=0)] = 0,
    count: Annotated[int, typer.Option(min=1, help="Seeds per task.")] = 600,
) -> None:
    """Harvest labelled screenshots of MiniWoB++ tasks."""
    names = tasks.split(",")
    shards = harvest(names, range(first_seed, first_seed + count), out)
    try:
        with on_signals(keyboard_interrupt):
            for _ in track(shards, "Shards", total=len(names) * -(-count // SHARD_SIZE)):
                pass
    except (HarvestError, TaskError, DisplayError, BrowserError) as error:
        raise SystemExit(f"harvest: {error}") from error


if __name__ == "__main__":
    typer.run(main)
