"""A real GTK password field, known through a real accessibility bus.

apt-get install at-spi2-core dbus-daemon python3-gi gir1.2-gtk-3.0
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actions.space import Click, Type
from agent.environments.display import VirtualDisplay
from agent.episodes.reader import Episode
from agent.episodes.verify import verify
from agent.recording.passwords import PasswordWatch
from agent.recording.recorder import Recorder
from tests.agent.test_recording import perform
from vision.capture import Screen
from vision.geometry import Point, Size

PYTHON = shutil.which("python3", path="/usr/bin")
NAME, PASSWORD = Point(160, 40), Point(160, 120)


def missing() -> str:
    """What this test needs and the machine lacks; empty when it has all."""
    if shutil.which("dbus-daemon") is None:
        return "dbus-daemon"
    if not any(Path(p, "at-spi-bus-launcher").exists() for p in ("/usr/libexec", "/usr/lib")):
        return "at-spi2-core"
    asked = "import gi; gi.require_version('Gtk', '3.0')"
    if PYTHON is None or subprocess.run([PYTHON, "-c", asked], capture_output=True).returncode:
        return "python3-gi and gir1.2-gtk-3.0"
    return ""


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The display's name and the address of its session bus, with the window on the display."""
    if package := missing():
        pytest.skip(f"needs the Debian package {package}")
    with VirtualDisplay(Size(320, 160)) as virtual:
        bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address=1"],
            env=virtual.env,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert bus.stdout is not None
        address = bus.stdout.readline().strip()
        ready = tmp_path / "ready"
        assert PYTHON is not None
        app = subprocess.Popen(
            [PYTHON, Path(__file__).with_name("gtk_login.py"), ready],
            env=virtual.env | {"DBUS_SESSION_BUS_ADDRESS": address, "GTK_MODULES": ""},
        )
        try:
            while not ready.exists():
                assert app.poll() is None
                time.sleep(0.05)
            yield virtual.name, address
        finally:
            for process in (app, bus):
                process.terminate()
                process.wait()
            bus.stdout.close()


def await_focus(watch: PasswordWatch, secret: bool) -> None:
    """Programs tell it in their own time."""
    while watch.secret is not secret:
        time.sleep(0.02)


def test_a_password_is_withheld_and_a_name_is_not(desktop: tuple[str, str], tmp_path: Path) -> None:
    name, session = desktop
    with Screen(name) as screen:
        recorder = Recorder(screen, name, tmp_path / "e", "log in", session=session)
        with recorder:
            assert recorder.passwords.error is None
            time.sleep(0.3)
            perform(name, Click(PASSWORD))
            await_focus(recorder.passwords, True)
            perform(name, Type("hunter2"), Click(NAME))
            await_focus(recorder.passwords, False)
            perform(name, Type("ada"))
    written = (tmp_path / "e/steps.jsonl").read_text()
    assert "hunter2" not in written and "ada" in written
    episode = Episode.open(tmp_path / "e")
    typed = [a["text"] for s in episode.steps for a in s.screen_actions if a["type"] == "type"]
    assert typed == ["[withheld]", "ada"]
    assert verify(tmp_path / "e").ok
