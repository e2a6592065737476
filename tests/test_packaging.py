"""The four packages are ours, and the wheel holds what it should and nothing else."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from agent.cli.serving import serve

ROOT = Path(__file__).parent.parent
PACKAGES = ("agent", "actions", "vision", "server")


@pytest.mark.parametrize("name", PACKAGES)
def test_the_package_is_the_one_in_this_repository(name: str) -> None:
    file = importlib.import_module(name).__file__
    assert file is not None
    assert Path(file).resolve().is_relative_to(ROOT)


@pytest.mark.parametrize("name", PACKAGES)
def test_no_other_distribution_supplies_the_package(name: str) -> None:
    assert set(packages_distributions().get(name, [])) <= {"eyehand"}


def test_the_wheel_holds_every_tracked_file_of_the_packages_and_nothing_else(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), "."]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    tracked = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert held == set(tracked.stdout.split())


def test_the_container_file_names_what_exists_and_runs_as_nobody_special() -> None:
    text = (ROOT / "Containerfile").read_text()
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    copied = [path for line in lines if line.startswith("COPY ") for path in line.split()[1:-1]]
    assert {*PACKAGES, "pyproject.toml"} <= {path.removeprefix("./") for path in copied}
    assert all((ROOT / path).exists() for path in copied)
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users and not any(user.split(":")[0] in ("root", "0") for user in users)
    assert lines.index(f"USER {users[-1]}") < next(
        number for number, line in enumerate(lines) if line.startswith(("ENTRYPOINT", "CMD"))
    )
    assert "privileged" not in text and "sudo" not in text
    (command,) = [json.loads(line.removeprefix("CMD ")) for line in lines if line.startswith("CMD")]
    offered = {"--" + name.replace("_", "-") for name in inspect.signature(serve).parameters}
    assert {word for word in command if word.startswith("--")} <= offered
