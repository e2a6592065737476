"""Programs that others wrote, tested in plain language.

OCR understands the steps here, so that these tests say something about the programs and nothing
about a model; leave the fixture out, and the embedded model understands them.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.policies.base import Policy, PolicyError


@pytest.fixture(scope="session")
def eyehand_policy() -> Iterator[Policy]:
    from agent.policies.ocr import OcrPolicy

    try:
        policy = OcrPolicy()
    except PolicyError as error:
        pytest.skip(str(error))
    yield policy
    policy.close()


@pytest.fixture
def installed(request: pytest.FixtureRequest) -> str:
    """The program that the test's module names; the test is skipped without it."""
    name, how = request.module.PROGRAM
    # What pip installed lies beside Python, which need not be on the path.
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)))
    found = shutil.which(name, path=places)
    if found is None:
        pytest.skip(f"{name} is not installed: {how}")
    return found
