"""Shows one program at a time on a virtual display, acts on it a little, and asks about it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from actions.backends.x11 import X11Backend
from actions.executor import Executor
from actions.settle import Patience
from actions.space import Click, Hotkey
from agent.environments.display import START_SECONDS, DisplayError, VirtualDisplay, spawn
from agent.environments.program import program
from agent.learning.programs.apps import App, Theme
from agent.learning.programs.reading import inventory
from agent.learning.programs.tree import Node, Tree, TreeError
from agent.learning.samples import Glyphs, Sample
from agent.learning.screens.fonts import families
from agent.learning.screens.kit import Subject
from agent.learning.screens.questions import varied
from agent.learning.screens.vocabulary import Vocabulary
from vision.capture import Screen
from vision.geometry import Box, Size

HARMLESS = ("tab", "menu", "checkbox", "radio", "select", "section")
"""Kinds that may be clicked to see more of a program; nothing is saved, sent or closed by them."""

CLICKED = 0.8
"""Share of pictures before which something is clicked."""

TYPED = 0.1
"""Share of questions that ask for text to be typed, where there is a field for it."""

LOOKS = 4
"""How often a tree that still changes is read again."""

_PAUSE = 0.4
_PATIENCE = Patience(still=0.05, quiet=0.15, reaction=0.5, blink=0)
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir><dir>/usr/local/share/fonts</dir>
  <cachedir>/var/cache/fontconfig</cachedir><cachedir>{cache}</cachedir>
  <selectfont><rejectfont><glob>*.pfb</glob></rejectfont></selectfont>
  <match target="pattern">
    <edit name="family" mode="assign" binding="strong"><string>{family}</string></edit>
  </match>
</fontconfig>
"""
"""Every text is in one family, whatever a program asks for."""


@dataclass(frozen=True)
class Play:
    """One program in one look.

    Attributes:
        app: the program.
        theme: of its toolkit and its split.
        size: of the display, in pixels.
        questions: asked about each picture.
    """

    app: App
    theme: Theme
    size: Size
    questions: int = 15


@contextmanager
def session_bus(env: dict[str, str], folder: Path) -> Iterator[str]:
    """A session bus of its own; its address.

    Raises:
        DisplayError: dbus-daemon is missing or does not start.
    """
    if shutil.which("dbus-daemon") is None:
        raise DisplayError("expected dbus-daemon on PATH; `apt-get install dbus-daemon`")
    address, socket = f"unix:path={folder / 'bus'}", folder / "bus"
    command = ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={address}"]
    with ExitStack() as stack:
        daemon = spawn(command, env, folder / "bus.log", stack)
        deadline = time.monotonic() + START_SECONDS
        while not socket.exists():
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise DisplayError(f"dbus-daemon did not start: {(folder / 'bus.log').read_text()}")
            time.sleep(0.02)
        yield address


def samples(play: Play, seeds: range) -> Iterator[Sample]:
    """Pictures of a program: as it starts, then after each of some harmless clicks.

    Args:
        play: what is shown.
        seeds: one per picture; the first decides about the font and its size.

    Raises:
        ProgramError: the program is not installed, or shows no window.
        DisplayError: there is no virtual display, or no session bus.
        TreeError: the program tells nothing.
    """
    rng = Random(f"{play.app.title} {play.theme.title} {seeds.start}")
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory("-eyehand-program")))
        display = held.enter_context(VirtualDisplay(play.size))
        env = display.env | _environment(play, folder, rng)
        env["DBUS_SESSION_BUS_ADDRESS"] = held.enter_context(session_bus(env, folder))
        tree = held.enter_context(Tree(env["DBUS_SESSION_BUS_ADDRESS"]))
        held.enter_context(program(play.app.command, display.name, env))
        screen = held.enter_context(Screen(display.name))
        backend = held.enter_context(X11Backend(display.name))
        hands = Executor(backend, screen, _PATIENCE, fail_safe=False)
        for seed in seeds:
            found, sample = _look(play, tree, screen, Random(f"{play.app.title} {seed}"))
            yield sample
            _explore(hands, found, rng)


def _environment(play: Play, folder: Path, rng: Random) -> dict[str, str]:
    """What makes a program look as wanted, start as new, and tell what it shows."""
    fonts = folder / "fonts.conf"
    family = rng.choice(families(play.app.split))
    fonts.write_text(_FONTS.format(family=family, cache=folder / "fonts"))
    return {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_RUNTIME_DIR": str(folder),
        "FONTCONFIG_FILE": str(fonts),
        "GDK_DPI_SCALE": rng.choice(("1", "1", "1.15", "1.3")),
        "GSETTINGS_BACKEND": "memory",
        "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1",
        "LC_ALL": "C.UTF-8",
        **play.theme.env,
    }


def _look(play: Play, tree: Tree, screen: Screen, rng: Random) -> tuple[Subject, Sample]:
    """What shows now, with questions about it."""
    deadline = time.monotonic() + START_SECONDS
    while not (windows := tree.windows()):  # programs tell it in their own time
        if time.monotonic() > deadline:
            raise TreeError(f"{play.app.title}: expected a program that tells AT-SPI what it shows")
        time.sleep(_PAUSE)
    frame = screen.grab()
    for _ in range(LOOKS):
        time.sleep(_PAUSE)
        before = (frame.digest, [_outline(window) for window in windows])
        frame, windows = screen.grab(), tree.windows()
        if before == (frame.digest, [_outline(window) for window in windows]):
            break
    seen = inventory(windows, Box(0, 0, *play.size))
    subject = Subject(rng=rng, canvas=seen, words=Vocabulary(rng, play.app.split))
    questions = varied(subject, play.questions, TYPED)
    unread = Glyphs("", np.empty((0, 2), np.float32))  # AT-SPI does not tell where letters are
    return subject, Sample(frame.pixels, questions, unread)


def _outline(window: Node) -> list[tuple[int, str, Box]]:
    return [(node.role, node.name, node.box) for node in window.all()]


def _explore(hands: Executor, found: Subject, rng: Random) -> None:
    """Close an open menu; mostly click on something that shows more."""
    kinds = {element.kind for element in found.canvas.elements}
    if "menuitem" in kinds:
        hands.perform(Hotkey(("esc",)))
    elements = [element for element in found.canvas.elements if element.kind in HARMLESS]
    if elements and rng.random() < CLICKED:
        hands.perform(Click(rng.choice(elements).point))
