"""What this machine lacks for Eyehand, and how to get it."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.policies.base import PolicyError

FREE_BYTES = 1 << 30
"""Below this much free disk space recordings are at risk."""


class Health(StrEnum):
    """What a check found."""

    OK = "ok"
    OPTIONAL = "optional"
    """Missing, and only some uses need it."""
    MISSING = "missing"


@dataclass(frozen=True)
class Finding:
    """One line of the report; `fix` is empty when nothing is to be done."""

    name: str
    health: Health
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Machine:
    """What is looked at; the defaults are the machine and the process as they are.

    Attributes:
        env: environment variables.
        home: where `.Xauthority` lies by default.
        folder: recordings are written below it.
    """

    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    home: Path = field(default_factory=Path.home)
    folder: Path = field(default_factory=Path.cwd)


def examine(machine: Machine) -> Iterator[Finding]:
    """Check everything that runs on this machine, in the order of the report."""
    yield check_display(machine)
    yield check_authority(machine)
    yield check_module("tkinter", "apt-get install python3-tk")
    yield check_program("Xvfb", "apt-get install xvfb", machine)
    yield check_program("openbox", "apt-get install openbox", machine)
    yield check_program("chromium", "apt-get install chromium", machine)
    yield check_fonts(machine)
    yield check_module("torch", "pip install torch")
    yield check_model()
    yield check_disk(machine)


def check_display(machine: Machine) -> Finding:
    """A real desktop can be reached; only `eyehand run --display real` needs one."""
    from vision.capture import CaptureError, Screen

    name = machine.env.get("DISPLAY")
    if not name:
        fix = "log in to a desktop, or use --display virtual"
        return Finding("display", Health.OPTIONAL, "DISPLAY is not set", fix)
    try:
        with Screen(name) as screen:
            width, height = screen.box.width, screen.box.height
            return Finding("display", Health.OK, f"{name}, {width:g}x{height:g}")
    except CaptureError as error:
        return Finding("display", Health.OPTIONAL, f"{name}: {error}", "start it or unset DISPLAY")


def check_authority(machine: Machine) -> Finding:
    """PyAutoGUI cannot be imported on a real desktop without this file."""
    path = Path(machine.env.get("XAUTHORITY") or machine.home / ".Xauthority")
    if path.is_file():
        return Finding("Xauthority", Health.OK, str(path))
    return Finding("Xauthority", Health.OPTIONAL, f"no file {path}", f"touch {path}")


def check_module(name: str, fix: str) -> Finding:
    """A Python module can be imported."""
    try:
        module = importlib.import_module(name)
    except (ImportError, OSError) as error:  # OSError: a shared library is missing or broken
        return Finding(name, Health.MISSING, str(error), fix)
    version = getattr(module, "__version__", getattr(module, "TkVersion", ""))
    return Finding(name, Health.OK, str(version))


def check_program(name: str, fix: str, machine: Machine) -> Finding:
    """A program is on PATH."""
    path = shutil.which(name, path=machine.env.get("PATH", os.defpath))
    if path is None:
        return Finding(name, Health.MISSING, "not on PATH", fix)
    return Finding(name, Health.OK, path)


def check_fonts(machine: Machine) -> Finding:
    """Pages are drawn with the fonts that the embedded model was trained on."""
    fix = "apt-get install fontconfig fonts-liberation2 fonts-dejavu-core"
    program = shutil.which("fc-list", path=machine.env.get("PATH", os.defpath))
    if program is None:
        return Finding("fonts", Health.MISSING, "fc-list is not on PATH", fix)
    listed = subprocess.run(
        [program, ":", "family"], capture_output=True, text=True, env=dict(machine.env), check=False
    ).stdout
    missing = [name for name in ("Liberation Sans", "DejaVu Sans") if name not in listed]
    if missing:
        return Finding("fonts", Health.MISSING, f"no {', no '.join(missing)}", fix)
    return Finding("fonts", Health.OK, "Liberation Sans, DejaVu Sans")


def check_disk(machine: Machine) -> Finding:
    """There is room for recordings."""
    free = shutil.disk_usage(machine.folder).free
    detail = f"{free / FREE_BYTES:.1f} GiB free in {machine.folder}"
    if free < FREE_BYTES:
        return Finding("disk", Health.MISSING, detail, "make room: an episode takes megabytes")
    return Finding("disk", Health.OK, detail)


def check_model() -> Finding:
    """The embedded model is there and answers."""
    try:
        from agent.policies.local import local_policy

        policy = local_policy()
    except (ImportError, PolicyError) as error:
        fix = "install Eyehand again, or train one with `eyehand train pointing`"
        return Finding("embedded model", Health.MISSING, str(error), fix)
    told = policy.describe()
    policy.close()
    return Finding("embedded model", Health.OK, ", ".join(f"{k} {v}" for k, v in told.items()))


def report(findings: Iterable[Finding], console: Console | None = None) -> bool:
    """Print a table of the findings; whether nothing that is needed is missing."""
    console = console or Console(highlight=False)
    styles = {Health.OK: "green", Health.OPTIONAL: "yellow", Health.MISSING: "bold red"}
    table = Table(box=None, header_style="bold")
    for heading in ("what", "state", "detail", "fix"):
        table.add_column(heading, overflow="fold")
    healthy = True
    for finding in findings:
        state = Text(finding.health, styles[finding.health])
        table.add_row(finding.name, state, Text(finding.detail), Text(finding.fix))
        healthy = healthy and finding.health is not Health.MISSING
    console.print(table)
    return healthy
