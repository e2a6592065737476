"""Typing into the journalling app: what arrives, and how fast, next to xdotool, pynput, PyAutoGUI.

Each rival gets the text in a process of its own, in its default settings, and is timed from the
first to the last key that the app received, so that its start costs it nothing.
"""

from __future__ import annotations

import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import SequenceMatcher
from pathlib import Path
from random import Random

from actions.backends.x11 import X11Backend
from benchmarks._hands_sheet import Sheet
from tests.actions.conftest import Stage, open_stage
from vision.geometry import Size

SCRIPTS = {
    "ASCII": string.ascii_letters + string.digits + string.punctuation + " ",
    "accents": "äöüßéèêçñåøœÄÖÜÉ€",
    "Cyrillic": "абвгдежзиклмнопрстуфхцчшщыэюяАБВГД",
    "CJK": "的一是不了人我在有他这中大来上国日本語かなカナ한국어",
    "Arabic": "ابتثجحخدذرزسشصضطظعغ",
    "emoji": "😀🎉🚀🙈🍕🦊",
    "layout": "\n\t",
}
RIVALS = {
    "xdotool": ["xdotool", "type", "--file", "-"],
    "pynput": [
        sys.executable,
        "-c",
        "import sys; from pynput.keyboard import Controller as C; C().type(sys.stdin.read())",
    ],
    "PyAutoGUI": [
        sys.executable,
        "-c",
        "import sys, pyautogui; pyautogui.write(sys.stdin.read())",
    ],
}
LAYOUTS = ("us", "de", "fr")
COLUMNS = ("layout, text", "ours", *RIVALS)
TARGETED, LONG, BRIEF = 1_000, 10_000, 200
"""Characters: what the target of the throughput speaks of, the longest text, what rivals get."""
_QUIET_SECONDS = 0.3
_LEAST_SECONDS = 5.0
"""Programs that type need that to come up; the texts are short for that reason."""


def mixed(count: int) -> str:
    """Words of every script in turn, `count` characters in all."""
    random, words, length = Random(6), [], 0
    alphabets = list(SCRIPTS.values())
    while length < count:
        word = "".join(random.choices(random.choice(alphabets), k=random.randint(1, 9)))
        words.append(word)
        length += len(word)
    return "".join(words)[:count]


def plain(count: int) -> str:
    """ASCII text."""
    return "".join(Random(7).choices(SCRIPTS["ASCII"], k=count))


def read_back(stage: Stage) -> tuple[str, float]:
    """What was typed, once nothing has come for a while, and the seconds from first to last key."""
    size, since = -1, time.monotonic()
    while time.monotonic() - since < _QUIET_SECONDS:
        time.sleep(0.02)
        if (now := stage.journal.stat().st_size) != size:
            size, since = now, time.monotonic()
    keys = [e for e in stage.received() if e["event"] == "key_down"]
    text = "".join(e["text"] for e in keys).replace("\r", "\n")
    return text, keys[-1]["time"] - keys[0]["time"] if len(keys) > 1 else 0.0


def judged(expected: str, text: str, seconds: float) -> str:
    """Per cent of the characters that arrived in order, and characters per second."""
    if not text:
        return "nothing arrived"
    if text == expected:
        right = 100.0
    else:
        blocks = SequenceMatcher(None, expected, text, autojunk=False).get_matching_blocks()
        right = 100 * sum(block.size for block in blocks) / len(expected)
        right = min(right, 99.9)
    return f"{right:.1f} %  {len(text) / seconds:.0f}/s" if seconds else f"{right:.1f} %"


def measure(sheet: Sheet, seconds: float) -> None:
    """Per layout our text of the target and, beside the rivals, short ones; the longest at last."""
    with opened() as stage:

        def row(layout: str, name: str, text: str, share: float, rivals: bool = False) -> None:
            patience = max(_LEAST_SECONDS, seconds * share)

            def cells() -> list[str]:
                others = RIVALS.values() if rivals else ()
                _set_layout(stage, layout)
                ours = _ours(stage, text, patience)
                return [ours, *(_rival(layout, command, text, patience) for command in others)]

            sheet.row(f"{layout}, {len(text)} {name}", (4 if rivals else 1) * patience, cells)

        for layout in LAYOUTS:
            row(layout, "mixed", mixed(TARGETED), 0.05)
            row(layout, "mixed", mixed(BRIEF), 0.05, rivals=True)
            row(layout, "ASCII", plain(BRIEF), 0.05, rivals=True)
        for layout in LAYOUTS:
            row(layout, "mixed", mixed(LONG), 0.25)


@contextmanager
def opened() -> Iterator[Stage]:
    with (
        tempfile.TemporaryDirectory() as folder,
        open_stage(Path(folder), Size(640, 480)) as stage,
    ):
        yield stage


def _set_layout(stage: Stage, layout: str) -> None:
    subprocess.run(["setxkbmap", layout], env=stage.env, check=True, timeout=_LEAST_SECONDS)


class _Enough(Exception):
    """Leaves typing when its time is over."""


def _ours(stage: Stage, text: str, patience: float) -> str:
    """Typed at most so many seconds; what arrived by then is judged, and said to be a part."""
    stage.received()
    begun = time.monotonic()

    def check() -> None:
        if time.monotonic() - begun > patience:
            raise _Enough

    cut = ""
    with X11Backend(stage.name) as backend:
        try:
            backend.type_text(text, check)
        except _Enough:
            cut = f", cut after {patience:.0f} s"
        spent = time.monotonic() - begun
    arrived = read_back(stage)[0]
    return judged(text[: len(arrived)] if cut else text, arrived, spent) + cut


def _rival(layout: str, command: list[str], text: str, patience: float) -> str:
    """On a display of its own: who remaps key by key keeps the window manager busy for long."""
    with opened() as stage:
        _set_layout(stage, layout)
        try:
            done = subprocess.run(
                command, input=text.encode(), env=stage.env, capture_output=True, timeout=patience
            )
        except subprocess.TimeoutExpired:
            arrived, seconds = read_back(stage)
            return f"{judged(text[: len(arrived)], arrived, seconds)}, cut after {patience:.0f} s"
        arrived, seconds = read_back(stage)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        return f"{judged(text, arrived, 0)}, fails: {(said or ['?'])[-1][:40]}"
    return judged(text, arrived, seconds)
