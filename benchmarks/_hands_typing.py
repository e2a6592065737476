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
from difflib import SequenceMatcher
from pathlib import Path
from random import Random

from rich.table import Table

from actions.backends.x11 import X11Backend
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
_QUIET_SECONDS = 2.0
_RIVAL_SECONDS = 120


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
        time.sleep(0.05)
        if (now := stage.journal.stat().st_size) != size:
            size, since = now, time.monotonic()
    keys = [e for e in stage.received() if e["event"] == "key_down"]
    text = "".join(e["text"] for e in keys).replace("\r", "\n")
    return text, keys[-1]["time"] - keys[0]["time"] if len(keys) > 1 else 0.0


def judged(expected: str, text: str, seconds: float) -> str:
    """Per cent of the characters that arrived in order, and characters per second."""
    if text == expected:
        right = 100.0
    else:
        blocks = SequenceMatcher(None, expected, text, autojunk=False).get_matching_blocks()
        right = 100 * sum(block.size for block in blocks) / len(expected)
        right = min(right, 99.9)
    return f"{right:.1f} %  {len(expected) / seconds:.0f}/s" if seconds else f"{right:.1f} %"


def measure(count: int, rival_count: int) -> Table:
    """One row per layout and text."""
    table = Table("layout, text", "ours", *RIVALS, title="typing", box=None)
    with (
        tempfile.TemporaryDirectory() as folder,
        open_stage(Path(folder), Size(640, 480)) as stage,
    ):
        for layout in LAYOUTS:
            subprocess.run(["setxkbmap", layout], env=stage.env, check=True)
            table.add_row(f"{layout}, {count} mixed", _ours(stage, mixed(count)))
            for name, text in (("mixed", mixed(rival_count)), ("ASCII", plain(rival_count))):
                cells = [_ours(stage, text), *(_rival(stage, c, text) for c in RIVALS.values())]
                table.add_row(f"{layout}, {rival_count} {name}", *cells)
    return table


def _ours(stage: Stage, text: str) -> str:
    stage.calm()
    with X11Backend(stage.name) as backend:
        begun = time.monotonic()
        backend.type_text(text)
        spent = time.monotonic() - begun
    return judged(text, read_back(stage)[0], spent)


def _rival(stage: Stage, command: list[str], text: str) -> str:
    stage.calm()
    try:
        done = subprocess.run(
            command, input=text.encode(), env=stage.env, capture_output=True,
            timeout=_RIVAL_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        read_back(stage)
        return f"over {_RIVAL_SECONDS} s"
    arrived, seconds = read_back(stage)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        return f"{judged(text, arrived, 0)}, fails: {(said or ['?'])[-1][:40]}"
    return judged(text, arrived, seconds)
