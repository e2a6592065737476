"""The doctor on healthy and on bare machines, and its look at a server."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from agent import doctor
from agent.doctor import Finding, Health, Machine
from agent.environments.display import VirtualDisplay


def bare(tmp_path: Path, **env: str) -> Machine:
    """A machine with nothing on it."""
    return Machine({"PATH": str(tmp_path), **env}, tmp_path, tmp_path)


def test_display_that_can_be_reached(display: VirtualDisplay, tmp_path: Path) -> None:
    found = doctor.check_display(Machine({"DISPLAY": display.name}))
    assert found.health is Health.OK and found.detail == f"{display.name}, 640x480"


def test_displays_that_cannot(tmp_path: Path) -> None:
    none, gone = (doctor.check_display(bare(tmp_path, **e)) for e in ({}, {"DISPLAY": ":4095"}))
    assert none.health is gone.health is Health.OPTIONAL
    assert "--display virtual" in none.fix and ":4095" in gone.detail


def test_authority(tmp_path: Path) -> None:
    missing = doctor.check_authority(bare(tmp_path))
    assert missing.health is Health.OPTIONAL and missing.fix == f"touch {tmp_path / '.Xauthority'}"
    (tmp_path / "cookie").touch()
    named = doctor.check_authority(bare(tmp_path, XAUTHORITY=str(tmp_path / "cookie")))
    assert named.health is Health.OK


@pytest.mark.parametrize("name", ["Xvfb", "openbox", "chromium"])
def test_programs(tmp_path: Path, name: str) -> None:
    missing = doctor.check_program(name, f"apt-get install {name}", bare(tmp_path))
    assert missing.health is Health.MISSING and missing.fix == f"apt-get install {name}"
    assert doctor.check_program(name, "", Machine()).health is Health.OK


def test_fonts(tmp_path: Path) -> None:
    assert doctor.check_fonts(Machine()).health is Health.OK
    assert "fc-list is not on PATH" in doctor.check_fonts(bare(tmp_path)).detail
    program = tmp_path / "fc-list"
    program.write_text("#!/bin/sh\necho DejaVu Sans\n")
    program.chmod(0o755)
    some = doctor.check_fonts(bare(tmp_path))
    assert some.health is Health.MISSING and some.detail == "no Liberation Sans"


def test_modules() -> None:
    assert doctor.check_module("tkinter", "").health is Health.OK
    missing = doctor.check_module("no_such_module", "pip install it")
    assert missing.health is Health.MISSING and missing.fix == "pip install it"


def test_disk(tmp_path: Path) -> None:
    assert "GiB free" in doctor.check_disk(Machine(folder=tmp_path)).detail


def test_report_folds_nothing_away_and_judges() -> None:
    told = io.StringIO()
    console = Console(file=told, width=60, highlight=False)
    fine = Finding("disk", Health.OK, "[bold] " + "ß" * 90)
    spare = Finding("display", Health.OPTIONAL, "none", "log in")
    assert doctor.report([fine, spare], console)
    assert not doctor.report([Finding("torch", Health.MISSING, "", "pip install torch")], console)
    assert told.getvalue().count("ß") == 90 and "[bold]" in told.getvalue()
    assert "pip install torch" in " ".join(told.getvalue().split())


def test_everything_is_looked_at(tmp_path: Path) -> None:
    machine = Machine({"PATH": os.environ["PATH"]}, tmp_path, tmp_path)
    names = [finding.name for finding in doctor.examine(machine)]
    expected = "display Xauthority tkinter Xvfb openbox chromium fonts torch"
    assert names == [*expected.split(), "embedded model", "disk"]
